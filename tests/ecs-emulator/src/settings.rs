//! What an emulator is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use crate::devices::Backing;
use crate::words::{AccessKeyId, InstanceId, RegionId, Secret, ZoneId};

/// A port of its own of 127.0.0.1.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What an emulator is started with. Change what differs from [`Settings::new`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept over restarts.
    pub state: PathBuf,
    /// Where the API listens, with TLS.
    pub listen: SocketAddr,
    /// Where the metadata service listens, without TLS.
    pub metadata: SocketAddr,
    /// Where tests control the emulator, without TLS and without any check.
    pub control: SocketAddr,
    /// The one region there is.
    pub region: RegionId,
    /// The zone of all instances.
    pub zone: ZoneId,
    /// The instance that this machine is: devices appear for attachments to it alone.
    pub instance: InstanceId,
    /// Further instances that exist.
    pub other_instances: Vec<InstanceId>,
    /// What devices are made of.
    pub devices: DeviceKind,
    /// How long each asynchronous transition takes; as before the restart, or 50 ms, if not given.
    pub delay: Option<Duration>,
    /// The permanent access key's id.
    pub access_key_id: AccessKeyId,
    /// The permanent access key's secret; the one in the state directory if not given.
    pub secret: Option<Secret>,
}

impl Settings {
    /// An emulator on free ports, without devices, in `cn-hangzhou-g`, with three instances.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            listen: ANY_PORT,
            metadata: ANY_PORT,
            control: ANY_PORT,
            region: RegionId::from("cn-hangzhou"),
            zone: ZoneId::from("cn-hangzhou-g"),
            instance: InstanceId::from("i-bp1drivebaynode00001"),
            other_instances: vec![
                InstanceId::from("i-bp1drivebaynode00002"),
                InstanceId::from("i-bp1drivebaynode00003"),
            ],
            devices: DeviceKind::None,
            delay: None,
            access_key_id: AccessKeyId::from("testid"),
            secret: None,
        }
    }
}

/// What devices are made of.
#[derive(Clone, Debug)]
pub enum DeviceKind {
    /// There are none.
    None,
    /// Loop devices.
    Loop {
        /// Where the links to them are made.
        links: PathBuf,
    },
    /// virtio disks of the virtual machine that the emulator runs in.
    Qemu {
        /// QEMU's monitor, as a port of the machine.
        port: PathBuf,
        /// Where QEMU sees the state directory, or one above it.
        backing: Backing,
    },
}

/// What happens to devices when the emulator stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// They go, with their links.
    RemoveDevices,
    /// They stay, and the next run takes them over.
    KeepDevices,
}
