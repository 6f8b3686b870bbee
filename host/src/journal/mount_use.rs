//! What a mount or an attachment is for: a device or a directory, for reading alone or not.
//!
//! The stored form is the first version's, in which what a mount is was one line of text.

use serde::{Deserialize, Serialize};

use crate::volume::{Access, AccessType};

/// As they are stored.
const BLOCK: &str = "block";
const FILESYSTEM: &str = "filesystem ";

/// How a mount is used; asking for another use of the same path is a contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    read_only: bool,
    kind: Kind,
}

/// A device, or a directory with a filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Kind {
    Block,
    Filesystem {
        fs_type: String,
        /// Separated by commas, as mount(8) takes them.
        options: String,
    },
}

impl Use {
    pub(crate) fn of(access: Access, kind: &AccessType) -> Self {
        Self {
            read_only: access == Access::ReadOnly,
            kind: Kind::of(kind),
        }
    }

    /// Whether it is [`Self::of`] these. Each repeated call asks, so that nothing is made for it.
    pub(crate) fn is(&self, access: Access, kind: &AccessType) -> bool {
        self.access() == access && self.kind.is(kind)
    }

    pub(crate) fn access(&self) -> Access {
        match self.read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        }
    }

    pub(crate) fn is_block(&self) -> bool {
        self.kind == Kind::Block
    }

    /// Whether what is mounted so can be shown again with that access: what can be written can also be read.
    pub(crate) fn allows(&self, access: Access) -> bool {
        match access {
            Access::ReadOnly => true,
            Access::ReadWrite => !self.read_only,
        }
    }

    /// Whether the one only reads, the other writes too, and all else is alike.
    pub(crate) fn differs_in_access(&self, other: &Self) -> bool {
        self.kind == other.kind && self.read_only != other.read_only
    }

    /// Whether what is mounted so can be shown again as `wanted`.
    pub(crate) fn serves(&self, wanted: &Self) -> bool {
        self.kind == wanted.kind && self.allows(wanted.access())
    }
}

impl Kind {
    fn of(kind: &AccessType) -> Self {
        match kind {
            AccessType::Block => Self::Block,
            AccessType::Filesystem {
                fs_type,
                mount_options,
            } => Self::filesystem(&format!("{fs_type} {}", mount_options.join(","))),
        }
    }

    /// Whether it is [`Self::of`] that.
    fn is(&self, wanted: &AccessType) -> bool {
        match (self, wanted) {
            (Self::Block, AccessType::Block) => true,
            (
                Self::Filesystem { fs_type, options },
                AccessType::Filesystem {
                    fs_type: wanted,
                    mount_options,
                },
            ) => {
                let stored = fs_type.bytes().chain(*b" ").chain(options.bytes());
                stored.eq(wanted.bytes().chain(*b" ").chain(joined(mount_options)))
            }
            (Self::Block, _) | (_, AccessType::Block) => false,
        }
    }

    /// A type with a space in it, which no kernel has, is taken for what it is read back as.
    fn filesystem(text: &str) -> Self {
        let (fs_type, options) = text.split_once(' ').unwrap_or((text, ""));
        Self::Filesystem {
            fs_type: fs_type.to_owned(),
            options: options.to_owned(),
        }
    }
}

/// Separated by commas.
fn joined(options: &[String]) -> impl Iterator<Item = u8> {
    let parts = options.iter().enumerate();
    parts.flat_map(|(at, option)| {
        let comma = (at > 0).then_some(b',');
        comma.into_iter().chain(option.bytes())
    })
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Block => BLOCK.to_owned(),
            Kind::Filesystem { fs_type, options } => format!("{FILESYSTEM}{fs_type} {options}"),
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix(FILESYSTEM) {
            Some(rest) => Ok(Self::filesystem(rest)),
            None if text == BLOCK => Ok(Self::Block),
            None => Err(format!("{text:?} is neither a device nor a filesystem")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filesystem(fs_type: &str, mount_options: &[&str]) -> AccessType {
        AccessType::Filesystem {
            fs_type: fs_type.to_owned(),
            mount_options: mount_options.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[test]
    fn the_stored_form_is_that_of_the_first_version_and_is_read_back_the_same() {
        for (kind, text) in [
            (AccessType::Block, "block"),
            (
                filesystem("ext4", &["noatime", "discard"]),
                "filesystem ext4 noatime,discard",
            ),
            (filesystem("", &[]), "filesystem  "),
            (filesystem("", &["vers=4.1"]), "filesystem  vers=4.1"),
            (filesystem("a b", &["c"]), "filesystem a b c"),
        ] {
            let made = Use::of(Access::ReadOnly, &kind);
            let stored = serde_json::json!({ "read_only": true, "kind": text });
            assert_eq!(serde_json::to_value(&made).expect("JSON"), stored);
            assert_eq!(serde_json::from_value::<Use>(stored).expect("read"), made);
        }
        let unknown = serde_json::json!({ "read_only": true, "kind": "tape" });
        assert!(serde_json::from_value::<Use>(unknown).is_err());
    }

    #[test]
    fn a_use_is_what_it_was_made_of_and_nothing_else() {
        let kinds = [
            AccessType::Block,
            filesystem("", &[]),
            filesystem("ext4", &[]),
            filesystem("ext4", &[""]),
            filesystem("ext4", &["noatime"]),
            filesystem("ext4", &["noatime", "discard"]),
            filesystem("ext4", &["noatime,discard"]),
            filesystem("ext4 noatime", &[]),
            filesystem("", &["noatime"]),
        ];
        for access in [Access::ReadOnly, Access::ReadWrite] {
            for (made, asked) in kinds
                .iter()
                .flat_map(|made| kinds.iter().map(move |it| (made, it)))
            {
                let (use_as, same) = (
                    Use::of(access, made),
                    Use::of(access, made) == Use::of(access, asked),
                );
                assert_eq!(use_as.is(access, asked), same, "{made:?} {asked:?}");
            }
        }
        let read_only = Use::of(Access::ReadOnly, &AccessType::Block);
        assert!(!read_only.is(Access::ReadWrite, &AccessType::Block));
    }

    #[test]
    fn what_can_be_written_can_be_shown_read_only_and_not_the_other_way() {
        let of = |access| Use::of(access, &AccessType::Block);
        assert!(of(Access::ReadWrite).serves(&of(Access::ReadOnly)));
        assert!(of(Access::ReadOnly).serves(&of(Access::ReadOnly)));
        assert!(!of(Access::ReadOnly).serves(&of(Access::ReadWrite)));
        let directory = filesystem("", &[]);
        assert!(!of(Access::ReadWrite).serves(&Use::of(Access::ReadWrite, &directory)));
    }
}
