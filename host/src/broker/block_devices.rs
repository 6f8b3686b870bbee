//! `block-devices`: disks of this node, found by what they are.
//!
//! A handle is the wish for one identity and nothing more: each operation has a worker find the device
//! anew and hold what it says itself against the grant.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::answer::{Answer, DeviceContent};
use super::ask::{BlockDevicesAsk, Identity, MountOption};
use super::error::BrokerError;
use super::handle::{DeviceHandle, TargetHandle};
use super::mounts::{check_option, nameable_option};
use super::name_length::nameable;
use super::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{BlockDevicesGrant, DevicePattern, GrantedFilesystems};
use crate::volume::Access;
use crate::worker::{
    self, DeviceOperation, DeviceReply, DeviceRequest, MountOptions, NamePattern, Reply, Request,
    WantedDevice,
};

/// A shorter one could be the end of many names.
const MIN_SERIAL: usize = 4;

/// Longer than any disk reports; a file name has to hold it.
const MAX_SERIAL: usize = 128;

/// Left to a worker that waits for a device, so that it can say what it missed before it is killed.
const TIME_TO_ANSWER: Duration = Duration::from_millis(500);

impl WorkerBroker {
    pub(super) fn block_devices(&mut self, ask: BlockDevicesAsk) -> Result<Answer, BrokerError> {
        match ask {
            BlockDevicesAsk::SizeBytes { device } => {
                self.of_device(device, DeviceOperation::Size, size)
            }
            BlockDevicesAsk::Inspect { device } => {
                self.of_device(device, DeviceOperation::Inspect, content)
            }
            BlockDevicesAsk::EnsureFilesystem {
                device,
                fs_type,
                options,
            } => self.ensure_filesystem(device, &fs_type, options),
            BlockDevicesAsk::GrowFilesystem { device } => self.grow_filesystem(device),
            BlockDevicesAsk::Mount {
                device,
                target,
                options,
            } => self.mount_device(device, target, &options),
            BlockDevicesAsk::Bind { device, target } => {
                let access = self.held.target(target)?.access;
                self.put_on(device, target, access, |target| DeviceOperation::Bind {
                    target,
                    access,
                })
            }
            BlockDevicesAsk::FindDevice { identity } => {
                self.look_for(&identity, DeviceOperation::Find)
            }
            BlockDevicesAsk::AwaitDevice {
                identity,
                timeout_ms,
            } => self.await_device(&identity, timeout_ms),
        }
    }

    fn await_device(
        &mut self,
        identity: &Identity,
        timeout_ms: u32,
    ) -> Result<Answer, BrokerError> {
        if self.only_compares() {
            // What is mounted does not have to appear.
            return self.look_for(identity, DeviceOperation::Find);
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let timeout = timeout.min(left.saturating_sub(TIME_TO_ANSWER));
        self.look_for(identity, DeviceOperation::Await { timeout })
    }

    fn ensure_filesystem(
        &mut self,
        device: DeviceHandle,
        fs_type: &str,
        options: Vec<String>,
    ) -> Result<Answer, BrokerError> {
        let filesystems = self.granted_format(fs_type, &options)?;
        if self.only_compares() {
            return Ok(Answer::Done);
        }
        let operation = DeviceOperation::EnsureFilesystem {
            make: filesystems.make,
            keep: filesystems.keep,
            options,
            access: self.narrowest_access(),
        };
        self.of_device(device, operation, done)
    }

    fn grow_filesystem(&mut self, device: DeviceHandle) -> Result<Answer, BrokerError> {
        if self.only_compares() {
            return Ok(Answer::Done);
        }
        // Growing writes, and what is only read need not grow.
        match self.narrowest_access() {
            Access::ReadOnly => Ok(Answer::Done),
            Access::ReadWrite => self.of_device(device, DeviceOperation::GrowFilesystem, done),
        }
    }

    fn mount_device(
        &mut self,
        device: DeviceHandle,
        target: TargetHandle,
        options: &[MountOption],
    ) -> Result<Answer, BrokerError> {
        let options = MountOptions::of(self.held.target(target)?.access, options);
        let (access, options) = (options.access(), options.named());
        let filesystems = self.granted_mount(&options)?;
        self.put_on(device, target, access, |target| DeviceOperation::Mount {
            target,
            options,
            access,
            filesystems,
        })
    }

    /// Puts a device on a target, or only compares it with what is there where no more was asked for.
    fn put_on(
        &mut self,
        device: DeviceHandle,
        target: TargetHandle,
        access: Access,
        put: impl FnOnce(PathBuf) -> DeviceOperation,
    ) -> Result<Answer, BrokerError> {
        let onto = self.held.target(target)?.path.clone();
        let operation = match self.only_compares() {
            true => DeviceOperation::Compare {
                target: onto,
                access,
            },
            false => put(onto),
        };
        self.of_device(device, operation, done)?;
        Ok(self.remember(target)?)
    }

    fn block_devices_grant(&self) -> Result<&BlockDevicesGrant, DriverError> {
        // Linked only where granted; absent while a component is described before anyone granted anything.
        self.grants
            .block_devices
            .as_ref()
            .ok_or_else(|| DriverError::denied("block devices are not granted to this driver"))
    }

    fn look_for(
        &mut self,
        identity: &Identity,
        operation: DeviceOperation,
    ) -> Result<Answer, BrokerError> {
        let found = self.found(identity, operation)?;
        Ok(Answer::Device(self.held.insert_device(found)?))
    }

    fn found(
        &mut self,
        identity: &Identity,
        operation: DeviceOperation,
    ) -> Result<WantedDevice, BrokerError> {
        nameable(&identity.serial)?;
        check_serial(&identity.serial)?;
        let wanted = WantedDevice {
            serial: identity.serial.clone(),
            size_bytes: identity.size_bytes,
            granted: self
                .block_devices_grant()?
                .devices
                .iter()
                .map(plain)
                .collect(),
        };
        let request = DeviceRequest::On {
            wanted: wanted.clone(),
            operation,
        };
        let Reply::Device(reply) = self.ask_worker(Request::Device(request))? else {
            return Err(other_kind().into());
        };
        match reply {
            DeviceReply::Found => Ok(wanted),
            DeviceReply::NotGranted { name } => {
                Err(self.block_devices_grant()?.refuse_device(&name).into())
            }
            DeviceReply::Size(_) | DeviceReply::Content(_) => Err(other_kind().into()),
        }
    }

    fn of_device(
        &mut self,
        device: DeviceHandle,
        operation: DeviceOperation,
        read: impl FnOnce(Reply) -> Option<Answer>,
    ) -> Result<Answer, BrokerError> {
        let wanted = self.held.device(device)?.clone();
        let request = Request::Device(DeviceRequest::On { wanted, operation });
        let reply = self.ask_worker(request)?;
        Ok(read(reply).ok_or_else(other_kind)?)
    }

    fn granted_format(
        &self,
        asked: &str,
        options: &[String],
    ) -> Result<GrantedFilesystems, BrokerError> {
        nameable(asked)?;
        options.iter().try_for_each(|word| nameable(word))?;
        let grant = self.block_devices_grant()?;
        let filesystems = grant.filesystems_for(asked)?;
        check_format_options(options)?;
        grant.allows_format_options(&filesystems.make, options)?;
        Ok(filesystems)
    }

    /// The filesystems that may be mounted, if the options may be used.
    fn granted_mount(&self, options: &[MountOption]) -> Result<Vec<String>, BrokerError> {
        let grant = self.block_devices_grant()?;
        for (name, value) in options {
            nameable_option(name, value.as_deref())?;
            grant.allows_mount_option(name, value.as_deref())?;
            check_option(name, value.as_deref())?;
        }
        Ok(grant.filesystems.clone())
    }

    /// A call that is to put a volume somewhere read-only writes nothing to it. Targets are lent for the
    /// whole call, so a guest cannot get rid of one.
    fn narrowest_access(&self) -> Access {
        let read_only = self.has_target(|target| target.access == Access::ReadOnly);
        match read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        }
    }
}

fn plain(pattern: &DevicePattern) -> NamePattern {
    NamePattern {
        begins: pattern.begins().to_owned(),
        ends: pattern.ends().map(str::to_owned),
    }
}

fn done(reply: Reply) -> Option<Answer> {
    (reply == Reply::Done).then_some(Answer::Done)
}

fn size(reply: Reply) -> Option<Answer> {
    let Reply::Device(DeviceReply::Size(bytes)) = reply else {
        return None;
    };
    Some(Answer::Size(bytes))
}

fn content(reply: Reply) -> Option<Answer> {
    let Reply::Device(DeviceReply::Content(content)) = reply else {
        return None;
    };
    Some(Answer::DeviceContent(content_word(content)))
}

fn other_kind() -> DriverError {
    DriverError::internal("the worker gave an answer of another kind")
}

fn content_word(content: worker::DeviceContent) -> DeviceContent {
    match content {
        worker::DeviceContent::Blank => DeviceContent::Blank,
        worker::DeviceContent::Filesystem(name) => DeviceContent::Filesystem(name),
        worker::DeviceContent::Other(name) => DeviceContent::Other(name),
    }
}

/// What no disk reports, or what would not name one disk.
fn check_serial(serial: &str) -> Result<(), DriverError> {
    let reason = match serial {
        _ if serial.len() < MIN_SERIAL => "it is too short to name one disk",
        _ if serial.len() > MAX_SERIAL => "it is longer than any disk reports",
        _ if serial.contains('/') => "it holds a slash",
        _ if serial.chars().any(char::is_control) => "it holds control characters",
        _ if serial.trim() != serial => "it begins or ends with a blank",
        _ => return Ok(()),
    };
    Err(DriverError::invalid_argument(format!(
        "serial {serial:?} cannot be looked for: {reason}"
    )))
}

/// mkfs takes a word that belongs to no option for the device. A value comes right after its option.
fn check_format_options(words: &[String]) -> Result<(), DriverError> {
    let mut may_be_value = false;
    for word in words {
        let is_option = word.starts_with('-') && word.len() > 1;
        if !is_option && !may_be_value {
            return Err(DriverError::invalid_argument(format!(
                "format option {word:?} belongs to no option before it"
            )));
        }
        may_be_value = is_option && word.chars().count() == 2;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
