//! The names of what lies in a source of components.

use std::ffi::OsStr;

use super::decompress::Compression;
use crate::config::is_plain_name;

/// What an entry is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryName<'a> {
    /// `NAME.wasm`, `NAME.wasm.zst`, `NAME.wasm.gz`
    Component {
        name: &'a str,
        compression: Compression,
    },
    /// `NAME.wasm.sig`
    Signature { name: &'a str },
    /// It ends as a component does, and no driver's file can name it.
    Unusable,
    /// Whatever else lies there, hidden names among it: the links of a ConfigMap are no entries of ours.
    Other,
}

const ENDINGS: [(&str, Compression); 3] = [
    (".wasm", Compression::None),
    (".wasm.zst", Compression::Zstd),
    (".wasm.gz", Compression::Gzip),
];

impl<'a> EntryName<'a> {
    pub(super) fn of(entry: &'a OsStr) -> Self {
        let bytes = entry.as_encoded_bytes();
        if bytes.starts_with(b".") {
            return Self::Other;
        }
        let Some(text) = entry.to_str() else {
            let is_component = ENDINGS
                .iter()
                .any(|(end, _)| bytes.ends_with(end.as_bytes()));
            return if is_component {
                Self::Unusable
            } else {
                Self::Other
            };
        };
        if let Some(name) = text.strip_suffix(".wasm.sig") {
            return Self::Signature { name };
        }
        let found = ENDINGS
            .iter()
            .find_map(|(end, compression)| Some((text.strip_suffix(end)?, *compression)));
        match found {
            Some((name, compression)) if is_plain_name(name) => {
                Self::Component { name, compression }
            }
            Some(_) => Self::Unusable,
            None => Self::Other,
        }
    }
}

/// What the signature of a component is called.
pub(super) fn signature_of(name: &str) -> String {
    format!("{name}.wasm.sig")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_say_what_is_a_component_and_how_it_is_compressed() {
        let component = |name, compression| EntryName::Component { name, compression };
        for (entry, is) in [
            ("nfs.wasm", component("nfs", Compression::None)),
            (
                "alicloud-disk.wasm.zst",
                component("alicloud-disk", Compression::Zstd),
            ),
            ("x.y_1.wasm.gz", component("x.y_1", Compression::Gzip)),
            ("a.wasm.wasm", component("a.wasm", Compression::None)),
            ("nfs.wasm.sig", EntryName::Signature { name: "nfs" }),
        ] {
            assert_eq!(EntryName::of(OsStr::new(entry)), is, "{entry}");
        }
    }

    #[test]
    fn whatever_else_lies_there_is_left_alone_unless_it_ends_as_a_component_does() {
        for entry in [
            "README.md",
            "..data",
            "..2026_11_29",
            ".nfs.wasm",
            ".wasm",
            "nfs.wasm.tmp",
            "nfs.wasm.zst.sig",
            "nfs.wat",
            "nfs.WASM",
            "wasm",
        ] {
            assert_eq!(
                EntryName::of(OsStr::new(entry)),
                EntryName::Other,
                "{entry}"
            );
        }
        for entry in [&b"two words.wasm"[..], b"\xff.wasm.gz", b"a\nb.wasm"] {
            let entry = OsStr::from_bytes(entry);
            assert_eq!(EntryName::of(entry), EntryName::Unusable, "{entry:?}");
        }
    }
}
