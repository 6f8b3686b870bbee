//! What a guest may ask of the host, and the words of the contract; generated from `wit/` when this crate is compiled.
#![expect(clippy::error_impl_error, reason = "`error` is the contract's word")]
#![expect(
    missing_docs,
    reason = "the contract documents what its name does not say"
)]

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "drivebay:guest/imports",
    generate_all,
    additional_derives: [PartialEq],
    // They hold handles, of which no two are the same.
    additional_derives_ignore: ["secret-header", "user", "basic-authentication"],
});

pub use drivebay::driver::{
    block_devices, files, https, log, mounts, secret_keys, secret_mounts, secret_requests, secrets,
    signing, types,
};
