//! Disks of a cloud, on real block devices of this machine.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod access_key;
mod dead_mounts;
mod existing_filesystems;
mod faults;
mod lifecycle;
mod mount_options;
mod read_only_first;
mod repeated_publish;
