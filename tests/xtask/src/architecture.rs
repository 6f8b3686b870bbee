//! The processors that an image is made for, and what others call them.

use std::env::consts::ARCH;

use anyhow::{Result, bail};
use clap::ValueEnum;

/// By the name that Debian and container images have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// x86-64
    Amd64,
    /// 64-bit Arm
    Arm64,
}

impl Architecture {
    /// This machine's.
    pub(crate) fn here() -> Result<Self> {
        match ARCH {
            "x86_64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            other => bail!("no image is made on {other}; use a machine with x86-64 or 64-bit Arm"),
        }
    }

    pub(crate) fn is_here(self) -> bool {
        Self::here().is_ok_and(|here| here == self)
    }

    /// Debian's name, and that of container images.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// rustc's.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// GCC's, by which Debian calls cross compilers and directories of libraries.
    pub(crate) fn triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// The package whose static libc is linked into what is built for it.
    pub(crate) fn libc_package(self) -> String {
        match self.is_here() {
            true => "libc6-dev".to_owned(),
            false => format!("libc6-dev-{}-cross", self.name()),
        }
    }

    /// The package of a C compiler for it, which brings a linker.
    pub(crate) fn cross_compiler(self) -> &'static str {
        match self {
            Self::Amd64 => "gcc-x86-64-linux-gnu",
            Self::Arm64 => "gcc-aarch64-linux-gnu",
        }
    }
}
