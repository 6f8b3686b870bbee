//! CSI's messages and services, and those of kubelet's plugin registration, generated from `proto/`.

#![expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::enum_variant_names,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");
include!(concat!(env!("OUT_DIR"), "/secretive.rs"));

/// Of kubelet's plugin registration.
pub(super) mod registration {
    tonic::include_proto!("pluginregistration");
}
