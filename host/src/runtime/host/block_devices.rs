//! `block-devices`: disks of this node, found by what they are.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::block_devices::{
    Content, Device, Host, HostDevice, Identity, MountOption, Target,
};
use crate::broker::{self, BlockDevicesAsk, DeviceContent, DeviceHandle, TargetHandle};
use crate::runtime::state::State;

impl Host for State {
    fn find_device(&mut self, identity: Identity) -> Answered<Resource<Device>> {
        let identity = plain(identity);
        self.look_for(BlockDevicesAsk::FindDevice { identity })
    }

    fn await_device(&mut self, identity: Identity, timeout_ms: u32) -> Answered<Resource<Device>> {
        let identity = plain(identity);
        self.look_for(BlockDevicesAsk::AwaitDevice {
            identity,
            timeout_ms,
        })
    }
}

impl State {
    fn look_for(&mut self, ask: BlockDevicesAsk) -> Answered<Resource<Device>> {
        let device = self.ask(ask, super::read!(Device))?;
        Ok(device.map(|device| Resource::new_own(device.0)))
    }
}

fn handle(device: &Resource<Device>) -> DeviceHandle {
    DeviceHandle(device.rep())
}

impl HostDevice for State {
    fn size_bytes(&mut self, it: Resource<Device>) -> Answered<u64> {
        let device = handle(&it);
        self.ask(BlockDevicesAsk::SizeBytes { device }, super::read!(Size))
    }

    fn inspect(&mut self, it: Resource<Device>) -> Answered<Content> {
        let device = handle(&it);
        let ask = BlockDevicesAsk::Inspect { device };
        let content = self.ask(ask, super::read!(DeviceContent))?;
        Ok(content.map(|content| match content {
            DeviceContent::Blank => Content::Blank,
            DeviceContent::Filesystem(name) => Content::Filesystem(name),
            DeviceContent::Other(name) => Content::Other(name),
        }))
    }

    fn ensure_filesystem(
        &mut self,
        it: Resource<Device>,
        fs_type: String,
        options: Vec<String>,
    ) -> Answered<()> {
        self.ask_to(BlockDevicesAsk::EnsureFilesystem {
            device: handle(&it),
            fs_type,
            options,
        })
    }

    fn grow_filesystem(&mut self, it: Resource<Device>) -> Answered<()> {
        let device = handle(&it);
        self.ask_to(BlockDevicesAsk::GrowFilesystem { device })
    }

    fn mount(
        &mut self,
        it: Resource<Device>,
        target: Resource<Target>,
        options: Vec<MountOption>,
    ) -> Answered<()> {
        self.ask_to(BlockDevicesAsk::Mount {
            device: handle(&it),
            target: TargetHandle(target.rep()),
            options,
        })
    }

    fn bind(&mut self, it: Resource<Device>, target: Resource<Target>) -> Answered<()> {
        self.ask_to(BlockDevicesAsk::Bind {
            device: handle(&it),
            target: TargetHandle(target.rep()),
        })
    }

    fn drop(&mut self, it: Resource<Device>) -> wasmtime::Result<()> {
        self.give_back(handle(&it))
    }
}

fn plain(identity: Identity) -> broker::Identity {
    broker::Identity {
        serial: identity.serial,
        size_bytes: identity.size_bytes,
    }
}
