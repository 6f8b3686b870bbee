//! What a skeleton can be written in, and what its volumes can be. Each is a folder in `guests/templates`.

use std::fmt;

use clap::ValueEnum;

use crate::commands::bindings::Target;

/// What an author writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// The SDK, and a component of 50 kB
    Rust,
    /// C, and a component of 40 kB
    C,
    /// Go's own compiler, and a component of 3 MB
    Go,
    /// JavaScript, with its engine in a component of 13 MB
    #[value(alias = "javascript")]
    Js,
    /// Python, with CPython in a component of 19 MB
    Python,
}

impl Language {
    pub(super) const ALL: [Self; 5] = [Self::Rust, Self::C, Self::Go, Self::Js, Self::Python];

    /// On the command line, and of its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Go => "go",
            Self::Js => "js",
            Self::Python => "python",
        }
    }
}

impl Language {
    /// Those that a skeleton brings along, where the language has no tool that reads the contract.
    pub(super) fn bindings(self) -> Option<Target> {
        match self {
            Self::C => Some(Target::C),
            Self::Go => Some(Target::Go),
            Self::Rust | Self::Js | Self::Python => None,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What the volumes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Shares of a server, which exist already: mounted
    Share,
    /// Disks that are attached already: formatted and mounted
    Disk,
    /// Directories of a granted directory: made, mounted and removed
    Directory,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Share, Self::Disk, Self::Directory];

    /// On the command line, and of its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Disk => "disk",
            Self::Directory => "directory",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
