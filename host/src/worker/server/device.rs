//! Block devices: found by what they are, checked on the open descriptor.
//!
//! No request names a device node. Each says which serial is wanted and which names were granted; the
//! device is found anew, its identity is read through the open descriptor, and that descriptor stays open
//! until the work is over, so that the kernel cannot give its number to another disk meanwhile.

mod bind;
mod blank;
mod block;
mod content;
mod direct_io;
mod filesystem;
mod filesystem_request;
mod find;
mod foreign_signature;
mod format;
mod format_intent;
mod grow;
mod identity;
mod mount;
mod partition;
mod programs;
mod superblock;
mod tools;
mod watch;

use std::path::Path;

use crate::worker::{
    DeviceContent, DeviceOperation, DeviceReply, DeviceRequest, Fault, FaultKind, MountOptions,
    Reply, WantedDevice,
};
use content::Content;
use find::{Disk, Looked};

pub use programs::missing_programs;

/// `notes` is where an intent to format is kept until it is carried out.
pub(super) fn carry_out(request: &DeviceRequest, notes: &Path) -> Result<Reply, Fault> {
    match request {
        DeviceRequest::On { wanted, operation } => work(wanted, operation, notes),
        DeviceRequest::GrowMounted {
            mount_point,
            at_least_bytes,
        } => grow::mounted(mount_point, *at_least_bytes),
    }
}

fn work(wanted: &WantedDevice, operation: &DeviceOperation, notes: &Path) -> Result<Reply, Fault> {
    let disk = || Disk::open(wanted);
    match operation {
        DeviceOperation::Find => find::look(wanted)?.into_reply(wanted),
        DeviceOperation::Await { timeout } => watch::wait(wanted, *timeout),
        DeviceOperation::Size => Ok(grow::size(disk()?.block.size()?)),
        DeviceOperation::Inspect => inspect(&disk()?),
        DeviceOperation::EnsureFilesystem {
            make,
            keep,
            options,
            access,
        } => {
            let request = filesystem_request::FilesystemRequest {
                fs_type: superblock::FsType::from_name(make)?,
                keep,
                options,
                access: *access,
            };
            filesystem::ensure(&disk()?, &request, notes)
        }
        DeviceOperation::GrowFilesystem => grow::unmounted(&disk()?),
        DeviceOperation::Mount {
            target,
            options,
            access,
            filesystems,
        } => {
            let options = MountOptions::of(*access, options);
            mount::mount(&disk()?, target, &options, filesystems)
        }
        DeviceOperation::Compare { target, access } => mount::compare(&disk()?, target, *access),
        DeviceOperation::Bind { target, access } => bind::bind(&disk()?, target, *access),
    }
}

fn inspect(disk: &Disk) -> Result<Reply, Fault> {
    let content = match content::of(disk)? {
        Content::Blank => DeviceContent::Blank,
        Content::Filesystem(held) => {
            DeviceContent::Filesystem(held.superblock.fs_type.name().to_owned())
        }
        other @ (Content::Unfinished(_) | Content::Unknown | Content::Other(_)) => {
            DeviceContent::Other(other.in_words())
        }
    };
    Ok(Reply::Device(DeviceReply::Content(content)))
}

impl Looked {
    fn into_reply(self, wanted: &WantedDevice) -> Result<Reply, Fault> {
        match self {
            Self::Found(_) => Ok(Reply::Device(DeviceReply::Found)),
            Self::NotGranted(name) => Ok(Reply::Device(DeviceReply::NotGranted { name })),
            Self::Missing(missing) => Err(missing.fault(FaultKind::NotFound, wanted)),
        }
    }
}

#[cfg(test)]
mod tests;
