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
    inline: "
        package drivebay:smb;

        world smb {
            import drivebay:driver/mounts@0.1.0;
            import drivebay:driver/secrets@0.1.0;

            export drivebay:driver/identity@0.1.0;
            export drivebay:driver/node@0.1.0;
        }
    ",
    generate_all,
});

// Unit tests run natively, where linkers refuse the names that components export.
#[cfg(target_arch = "wasm32")]
export!(Smb);

/// The guest. Its exports name what is generated here, and `export!` names it: so it stands on this side.
#[derive(Debug)]
pub struct Smb;
