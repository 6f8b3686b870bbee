//! CSI's messages and clients.

#![expect(missing_docs, reason = "generated; the specification documents it")]

tonic::include_proto!("csi.v1");
