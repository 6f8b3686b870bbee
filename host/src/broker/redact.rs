//! What a guest is told of an error: everything but where things are on this node.
//!
//! A guest names nothing of a node, and is told no names either: where a pod's volume is mounted, which directory was
//! granted, which node a disk has in /dev. Errors of workers, of the kernel and of filesystems' programs name them,
//! because an operator has to look there. So every error on its way to a guest passes here, and the host's log has it
//! in full.

use std::path::Path;

use super::answer::Told;
use super::secrets::masked;
use super::worker_broker::WorkerBroker;
use crate::error::{DriverError, GuestText};
use crate::grant::{KeySource, SigningGrant};

/// Something of this node, and what the guest was handed in its place.
struct Known {
    path: String,
    word: String,
}

impl Known {
    fn new(path: &Path, word: impl Into<String>) -> Self {
        let path = path.to_string_lossy();
        let path = path.trim_end_matches('/').to_owned();
        let word = word.into();
        Self { path, word }
    }
}

impl WorkerBroker {
    /// The error in words that the guest may read. Where they are not the host's own, those go to the log.
    pub(super) fn tell(&mut self, error: &DriverError) -> Told {
        let whole = error.chain();
        let whole = masked(&whole, &self.secrets);
        let told = self.without_paths(&whole);
        if told != whole {
            self.log.spend(|| {
                tracing::warn!(
                    error = GuestText::sentence(&whole).as_str(),
                    "the guest was told this without paths of the node"
                )
            });
        }
        Told {
            condition: error.condition(),
            message: told,
        }
    }

    pub(super) fn without_paths(&self, text: &str) -> String {
        redacted(text, &self.known())
    }

    /// What this call's errors name most.
    fn known(&self) -> Vec<Known> {
        let targets = self.held.targets();
        let mut known: Vec<Known> = targets
            .map(|target| Known::new(&target.path, "the target"))
            .collect();
        let directories = self.grants.mounts.iter();
        let directories = directories.flat_map(|grant| &grant.directories);
        let by_name = directories.map(|(name, path)| Known::new(path, directory(name)));
        known.extend(by_name);
        let endpoints = self.grants.https.values();
        let certificates = endpoints.filter_map(|grant| grant.ca.as_deref());
        known.extend(certificates.map(|path| Known::new(path, "the file")));
        known.extend(self.grants.signing.values().flat_map(files_of));
        known.retain(|known| !known.path.is_empty());
        // The longest first: one directory can lie in another.
        known.sort_by_key(|known| std::cmp::Reverse(known.path.len()));
        known
    }
}

/// By the name under which the guest opened it.
fn directory(name: &str) -> String {
    format!("the directory {name:?}")
}

/// By the keys of the grants file.
fn files_of(grant: &SigningGrant) -> Vec<Known> {
    let files = match &grant.source {
        KeySource::File(source) => vec![
            (Some(&source.id), "its id-file"),
            (Some(&source.secret), "its secret-file"),
            (source.session_token.as_ref(), "its session-token-file"),
        ],
        KeySource::Oidc(source) => vec![
            (Some(&source.token_file), "its token-file"),
            (source.ca.as_ref(), "the file"),
        ],
        KeySource::Environment(_) | KeySource::Metadata(_) => Vec::new(),
    };
    let files = files.into_iter();
    files
        .filter_map(|(path, word)| Some(Known::new(path?, word)))
        .collect()
}

/// The text with a word in place of every absolute path, known or not. What the guest or a grant said stands in quotes
/// or after a server's colon, and stays; a device in quotes does not.
fn redacted(text: &str, known: &[Known]) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let (before, path) = rest.split_at(at);
        told.push_str(before);
        let end = match may_begin_a_path(&told) {
            true => replace(&mut told, path, known),
            false => None,
        };
        let end = end.unwrap_or_else(|| {
            told.push('/');
            1
        });
        rest = &path[end..];
    }
    told.push_str(rest);
    told
}

/// After a letter it is a fraction, after a colon or another slash part of a remote source or an address.
fn may_begin_a_path(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_none_or(|last| {
        !last.is_alphanumeric() && !matches!(last, ':' | '/' | '.' | '-' | '_' | '*' | ']')
    })
}

/// Writes the word for the path that the text begins with; says how long the path was, none where it stays.
fn replace(told: &mut String, text: &str, known: &[Known]) -> Option<usize> {
    let whole = &text[..length(text)];
    for Known { path, word } in known {
        let Some(after) = text.strip_prefix(path.as_str()) else {
            continue;
        };
        if after.starts_with('/') {
            let beneath = &after[1..length(after).max(1)];
            told.push_str(beneath);
            told.push_str(" beneath ");
            told.push_str(word);
            return Some(path.len() + 1 + beneath.len());
        }
        if after.is_empty() || after.starts_with(|c: char| ends_a_path(c) || c == ':') {
            put(told, word);
            return Some(path.len());
        }
    }
    if ["/dev/", "/sys/", "/proc/"]
        .iter()
        .any(|of| whole.starts_with(of))
    {
        return Some(put_device(told, text, whole.len()));
    }
    // A share of SMB's begins with two slashes.
    if whole == "/" || whole.starts_with("//") || told.ends_with('"') {
        return None;
    }
    put(told, "a path of this node");
    Some(whole.len())
}

/// Where an operator finds a device now stands in brackets after its name, and is left out.
fn put_device(told: &mut String, text: &str, length: usize) -> usize {
    const NOW: &str = " (now ";
    if told.ends_with(NOW) && text[length..].starts_with(')') {
        told.truncate(told.len() - NOW.len());
        return length + 1;
    }
    put(told, "the device");
    length
}

/// `target /mnt/x` becomes `the target`, and not that word twice.
fn put(told: &mut String, word: &str) {
    let noun = word.strip_prefix("the ").unwrap_or(word);
    let noun = noun.split(' ').next().unwrap_or(noun);
    for said in [format!("the {noun} "), format!("{noun} ")] {
        if told.ends_with(&said) {
            told.truncate(told.len() - said.len());
        }
    }
    told.push_str(word);
}

/// Of the path that the text begins with; a full stop or a colon at its end is the sentence's.
fn length(text: &str) -> usize {
    let end = text.find(ends_a_path).unwrap_or(text.len());
    text[..end].trim_end_matches([':', '.']).len()
}

fn ends_a_path(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '`' | ')' | '>' | ',' | ';')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "/var/lib/kubelet/pods/1/volumes/a~b/v 1";

    fn told(text: &str) -> String {
        let known = [
            Known::new(Path::new(TARGET), "the target"),
            Known::new(Path::new("/srv/pool/"), directory("pool")),
        ];
        redacted(text, &known)
    }

    #[test]
    fn what_a_guest_was_handed_is_called_by_that() {
        for (whole, expected) in [
            (
                "cannot open target /var/lib/kubelet/pods/1/volumes/a~b/v 1: Permission denied",
                "cannot open the target: Permission denied",
            ),
            (
                "/var/lib/kubelet/pods/1/volumes/a~b/v 1 already holds something else; unmount it first",
                "the target already holds something else; unmount it first",
            ),
            (
                "cannot open directory /srv/pool: No such file or directory",
                "cannot open the directory \"pool\": No such file or directory",
            ),
            (
                "cannot read /srv/pool/a/b: I/O error",
                "cannot read a/b beneath the directory \"pool\": I/O error",
            ),
            (
                "working on /srv/pool: it ended",
                "working on the directory \"pool\": it ended",
            ),
        ] {
            assert_eq!(told(whole), expected);
        }
    }

    #[test]
    fn a_device_has_no_name_of_this_node() {
        for (whole, expected) in [
            (
                "device \"virtio-abc\" (now /dev/vdb) is not blank",
                "device \"virtio-abc\" is not blank",
            ),
            (
                "the target holds a read-only ext4 mount of /dev/loop3; unmount it first",
                "the target holds a read-only ext4 mount of the device; unmount it first",
            ),
            (
                "e2fsck said: /dev/loop3: clean, 1/2 files",
                "e2fsck said: the device: clean, 1/2 files",
            ),
            (
                "cannot read /sys/dev/block/7:3: gone",
                "cannot read the device: gone",
            ),
            (
                "\"/dev/vdb\" and '/proc/12/fd/4'.",
                "\"the device\" and 'the device'.",
            ),
        ] {
            assert_eq!(told(whole), expected);
        }
    }

    #[test]
    fn no_other_path_of_the_node_is_told() {
        for (whole, expected) in [
            (
                "cannot run /opt/drivebay/drivebay: gone",
                "cannot run a path of this node: gone",
            ),
            (
                "cannot lock (/run/x/y.lock)",
                "cannot lock (a path of this node)",
            ),
            (
                "socket=/run/a.sock, /srv/pool2 and /srv",
                "socket=a path of this node, a path of this node and a path of this node",
            ),
        ] {
            assert_eq!(told(whole), expected);
        }
    }

    #[test]
    fn what_the_guest_or_a_grant_said_stays() {
        for text in [
            "path \"/etc/passwd\" is refused: it is absolute",
            "cannot mount filer:/exports/a: No such file or directory",
            "cannot mount [fd00::1]:/a: refused",
            "cannot mount //filer/share/a: Permission denied",
            "source \"f\" \"/a\" is not granted (grants.mounts.sources = [\"10.0.0.0/8:/exports/**\", \"*:/x\"])",
            "POST https://ecs.example.com/ (endpoint ecs): no whole answer",
            "path \"/v1/x\" at endpoint \"e\" is not granted (grants.https.e.paths = [\"/v2/**\"])",
            "\"a/b\" is 1/2 read/write, / is neither",
            "",
        ] {
            assert_eq!(told(text), text);
        }
    }
}
