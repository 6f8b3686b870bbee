//! The C library that is linked into the binaries: Debian's, of the machine that builds.

use anyhow::{Context, Result};

use crate::architecture::Architecture;
use crate::process::{answer, command};

/// As dpkg knows it.
pub(super) struct Libc {
    pub(super) package: String,
    pub(super) version: String,
    /// A package of a cross compiler's library is for all.
    pub(super) architecture: String,
}

impl Libc {
    pub(super) fn linked_for(architecture: Architecture) -> Result<Self> {
        let package = architecture.libc_package();
        let mut query = command("dpkg-query");
        query.args([
            "--show",
            "--showformat",
            "${Version} ${Architecture}\n",
            &package,
        ]);
        let answer = answer(&mut query)?;
        let known = answer.lines().next().and_then(|line| line.split_once(' '));
        let (version, architecture) =
            known.with_context(|| format!("dpkg does not know {package}"))?;
        Ok(Self {
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            package,
        })
    }
}
