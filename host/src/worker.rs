//! Kernel work that can hang, as plain data.
//!
//! A [`Request`] goes to a worker process: this executable again, under another name, in a process group
//! of its own, with none of our pipes. It does one thing at a time and can be killed at the deadline.
//! Requests hold no closures and no shared memory, so that the sender can one day be a process without
//! privileges.

pub mod client;
pub mod server;

mod command_line;
mod device;
mod errno;
mod https;
mod job;
mod job_limits;
mod mount_flags;
mod process_slots;
mod remote;
mod start;
mod statfs;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::sys::{self, MountEntry};
use crate::volume::Access;

pub use client::{CompileLimits, WorkerLimits};
pub use device::{
    DeviceContent, DeviceOperation, DeviceReply, DeviceRequest, NamePattern, WantedDevice,
};
pub use errno::{Fault, FaultKind};
pub use https::{Body, Credentials, HttpsMessage, HttpsRequest, HttpsResponse};
pub use job_limits::JobLimits;
pub use mount_flags::{
    MountOption, MountOptions, flag_words, is_for_every_filesystem, is_hosts_to_decide,
};
pub use remote::{Reached, Remote, SecretOption, Server, server_port, source_text};
pub use statfs::{Measured, Room};

/// Whoever carries out requests.
pub trait WorkerClient: Send {
    /// Carries out one request, or ends it at the deadline.
    ///
    /// # Errors
    /// A [`Fault`] that says which kind of thing went wrong.
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault>;

    /// What is mounted at a path now, as far as that can be told.
    fn mount_at(&self, path: &Path) -> Option<Arc<MountEntry>> {
        sys::cached_mount_at(path).ok().flatten()
    }
}

/// What can be asked.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Addresses of a host name; an address literal is itself. Replies [`Reply::Addresses`]; done by a worker
    /// without privileges.
    Resolve {
        /// Name or address.
        host: String,
    },
    /// Which of a server's addresses takes connections. Replies [`Reply::Reached`]; done by a worker without
    /// privileges.
    Reach(Server),
    /// Make the target if only its last component is missing. Replies [`Reply::Created`] or
    /// [`Reply::Done`].
    PrepareTarget {
        target: PathBuf,
        /// What for.
        kind: TargetKind,
    },
    /// Remove a target that is empty and not a mount point: a directory, or the file that a device was bound to.
    RemoveTarget { target: PathBuf },
    /// Mount a remote file system on a directory of this node.
    MountRemote {
        /// An existing directory, not a symlink.
        target: PathBuf,
        remote: Remote,
        /// Read-only or not.
        access: Access,
    },
    /// Bind a directory beneath another onto a target.
    BindDirectory {
        /// Where the path begins.
        directory: DirectoryOrigin,
        /// Beneath it; empty for itself.
        path: String,
        /// An existing directory, not a symlink.
        target: PathBuf,
        /// Read-only or not.
        access: Access,
    },
    /// Whether the target shows that very directory: [`Reply::Done`], or [`FaultKind::Exists`].
    CompareDirectory {
        /// Where the path begins.
        directory: DirectoryOrigin,
        /// Beneath it; empty for itself.
        path: String,
        /// A mount point.
        target: PathBuf,
    },
    /// Bind one mount point onto another.
    BindMount {
        /// A staging path.
        from: PathBuf,
        /// An existing directory, or a file where a device is staged; not a symlink.
        target: PathBuf,
        /// Read-only or not.
        access: Access,
    },
    /// Take away everything mounted at the target; nothing mounted is success.
    Unmount {
        target: PathBuf,
        /// How hard.
        flags: MountFlags,
    },
    /// How much the volume that is mounted at a path holds; replies [`Reply::Measured`].
    Measure { path: PathBuf },
    /// Check that a directory can be opened; remote ones are mounted where nobody else sees them.
    OpenDirectory { directory: DirectoryOrigin },
    /// Work beneath a directory.
    Files {
        directory: DirectoryOrigin,
        operation: FileOperation,
    },
    /// Work on a block device.
    Device(DeviceRequest),
    /// Something that needs the network and nothing else; done by a worker without privileges.
    Https(HttpsRequest),
}

/// Where a directory handle comes from. Each worker opens it for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryOrigin {
    /// A directory of the node that the operator granted.
    Local(PathBuf),
    /// A remote file system, mounted where nobody else sees it.
    Remote(Remote),
}

/// What a volume appears as, and so what it is mounted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// A directory, for a filesystem.
    Directory,
    /// A plain file, for a raw device: a device node can be bound onto nothing else.
    Device,
}

/// How hard to unmount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountFlags {
    /// Busy is an error.
    Plain,
    /// Also end requests to a server that does not answer (MNT_FORCE).
    Force,
}

/// Work beneath a directory; every path is relative and stays beneath it.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileOperation {
    /// With missing parents; an existing directory keeps its mode.
    MakeDirectory {
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// Permission bits of one entry; empty path: the directory itself.
    SetMode {
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// What lies in a directory.
    List {
        /// Which; empty for the directory itself.
        path: String,
    },
    /// What one entry is; empty path: the directory itself.
    Look { path: String },
    /// A small file's content.
    Read { path: String },
    /// A small file that must not exist yet.
    Create { path: String, content: Vec<u8> },
    /// A small file, replaced or made.
    Write { path: String, content: Vec<u8> },
    /// Without replacing anything.
    Rename { source: String, to: String },
    /// A tree, not crossing file systems; missing is success.
    Remove { path: String },
    /// A directory with nothing in it; missing is success.
    RemoveDirectory { path: String },
    /// A tree; `to` appears whole or not at all.
    Copy { source: String, to: String },
    /// A tree into one tar file.
    Archive {
        source: String,
        to: String,
        /// Of the tar file.
        compression: Compression,
    },
    /// A tar file into a new directory.
    Extract { source: String, to: String },
    /// How full the file system is.
    Usage,
}

impl FileOperation {
    /// The paths that it names; empty where there is none.
    pub fn paths(&self) -> [&str; 2] {
        match self {
            Self::MakeDirectory { path, .. }
            | Self::SetMode { path, .. }
            | Self::List { path }
            | Self::Look { path }
            | Self::Read { path }
            | Self::Create { path, .. }
            | Self::Write { path, .. }
            | Self::Remove { path }
            | Self::RemoveDirectory { path } => [path, ""],
            Self::Rename { source, to }
            | Self::Copy { source, to }
            | Self::Archive { source, to, .. }
            | Self::Extract { source, to } => [source, to],
            Self::Usage => ["", ""],
        }
    }

    /// The content that it brings.
    pub fn content(&self) -> &[u8] {
        match self {
            Self::Create { content, .. } | Self::Write { content, .. } => content,
            Self::MakeDirectory { .. }
            | Self::SetMode { .. }
            | Self::List { .. }
            | Self::Look { .. }
            | Self::Read { .. }
            | Self::Rename { .. }
            | Self::Remove { .. }
            | Self::RemoveDirectory { .. }
            | Self::Copy { .. }
            | Self::Archive { .. }
            | Self::Extract { .. }
            | Self::Usage => &[],
        }
    }
}

/// Of a tar file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is so now.
    Done,
    /// It is so now, and was not before.
    Created,
    /// For `Resolve`, in the resolver's order.
    Addresses(Vec<IpAddr>),
    /// For `Reach`.
    Reached(Reached),
    /// For `List`.
    Entries(Vec<Entry>),
    /// For `Look`.
    Properties(Properties),
    /// For `Read`.
    Content(Vec<u8>),
    /// For `Archive`: bytes.
    Size(u64),
    /// For `Extract`.
    Extracted(Withheld),
    /// For `Measure`.
    Measured(Measured),
    /// For `Usage`.
    Usage(Usage),
    /// For `Device`.
    Device(DeviceReply),
    /// For `Https`.
    Https(HttpsResponse),
}

/// What an archive's entries did not get, because a guest may have asked for it: numbers of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// Files without set-user-ID or set-group-ID.
    pub set_id: u64,
    /// Files without their capabilities.
    pub capabilities: u64,
    /// Device nodes that are not there.
    pub devices: u64,
    /// Why they did not get it.
    pub reason: WithheldFor,
}

impl Withheld {
    /// Whether there was anything.
    pub fn is_any(&self) -> bool {
        self.set_id + self.capabilities + self.devices > 0
    }
}

/// Why an archive's entries did not get something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WithheldFor {
    /// The archive is not known to be of this driver's making on this node, and unchanged since.
    Provenance,
    /// There were more than are remembered.
    Number,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Without its path.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What one entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Of a file: bytes.
    pub size_bytes: u64,
    /// Seconds since 1970 UTC; 0 for anything earlier.
    pub modified_at_seconds: u64,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A device, a socket, a pipe.
    Other,
}

/// Of a whole file system; bytes and inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes an ordinary user can still write.
    pub available_bytes: u64,
    /// Inodes in all.
    pub total_inodes: u64,
    /// Inodes left.
    pub available_inodes: u64,
}
