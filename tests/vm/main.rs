//! Promises that take a machine of their own: NFS against the kernel's own server and client, SMB against Samba, and disks that are
//! plugged into the machine while it runs. The shipped shim is called as kubelet calls it.
//!
//! Runs in the VM (`cargo xtask test --only vm`), where root may change addresses, name resolution and the
//! server itself. One server and one node serve all tests, which run one after the other.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod access;
mod claims;
mod copies;
mod csi;
mod directories;
mod disks;
mod failures;
mod grants;
mod health;
mod image;
mod kubelet;
mod lab;
mod labels;
mod options;
mod outages;
mod pod;
mod provisioner;
mod repeats;
mod shares;
mod smb;
mod sources;
mod squashed;
mod versions;
mod volumes;
