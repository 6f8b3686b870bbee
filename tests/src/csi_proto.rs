//! CSI's messages and clients.

#![expect(
    missing_docs,
    clippy::allow_attributes_without_reason,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");
