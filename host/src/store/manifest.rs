//! What is known of a component once it was compiled, kept beside its code.
//!
//! It spares every later call the component itself: `init` answers from it without any WebAssembly.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::interface::{Export, Import};
use crate::error::GuestText;

/// Words that the host acts on by itself, in the volumes of every driver. A guest may know them too; it
/// need not.
const HOST_WORDS: [&str; 1] = ["readOnly"];

/// What a component asks for and offers, told without running it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// Everything it imports, as it is written in it.
    pub imports: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
}

/// Written by the compiler, read by everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// SHA-256 of the component, hex.
    pub component_sha256: String,
    /// SHA-256 of the compiled code, hex.
    pub code_sha256: String,
    /// Everything the component imports, as it is written in it.
    pub imports: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
    /// Its own words about itself.
    pub description: Description,
}

impl Manifest {
    /// Those interfaces of ours that the component exports.
    pub fn exported(&self) -> impl Iterator<Item = Export> {
        self.exports.iter().filter_map(|name| Export::parse(name))
    }

    /// Whether the component exports that interface.
    pub fn exports(&self, export: Export) -> bool {
        self.exported().any(|exported| exported == export)
    }

    /// Those interfaces of ours that the component asks for.
    pub fn imported(&self) -> impl Iterator<Item = Import> {
        self.imports.iter().filter_map(|name| Import::parse(name))
    }

    /// Whether the component asks for that interface.
    pub fn imports(&self, import: Import) -> bool {
        self.imported().any(|imported| imported == import)
    }
}

/// `identity.describe`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The driver's name.
    pub name: GuestText,
    /// The guest's version.
    pub version: GuestText,
    /// One sentence.
    pub summary: GuestText,
    /// The words it understands.
    pub parameters: Vec<Parameter>,
}

impl Description {
    /// The parameters of a scope.
    pub fn of_scope(&self, scope: Scope) -> impl Iterator<Item = &Parameter> {
        let parameters = self.parameters.iter();
        parameters.filter(move |parameter| parameter.scope == scope)
    }

    /// A key as the guest spells it, where it knows it.
    pub fn spelling(&self, scope: Scope, key: &str) -> Option<String> {
        self.of_scope(scope)
            .find_map(|parameter| spelling(&parameter.name, key))
    }
}

/// A key as the guest spells it, if it is the parameter of that name. One that is described as `tags/*` stands
/// for `tags/` with anything behind it, whose spelling is the user's.
fn spelling(name: &str, key: &str) -> Option<String> {
    let Some(prefix) = name.strip_suffix('*').filter(|name| name.ends_with('/')) else {
        return name.eq_ignore_ascii_case(key).then(|| name.to_owned());
    };
    let (head, rest) = key.split_at_checked(prefix.len())?;
    (head.eq_ignore_ascii_case(prefix) && !rest.is_empty()).then(|| format!("{prefix}{rest}"))
}

/// The word of the host's own that a key of a volume is, in its spelling.
pub(crate) fn host_word(key: &str) -> Option<&'static str> {
    let mut words = HOST_WORDS.into_iter();
    words.find(|word| word.eq_ignore_ascii_case(key))
}

/// Whether a key says by a domain whose word it is, as Kubernetes' labels and annotations do.
pub(crate) fn is_qualified(key: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    key.split_once('/')
        .is_some_and(|(domain, _)| domain.contains('.') && domain.bytes().all(is_plain))
}

/// One word a guest understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// As the guest spells it.
    pub name: GuestText,
    /// The maps that it may stand in.
    pub scope: Scope,
    /// Whether it must.
    pub need: Need,
    /// Used when absent.
    pub default: Option<GuestText>,
    /// One sentence.
    pub meaning: GuestText,
}

/// Where a parameter may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// FlexVolume options, CSI volume context.
    Volume,
    /// StorageClass.
    Creation,
    /// VolumeSnapshotClass.
    Snapshot,
    /// VolumeGroupSnapshotClass.
    GroupSnapshot,
    /// VolumeAttributesClass.
    Modification,
}

impl Scope {
    /// The kind of object in which an operator writes such a parameter.
    pub fn object(self) -> &'static str {
        match self {
            Self::Volume => "PersistentVolume",
            Self::Creation => "StorageClass",
            Self::Snapshot => "VolumeSnapshotClass",
            Self::GroupSnapshot => "VolumeGroupSnapshotClass",
            Self::Modification => "VolumeAttributesClass",
        }
    }
}

/// Whether a parameter must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// A plain string in the file.
impl Serialize for GuestText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// Earlier hosts let more through than this one.
impl<'de> Deserialize<'de> for GuestText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::sentence(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_described_with_a_star_takes_any_ending_in_the_users_spelling() {
        assert_eq!(
            spelling("diskTags/*", "disktags/Team"),
            Some("diskTags/Team".into())
        );
        assert_eq!(spelling("diskTags/*", "diskTags/"), None);
        assert_eq!(spelling("diskTags/*", "diskTags"), None);
        assert_eq!(spelling("type", "TYPE"), Some("type".into()));
    }
}
