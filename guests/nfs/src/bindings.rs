//! The contract in Rust, generated from `wit/` when the guest is compiled.
//!
//! The one place with unsafe code: the generated shims through which the host calls in and out, and the word to the
//! linker that panics are to be logged.
#![cfg_attr(
    target_arch = "wasm32",
    expect(
        unsafe_code,
        reason = "the generated shims of the component model, and what is run before them"
    )
)]
#![expect(clippy::error_impl_error, reason = "`error` is the contract's word")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "provisioned-share",
    additional_derives: [PartialEq],
});

// Unit tests run natively, where linkers refuse the names that components export.
#[cfg(target_arch = "wasm32")]
export!(Nfs);

/// The guest. Its exports name what is generated here, and `export!` names it: so it stands on this side.
#[derive(Debug)]
pub struct Nfs;

/// A panic is a trap that says nothing, and there is no standard error: what it says is logged, and the host repeats it
/// in its answer.
#[cfg(target_arch = "wasm32")]
#[used]
// SAFETY: what the linker finds in this section is called once, without arguments, before anything else of the guest.
#[unsafe(link_section = ".init_array")]
static LOG_PANICS: extern "C" fn() = log_panics;

#[cfg(target_arch = "wasm32")]
extern "C" fn log_panics() {
    use drivebay::driver::log::{Level, write};
    std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
}
