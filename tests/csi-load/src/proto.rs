//! CSI's messages and clients.

#![expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::enum_variant_names,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");
