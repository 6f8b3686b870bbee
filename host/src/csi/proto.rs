//! CSI's messages and services, generated from `proto/csi.proto`.

#![expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");
include!(concat!(env!("OUT_DIR"), "/secretive.rs"));
