//! The contract in Rust, generated from `wit/` when the guest is compiled.
//!
//! The one place with unsafe code, all of it generated: the shims through which the host calls in and out.
#![cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "the generated shims of the component model")
)]
#![expect(clippy::error_impl_error, reason = "`error` is the contract's word")]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "cloud-disk",
});

// Unit tests run natively, where linkers refuse the names that components export.
#[cfg(target_arch = "wasm32")]
export!(CloudDisk);

/// The guest. Its exports name what is generated here, and `export!` names it: so it stands on this side.
#[derive(Debug)]
pub struct CloudDisk;
