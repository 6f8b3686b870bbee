//! CSI's messages and clients, and those of kubelet's plugin registration.

#![expect(
    missing_docs,
    clippy::allow_attributes_without_reason,
    reason = "generated; the specification documents it"
)]

tonic::include_proto!("csi.v1");

/// Of kubelet's plugin registration.
pub mod registration {
    tonic::include_proto!("pluginregistration");
}
