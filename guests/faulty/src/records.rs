//! What is written down.

use drivebay_guest::prelude::*;

drivebay_guest::record! {
    /// What a volume was made as.
    pub(crate) struct Made in "made" {
        pub(crate) name: String = "name",
        pub(crate) size_bytes: u64 = "size-bytes",
        pub(crate) source: Option<VolumeSource> = "source",
    }
}

drivebay_guest::record! {
    /// A snapshot.
    pub(crate) struct Cut in "cut" {
        pub(crate) name: String = "name",
        pub(crate) source: String = "source",
        pub(crate) at_seconds: u64 = "at-seconds",
        pub(crate) group: Option<String> = "group",
    }
}

drivebay_guest::record! {
    /// A group of snapshots.
    pub(crate) struct CutTogether in "cut-together" {
        pub(crate) name: String = "name",
        /// A line of ids.
        pub(crate) sources: String = "sources",
        pub(crate) at_seconds: u64 = "at-seconds",
    }
}

drivebay_guest::record! {
    /// That a volume was mounted once.
    pub(crate) struct Mounted in "mounted" {
        pub(crate) id: String = "id",
    }
}
