//! What several operations take, and how it is written.

use clap::{Args, ValueEnum};
use drivebay::driver::VolumeReference;
use drivebay::error::DriverError;
use drivebay::volume::{
    Access, AccessMode, AccessType, Parameters, Topology, VolumeCapability, VolumeId, VolumeKey,
};

/// An existing volume.
#[derive(Debug, Args)]
pub(super) struct Volume {
    /// The volume's id
    id: String,
    /// A parameter of the volume (CSI: volume context)
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
}

impl Volume {
    pub(super) fn reference(self) -> Result<VolumeReference, DriverError> {
        Ok(VolumeReference {
            key: VolumeKey(self.id.clone()),
            id: VolumeId(self.id),
            context: parameters(self.parameters)?,
        })
    }
}

/// Whether pods may write.
#[derive(Debug, Args)]
pub(super) struct ReadOnlyFlag {
    /// Refuse writes
    #[arg(long)]
    read_only: bool,
}

impl ReadOnlyFlag {
    pub(super) fn access(&self) -> Access {
        match self.read_only {
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
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
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

/// Without duplicates, in any case.
pub(super) fn parameters(pairs: Vec<(String, String)>) -> Result<Parameters, DriverError> {
    for (index, (key, _)) in pairs.iter().enumerate() {
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
    Ok(Parameters::new(pairs))
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
        assert!(parameters(pairs(["a", "b"])).is_ok());
        assert!(parameters(pairs(["a", "A"])).is_err());
    }
}
