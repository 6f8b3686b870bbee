//! The contract in Rust, generated from `wit/` when the guest is compiled.
//!
//! The one place with unsafe code: the generated shims through which the host calls in and out, and the promise
//! that they do so on one thread.
//! The world is this guest's own: it asks for disks, calls and signatures, and for no file of the node.
#![cfg_attr(
    target_arch = "wasm32",
    expect(
        unsafe_code,
        reason = "the generated shims of the component model, and what they promise the allocator"
    )
)]
#![expect(clippy::error_impl_error, reason = "`error` is the contract's word")]

#[cfg(target_arch = "wasm32")]
use lol_alloc::{AssumeSingleThreaded, LeakingAllocator};

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package drivebay:alicloud-disk;

        world alicloud-disk {
            import drivebay:driver/block-devices@0.1.0;
            import drivebay:driver/https@0.1.0;
            import drivebay:driver/signing@0.1.0;
            import drivebay:driver/log@0.1.0;

            export drivebay:driver/identity@0.1.0;
            export drivebay:driver/controller@0.1.0;
            export drivebay:driver/volume-listing@0.1.0;
            export drivebay:driver/volume-health@0.1.0;
            export drivebay:driver/volume-health-listing@0.1.0;
            export drivebay:driver/attachment@0.1.0;
            export drivebay:driver/snapshots@0.1.0;
            export drivebay:driver/snapshot-listing@0.1.0;
            export drivebay:driver/group-snapshots@0.1.0;
            export drivebay:driver/expansion@0.1.0;
            export drivebay:driver/modification@0.1.0;
            export drivebay:driver/node@0.1.0;
            export drivebay:driver/attach-limit@0.1.0;
            export drivebay:driver/accessibility@0.1.0;
        }
    ",
    generate_all,
});

// Unit tests run natively, where linkers refuse the names that components export.
#[cfg(target_arch = "wasm32")]
export!(AlicloudDisk);

/// The guest. Its exports name what is generated here, and `export!` names it: so it stands on this side.
#[derive(Debug)]
pub struct AlicloudDisk;

/// Memory is taken and never given back: it ends with the instance, which lives for one call. The standard
/// allocator keeps book of what is free; that, and the code that gives things back, would be a ninth of this guest.
// SAFETY: a component has one thread, and calls of the host do not interrupt it.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: AssumeSingleThreaded<LeakingAllocator> =
    unsafe { AssumeSingleThreaded::new(LeakingAllocator::new()) };
