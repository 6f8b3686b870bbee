//! What a guest answers, checked where it comes in, before anybody believes, keeps or passes on any of it.
//!
//! Answers go into API objects, the journal, other calls and other programs, and come back for years. So each field has
//! a bound and no control character, and what a question named, its answer has to be about. What is wrong is not
//! mended: a shortened id would be another volume's.
//!
//! Errors are another matter: their text is for people, and `failed_with` cleans it.

use std::collections::BTreeSet;
use std::fmt;

use super::Guest;
use crate::error::{DriverError, is_harmful};
use crate::store::{CallEnd, Description, Manifest, Need, Scope, Trial, host_word, is_qualified};
use crate::volume::{CapacityRange, NodeId, PageToken, Parameters, Topology};

/// CSI's bound on the keys and values of one map together, in bytes.
const MAX_MAP: usize = 4096;

/// Of a page's token. CSI's 128 bytes are less than clouds' own tokens have, which it is made of.
const MAX_TOKEN: usize = 1024;

/// Of places from where a volume can be reached, and of nodes that have it: more than clouds have zones, or let share
/// a disk.
const MAX_PLACES: usize = 128;
const MAX_NODES: usize = 1024;

/// As Kubernetes' labels, which topologies become: name and value, and the domain before the name.
const MAX_SEGMENT: usize = 63;
const MAX_DOMAIN: usize = 253;

/// The last second that a protobuf timestamp can tell: the end of the year 9999.
const MAX_SECONDS: u64 = 253_402_300_799;

/// CSI counts in signed numbers.
const MAX_BYTES: u64 = i64::MAX as u64;

/// Keys of publish contexts that the host writes itself, between its controller and its node.
const HOSTS_DOMAIN: &str = "drivebay.dev/";

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Volume,
    Snapshot,
    GroupSnapshot,
    Node,
    /// A volume, a snapshot or a group that was there before: other drivers made some whose ids are longer, and Kubernetes
    /// takes them.
    Known,
}

impl Named {
    /// In bytes: CSI's bound on strings, its exception for nodes, and what no driver is known to exceed.
    fn longest(self) -> usize {
        match self {
            Self::Volume | Self::Snapshot | Self::GroupSnapshot => 128,
            Self::Node => 192,
            Self::Known => 1024,
        }
    }
}

/// Whose answer it is, and to what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    manifest: &'a Manifest,
    export: &'static str,
    /// Who counts it; nobody where no driver is served.
    trial: Option<&'a Trial>,
}

impl Guest {
    /// For checking what that export answers; the name is written as `interface.function`.
    pub(super) fn answered(&self, export: &'static str) -> Answered<'_> {
        Answered {
            manifest: &self.manifest,
            export,
            trial: self.trial.as_ref(),
        }
    }
}

impl<'a> Answered<'a> {
    #[cfg(test)]
    pub(super) fn by(manifest: &'a Manifest, export: &'static str) -> Self {
        Self {
            manifest,
            export,
            trial: None,
        }
    }

    /// What it said of itself before.
    pub(super) fn description(self) -> &'a Description {
        &self.manifest.description
    }

    /// The condition of an answer that cannot be used, and the end of its call.
    pub(super) fn wrong(self, field: &str, reason: impl fmt::Display) -> DriverError {
        if let Some(trial) = self.trial {
            trial.count(CallEnd::WrongAnswer);
        }
        let said = self.description();
        let who = match said.name.as_str() {
            // It is being asked.
            "" => "the component".to_owned(),
            name => format!("guest {name} {}", said.version),
        };
        DriverError::internal(format!(
            "{who} answered {} with a wrong {field}: {reason}; nothing of the answer is used or kept, and what was asked for can be asked for again once a version of the component is installed that answers otherwise",
            self.export
        ))
        .from_guest()
    }

    /// An id comes back to us, and to the guest, for as long as the volume lives.
    pub(super) fn id(self, field: &str, said: String, of: Named) -> Result<String, DriverError> {
        let longest = of.longest();
        if !(1..=longest).contains(&said.len()) {
            return Err(self.wrong(
                field,
                format!("it has {} bytes, not 1 to {longest}", said.len()),
            ));
        }
        self.plain(field, &said)?;
        Ok(said)
    }

    /// One that the question named.
    pub(super) fn same_id(
        self,
        field: &str,
        said: String,
        asked: &str,
    ) -> Result<String, DriverError> {
        match said == asked {
            true => Ok(said),
            false => Err(self.wrong(
                field,
                format!("it is {}, and {asked:?} was asked for", Shown(&said)),
            )),
        }
    }

    pub(super) fn node(self, field: &str, said: String) -> Result<NodeId, DriverError> {
        self.id(field, said, Named::Node).map(NodeId)
    }

    pub(super) fn nodes(self, field: &str, said: Vec<String>) -> Result<Vec<NodeId>, DriverError> {
        self.count(field, said.len(), MAX_NODES)?;
        said.into_iter()
            .map(|node| self.node(field, node))
            .collect()
    }

    /// A name that people write.
    pub(super) fn word(self, field: &str, said: String) -> Result<String, DriverError> {
        if said.is_empty() {
            return Err(self.wrong(field, "it is empty"));
        }
        self.plain(field, &said)?;
        Ok(said)
    }

    fn plain(self, field: &str, text: &str) -> Result<(), DriverError> {
        match text.chars().find(|c| is_harmful(*c)) {
            None => Ok(()),
            Some(c) => Err(self.wrong(
                field,
                format!("{} holds the character U+{:04X}", Shown(text), c as u32),
            )),
        }
    }

    pub(super) fn count(self, field: &str, has: usize, may: usize) -> Result<(), DriverError> {
        match has <= may {
            true => Ok(()),
            false => Err(self.wrong(field, format!("there are {has}, and {may} may be"))),
        }
    }

    /// String pairs, of which each key is there once.
    fn pairs(self, field: &str, said: &[(String, String)]) -> Result<(), DriverError> {
        let bytes: usize = said
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if bytes > MAX_MAP {
            return Err(self.wrong(field, format!("it has {bytes} bytes, more than {MAX_MAP}")));
        }
        let mut seen = BTreeSet::new();
        for (key, value) in said {
            if key.is_empty() {
                return Err(self.wrong(field, "it has an empty key"));
            }
            self.plain(field, key)?;
            self.plain(field, value)?;
            if !seen.insert(key) {
                return Err(self.wrong(field, format!("it has the key {} twice", Shown(key))));
            }
        }
        Ok(())
    }

    /// A context, which its callers keep.
    pub(super) fn context(
        self,
        field: &str,
        said: Vec<(String, String)>,
    ) -> Result<Parameters, DriverError> {
        self.pairs(field, &said)?;
        Ok(Parameters::new(said))
    }

    /// The context of a volume just made. What would be refused when the volume is mounted is refused here, because a
    /// PersistentVolume that has it cannot be mended: all but what its description knows, and words of the host's and
    /// of others.
    pub(super) fn new_context(
        self,
        field: &str,
        said: Vec<(String, String)>,
    ) -> Result<Parameters, DriverError> {
        let context = self.context(field, said)?;
        let mut seen = BTreeSet::new();
        for (key, _) in context.pairs() {
            let known = self.description().spelling(Scope::Volume, key);
            let Some(name) = known.or_else(|| others_word(key)) else {
                return Err(self.wrong(field, format!("it has the key {}, which identity.describe does not know as a parameter of volumes", Shown(key))));
            };
            if !seen.insert(name) {
                return Err(self.wrong(
                    field,
                    format!("it has the key {} twice, in different cases", Shown(key)),
                ));
            }
        }
        let mut described = self.description().of_scope(Scope::Volume);
        match described
            .find(|known| known.need == Need::Required && context.get(&known.name).is_none())
        {
            None => Ok(context),
            Some(missing) => Err(self.wrong(
                field,
                format!(
                    "it lacks {:?}, which identity.describe requires of each volume",
                    missing.name
                ),
            )),
        }
    }

    /// What attaching says to the node.
    pub(super) fn publish_context(
        self,
        said: Vec<(String, String)>,
    ) -> Result<Parameters, DriverError> {
        let field = "publish context";
        let is_hosts = |(key, _): &&(String, String)| key.starts_with(HOSTS_DOMAIN);
        match said.iter().find(is_hosts) {
            None => self.context(field, said),
            Some((key, _)) => {
                Err(self.wrong(field, format!("the key {} is the host's own", Shown(key))))
            }
        }
    }

    pub(super) fn topology(
        self,
        field: &str,
        said: Vec<(String, String)>,
    ) -> Result<Topology, DriverError> {
        self.pairs(field, &said)?;
        let mut seen = BTreeSet::new();
        for (key, value) in &said {
            if !is_topology_key(key) {
                return Err(self.wrong(field, format!("{} is no key of a topology, which is NAME or DOMAIN/NAME as Kubernetes' labels are", Shown(key))));
            }
            if !is_segment(value) {
                return Err(self.wrong(field, format!("{} of {key} is no value of a topology, which is as Kubernetes' labels have it", Shown(value))));
            }
            if !seen.insert(key.to_ascii_lowercase()) {
                return Err(self.wrong(
                    field,
                    format!("it has the key {key} twice, in different cases"),
                ));
            }
        }
        Ok(Topology(said))
    }

    pub(super) fn places(
        self,
        field: &str,
        said: Vec<Vec<(String, String)>>,
    ) -> Result<Vec<Topology>, DriverError> {
        self.count(field, said.len(), MAX_PLACES)?;
        said.into_iter()
            .map(|place| self.topology(field, place))
            .collect()
    }

    /// A number of bytes, of a thing that is there.
    pub(super) fn bytes(self, field: &str, said: u64) -> Result<u64, DriverError> {
        match said {
            0..=MAX_BYTES => Ok(said),
            _ => Err(self.wrong(field, format!("{said} bytes are more than {MAX_BYTES}"))),
        }
    }

    /// The size of something that was to have one in a range.
    pub(super) fn size(
        self,
        field: &str,
        said: u64,
        asked: CapacityRange,
    ) -> Result<u64, DriverError> {
        if let Some(required) = asked.required_bytes.filter(|required| said < *required) {
            return Err(self.wrong(
                field,
                format!("{said} bytes are less than the {required} that were required"),
            ));
        }
        if let Some(limit) = asked.limit_bytes.filter(|limit| said > *limit) {
            return Err(self.wrong(
                field,
                format!("{said} bytes are more than the {limit} that were allowed"),
            ));
        }
        self.bytes(field, said)
    }

    pub(super) fn seconds(self, field: &str, said: u64) -> Result<u64, DriverError> {
        match said {
            0..=MAX_SECONDS => Ok(said),
            _ => Err(self.wrong(
                field,
                format!("{said} seconds since 1970 are after the year 9999"),
            )),
        }
    }

    /// A token is handed back as it is: it is the guest's own word, and no caller reads it. One that begins where the
    /// page began would be followed for ever.
    pub(super) fn token(
        self,
        said: Option<String>,
        asked: Option<&PageToken>,
    ) -> Result<Option<PageToken>, DriverError> {
        let field = "next-token";
        let Some(token) = said.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        self.count(&format!("{field}, in bytes"), token.len(), MAX_TOKEN)?;
        self.plain(field, &token)?;
        match asked {
            Some(asked) if asked.0 == token => {
                Err(self.wrong(field, "it is the token that was asked with"))
            }
            Some(_) | None => Ok(Some(PageToken(token))),
        }
    }

    /// No more than were asked for, where a number was.
    pub(super) fn page(self, field: &str, has: usize, asked: u32) -> Result<(), DriverError> {
        match usize::try_from(asked) {
            Ok(may) if may > 0 => self.count(field, has, may),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// The name of what the guest need not know itself for a volume to be mounted.
fn others_word(key: &str) -> Option<String> {
    let qualified = || is_qualified(key).then(|| key.to_owned());
    host_word(key).map(str::to_owned).or_else(qualified)
}

fn is_topology_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').unwrap_or(("", key));
    is_segment(name) && (!key.contains('/') || is_domain(domain))
}

fn is_segment(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let at_ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= MAX_SEGMENT
        && text.bytes().all(inside)
        && at_ends(bytes.first())
        && at_ends(bytes.last())
}

fn is_domain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(plain)
    };
    text.len() <= MAX_DOMAIN && text.split('.').all(is_label)
}

/// A stranger's text in a message: quoted, escaped, and no longer than helps.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0[..self.0.floor_char_boundary(64)];
        let rest = if text.len() < self.0.len() { "…" } else { "" };
        write!(f, "\"{}{rest}\"", text.escape_debug())
    }
}

#[cfg(test)]
mod tests;
