//! What several operations take, and how it is written.

use clap::{Args, ValueEnum};
use drivebay::driver::{Scope, Session, VolumeReference};
use drivebay::error::DriverError;
use drivebay::volume::{
    Access, AccessMode, AccessType, Parameters, Topology, VolumeCapability, VolumeId, VolumeKey,
};

/// An existing volume.
#[derive(Debug, Args)]
pub(super) struct Volume {
    /// The volume's id
    id: String,
    /// A parameter of the volume (CSI: volume context); kubernetes.io/fsType and kubernetes.io/readwrite count as kubelet
    /// means them
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
}

impl Volume {
    pub(super) fn reference(self, session: &Session) -> Result<VolumeReference, DriverError> {
        Ok(VolumeReference {
            key: VolumeKey(self.id.clone()),
            id: VolumeId(self.id),
            context: parameters(session, Scope::Volume, self.parameters)?,
        })
    }

    /// What kubelet's own word says, `fsType`, where it is there.
    fn kubelets(&self, word: &str) -> Option<&str> {
        let mut own = self.parameters.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(KUBELET)?;
            name.eq_ignore_ascii_case(word).then_some(value.as_str())
        });
        own.next()
    }
}

/// What kubelet adds to FlexVolume's options, beside the user's.
const KUBELET: &str = "kubernetes.io/";

/// Secrets among them.
const SECRET: &str = "kubernetes.io/secret/";

/// Whether pods may write.
#[derive(Debug, Args)]
pub(super) struct ReadOnlyFlag {
    /// Refuse writes
    #[arg(long)]
    read_only: bool,
}

impl ReadOnlyFlag {
    /// By the flag, or by kubelet's word.
    pub(super) fn access_to(&self, volume: &Volume) -> Access {
        let is_kubelets = volume.kubelets("readwrite") == Some("ro");
        match self.read_only || is_kubelets {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        }
    }
}

/// Device or directory.
#[derive(Debug, Args)]
pub(super) struct Kind {
    /// The filesystem; the driver chooses otherwise
    #[arg(long, value_name = "TYPE", conflicts_with = "block")]
    fs_type: Option<String>,
    /// A mount option
    #[arg(long = "option", value_name = "OPTION", conflicts_with = "block")]
    options: Vec<String>,
    /// A raw block device
    #[arg(long)]
    block: bool,
}

impl Kind {
    pub(super) fn access_type(self) -> AccessType {
        if self.block {
            return AccessType::Block;
        }
        AccessType::Filesystem {
            fs_type: self.fs_type.unwrap_or_default(),
            mount_options: self.options,
        }
    }

    /// The same; where nothing else is said, kubelet's word counts.
    pub(super) fn access_type_of(mut self, volume: &Volume) -> AccessType {
        let kubelets = || volume.kubelets("fsType").map(str::to_owned);
        self.fs_type = self.fs_type.or_else(kubelets);
        self.access_type()
    }
}

/// How a volume is going to be used.
#[derive(Debug, Args)]
pub(super) struct Capability {
    /// Who may use it at once
    #[arg(long, value_enum, default_value_t = Mode::SingleNodeWriter)]
    mode: Mode,
    #[command(flatten)]
    kind: Kind,
}

impl Capability {
    pub(super) fn capability(self) -> VolumeCapability {
        VolumeCapability {
            mode: self.mode.into(),
            kind: self.kind.access_type(),
        }
    }
}

/// CSI's access modes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    SingleNodeWriter,
    SingleNodeReaderOnly,
    MultiNodeReaderOnly,
    MultiNodeSingleWriter,
    MultiNodeMultiWriter,
    SingleNodeSingleWriter,
    SingleNodeMultiWriter,
}

impl From<Mode> for AccessMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::SingleNodeWriter => Self::SingleNodeWriter,
            Mode::SingleNodeReaderOnly => Self::SingleNodeReaderOnly,
            Mode::MultiNodeReaderOnly => Self::MultiNodeReaderOnly,
            Mode::MultiNodeSingleWriter => Self::MultiNodeSingleWriter,
            Mode::MultiNodeMultiWriter => Self::MultiNodeMultiWriter,
            Mode::SingleNodeSingleWriter => Self::SingleNodeSingleWriter,
            Mode::SingleNodeMultiWriter => Self::SingleNodeMultiWriter,
        }
    }
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(super) struct Page {
    /// At most so many; as many as the backend gives at once otherwise
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) max: u32,
    /// Where the page before ended: its next-token
    #[arg(long)]
    pub(super) token: Option<String>,
}

/// `KEY=VALUE`; the value may be empty and may hold `=`.
pub(in crate::commands) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not of the form KEY=VALUE")),
    }
}

/// `KEY=VALUE,KEY=VALUE`
pub(super) fn place(text: &str) -> Result<Topology, String> {
    text.split(',')
        .map(pair)
        .collect::<Result<_, _>>()
        .map(Topology)
}

/// As a caller of Kubernetes' hands them on: what it put in for itself goes, unless the backend describes it.
pub(super) fn parameters(
    session: &Session,
    scope: Scope,
    pairs: Vec<(String, String)>,
) -> Result<Parameters, DriverError> {
    let mut pairs = session.without_kubernetes_words(scope, distinct(pairs)?)?;
    if scope == Scope::Volume {
        pairs.retain(|(key, _)| !key.starts_with(KUBELET));
    }
    Ok(Parameters::new(pairs))
}

/// Without duplicates, in any case.
pub(super) fn distinct(pairs: Vec<(String, String)>) -> Result<Vec<(String, String)>, DriverError> {
    for (index, (key, _)) in pairs.iter().enumerate() {
        if let Some(name) = key.strip_prefix(SECRET) {
            return Err(DriverError::invalid_argument(format!(
                "secret {name:?} is not taken from the command line, which is everybody's to read: write --secret {name}=FILE"
            )));
        }
        let before = &pairs[..index];
        if before
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(key))
        {
            return Err(DriverError::invalid_argument(format!(
                "parameter {key:?} is given twice (case does not matter)"
            )));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_a_key_and_the_rest_is_its_value() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err() && pair("").is_err());
    }

    #[test]
    fn a_place_is_pairs() {
        let parts = |place: Topology| place.0.len();
        assert_eq!(place("zone=a,rack=7").map(parts), Ok(2));
        assert!(place("zone=a,").is_err());
    }

    #[test]
    fn a_parameter_cannot_be_given_twice() {
        let pairs = |keys: [&str; 2]| keys.map(|key| (key.to_owned(), String::new())).to_vec();
        assert!(distinct(pairs(["a", "b"])).is_ok());
        assert!(distinct(pairs(["a", "A"])).is_err());
    }

    #[test]
    fn kubelets_words_count_where_nothing_else_is_said() {
        let volume = |key: &str, value: &str| Volume {
            id: "v".to_owned(),
            parameters: vec![(key.to_owned(), value.to_owned())],
        };
        let kind = |fs_type: Option<&str>| Kind {
            fs_type: fs_type.map(str::to_owned),
            options: Vec::new(),
            block: false,
        };
        let told = |given: Option<&str>| {
            let volume = volume("kubernetes.io/fsType", "xfs");
            let AccessType::Filesystem { fs_type, .. } = kind(given).access_type_of(&volume) else {
                panic!("no filesystem");
            };
            fs_type
        };
        assert_eq!(
            (told(None), told(Some("ext4"))),
            ("xfs".into(), "ext4".into())
        );
        let access = |value: &str| {
            let flag = ReadOnlyFlag { read_only: false };
            flag.access_to(&volume("kubernetes.io/readwrite", value))
        };
        assert_eq!(
            (access("ro"), access("rw")),
            (Access::ReadOnly, Access::ReadWrite)
        );
    }

    #[test]
    fn a_secret_is_not_taken_from_the_command_line() {
        let pair = (
            "kubernetes.io/secret/key".to_owned(),
            "aHVudGVyMg==".to_owned(),
        );
        let said = distinct(vec![pair]).expect_err("refused").to_string();
        assert!(
            said.contains("--secret key=FILE") && !said.contains("aHV"),
            "{said}"
        );
    }
}
