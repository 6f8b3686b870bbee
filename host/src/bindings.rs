//! The contract, as Rust. Generated at compile time from `wit/`; nothing here is written by hand.
//!
//! The world is the largest one; guests are bound interface by interface, so a guest may export and
//! import any part of it. What a handle stands for is not known here: resources are empty types.

#![expect(
    clippy::error_impl_error,
    reason = "the contract calls its one error so"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "everything",
    imports: { default: trappable },
    include_component_type: true,
});
