//! CSI's messages and services, generated from `proto/csi.proto`.

#![expect(
    unreachable_pub,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");
include!(concat!(env!("OUT_DIR"), "/secretive.rs"));
