//! The volumes of an appliance that keeps what it is told.

use std::collections::{BTreeMap, BTreeSet};

/// What has been made and is there still, by its id.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    made: u32,
    kept: BTreeMap<String, Volume>,
}

#[derive(Debug)]
struct Volume {
    name: String,
    bytes: u64,
    nodes: BTreeSet<String>,
}

/// What is answered: a status and a text.
type Said = (u16, String);

/// Larger ones there are not.
const LARGEST: u64 = 1 << 50;

/// A directory of the pool, which all volumes have in common.
const EXPORTED: &str = "exported";

impl Volumes {
    /// Their names, as they were asked for.
    pub(super) fn names(&self) -> Vec<String> {
        self.kept.values().map(|it| it.name.clone()).collect()
    }

    /// To a request with that method and target; whoever asks may.
    pub(super) fn answer(&mut self, method: &str, target: &str) -> Said {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let word = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let Some(rest) = path.strip_prefix("/volumes/") else {
            return self.make(&word("name"), &word("bytes"));
        };
        let (id, part) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(volume) = self.kept.get_mut(id) else {
            return (404, format!("no volume {id}"));
        };
        match (method, part) {
            ("DELETE", "") => {
                self.kept.remove(id);
                (200, String::new())
            }
            ("PUT", "") => {
                let wanted = word("bytes").parse().unwrap_or_default();
                volume.bytes = volume.bytes.max(wanted);
                volume.said(id)
            }
            ("GET", "export") => (200, EXPORTED.to_owned()),
            (_, "attachment") => volume.attachment(method, word("node")),
            _ => volume.said(id),
        }
    }

    fn make(&mut self, name: &str, bytes: &str) -> Said {
        let bytes: u64 = bytes.parse().unwrap_or(u64::MAX);
        if bytes > LARGEST {
            return (400, format!("no volume has {bytes} bytes"));
        }
        if let Some((id, there)) = self.kept.iter().find(|(_, it)| it.name == name) {
            return match there.bytes == bytes {
                true => there.said(id),
                false => (409, format!("it is there with {} bytes", there.bytes)),
            };
        }
        self.made += 1;
        let volume = Volume {
            name: name.to_owned(),
            bytes,
            nodes: BTreeSet::new(),
        };
        let id = format!("v{}", self.made);
        let said = volume.said(&id);
        self.kept.insert(id, volume);
        said
    }
}

impl Volume {
    fn said(&self, id: &str) -> Said {
        (200, format!("{id} acc-1 {}", self.bytes))
    }

    /// Without a node, that of all.
    fn attachment(&mut self, method: &str, node: String) -> Said {
        match method {
            "PUT" => {
                self.nodes.insert(node);
            }
            "DELETE" => self.nodes.retain(|it| !node.is_empty() && *it != node),
            _ if !self.nodes.contains(&node) => return (404, format!("not attached to {node}")),
            _ => {}
        }
        (200, "attached".to_owned())
    }
}
