//! `[grants.block-devices]`: which devices may be seen, and which filesystems may be made on them.

use std::str::FromStr;

use super::{Capability, GrantedOptions, Refusal};

/// What a driver may do with disks.
#[derive(Debug, Clone, Default)]
pub struct BlockDevicesGrant {
    /// Names as in /dev/disk/by-id. The worker that finds a device holds what the device says itself
    /// against them.
    pub devices: Vec<DevicePattern>,
    /// Kernel names of filesystems that may be made and mounted.
    pub filesystems: Vec<String>,
    /// Words a guest may pass to mkfs.
    pub format_options: Vec<WordPattern>,
    /// Mount options, but for the words that need no grant.
    pub mount_options: GrantedOptions,
}

/// Filesystems this host can make, check, grow and mount.
pub const FILESYSTEMS: [&str; 4] = ["ext2", "ext3", "ext4", "xfs"];

/// What a blank disk gets where nobody asks for another, as in every driver of Kubernetes.
const DEFAULT_FILESYSTEM: &str = "ext4";

/// What a disk may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedFilesystems {
    /// Made if it is blank.
    pub make: String,
    /// Left as it is, if the kernel mounts it under one of these names.
    pub keep: Vec<String>,
}

impl BlockDevicesGrant {
    /// Whether the filesystem may be made and mounted.
    pub fn allows_filesystem(&self, fs_type: &str) -> Result<(), Refusal> {
        let granted = self.filesystems.iter().any(|name| name == fs_type);
        granted.then_some(()).ok_or_else(|| {
            refusal(
                format!("filesystem {fs_type:?}"),
                format!("grants.block-devices.filesystems = {:?}", self.filesystems),
            )
        })
    }

    /// What may be on a disk for which that filesystem is asked. An empty word asks for none: whatever is there will
    /// do, and a blank disk gets the default, or the first that is granted where that is not.
    pub fn filesystems_for(&self, asked: &str) -> Result<GrantedFilesystems, Refusal> {
        if !asked.is_empty() {
            self.allows_filesystem(asked)?;
            return Ok(GrantedFilesystems {
                make: asked.to_owned(),
                keep: vec![asked.to_owned()],
            });
        }
        let default = self
            .filesystems
            .iter()
            .find(|name| *name == DEFAULT_FILESYSTEM);
        match default.or(self.filesystems.first()) {
            Some(make) => Ok(GrantedFilesystems {
                make: make.clone(),
                keep: self.filesystems.clone(),
            }),
            None => Err(refusal(
                "a filesystem".to_owned(),
                "grants.block-devices.filesystems = []".to_owned(),
            )),
        }
    }

    /// Whether the filesystem's mkfs may get these words.
    pub fn allows_format_options(&self, fs_type: &str, words: &[String]) -> Result<(), Refusal> {
        for word in words {
            if is_never_for_guests(fs_type, word) {
                return Err(refusal(
                    format!("format option {word:?}"),
                    "forcing mkfs, and letting it read files of the node, cannot be granted"
                        .to_owned(),
                ));
            }
            if !self.allows_word(word) {
                let known: Vec<_> = self.format_options.iter().map(WordPattern::text).collect();
                return Err(refusal(
                    format!("format option {word:?}"),
                    format!("grants.block-devices.format-options = {known:?}"),
                ));
            }
        }
        Ok(())
    }

    /// The word itself, or each of those that mkfs reads where one value lists several.
    fn allows_word(&self, word: &str) -> bool {
        let is_known = |word: &str| self.format_options.iter().any(|known| known.matches(word));
        is_known(word) || (!word.starts_with('-') && word.split(',').all(is_known))
    }

    /// Whether the mount option may be used with that value.
    pub fn allows_mount_option(&self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        self.mount_options
            .allow("grants.block-devices.mount-options", name, value)
            .map_err(|(scope, grant)| refusal(scope, grant))
    }

    /// The refusal of a device that is here under that name and matches no pattern.
    pub fn refuse_device(&self, name: &str) -> Refusal {
        let devices: Vec<_> = self.devices.iter().map(DevicePattern::text).collect();
        refusal(
            format!("device {name:?}"),
            format!("grants.block-devices.devices = {devices:?}"),
        )
    }
}

/// `-F` and `-f` make mkfs overwrite what it sees; `-d` of mke2fs and `-p` of mkfs.xfs copy files of the node
/// into the filesystem (mke2fs(8), mkfs.xfs(8)). Letters can be joined, `-qF`, as long as none takes a
/// value. A slash could name another device, or a file.
fn is_never_for_guests(fs_type: &str, word: &str) -> bool {
    let copies_files = if fs_type == "xfs" { 'p' } else { 'd' };
    let letters = word.strip_prefix('-').unwrap_or_default();
    let end = letters.find(|letter| !PLAIN_LETTERS.contains(letter));
    let (plain, rest) = letters.split_at(end.unwrap_or(letters.len()));
    plain.contains(['F', 'f'])
        || rest.starts_with(copies_files)
        || word.contains('/')
        || word.chars().any(char::is_control)
        || word.is_empty()
}

/// Options of either mkfs that take no value.
const PLAIN_LETTERS: &str = "cjknqvDFfKNSV";

/// A name as in /dev/disk/by-id, with at most one `*`, which is not its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePattern(WordPattern);

impl DevicePattern {
    /// As the operator wrote it.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// Before the `*`, or all of it.
    pub fn begins(&self) -> &str {
        &self.0.begins
    }

    /// After the `*`; none where there is no `*`.
    pub fn ends(&self) -> Option<&str> {
        self.0.ends.as_deref()
    }
}

impl FromStr for DevicePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern: WordPattern = text.parse()?;
        let fail = |reason| PatternError {
            text: text.to_owned(),
            reason,
        };
        if pattern.begins.is_empty() {
            return Err(fail("it does not say what kind of device, such as virtio-"));
        }
        if text.contains('/') {
            return Err(fail("names of /dev/disk/by-id hold no slash"));
        }
        Ok(Self(pattern))
    }
}

/// A word with at most one `*`, which stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordPattern {
    text: String,
    begins: String,
    ends: Option<String>,
}

impl WordPattern {
    /// Whether the word is one of those meant.
    pub fn matches(&self, word: &str) -> bool {
        match &self.ends {
            None => word == self.begins,
            Some(ends) => word
                .strip_prefix(self.begins.as_str())
                .is_some_and(|rest| rest.ends_with(ends.as_str())),
        }
    }

    /// As the operator wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for WordPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| PatternError {
            text: text.to_owned(),
            reason,
        };
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fail("it is empty, or holds blanks"));
        }
        let (begins, ends) = match text.split_once('*') {
            None => (text, None),
            Some((_, ends)) if ends.contains('*') => {
                return Err(fail("it has more than one *"));
            }
            Some((begins, ends)) => (begins, Some(ends.to_owned())),
        };
        Ok(Self {
            text: text.to_owned(),
            begins: begins.to_owned(),
            ends,
        })
    }
}

/// Why a pattern is none, with examples of some that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a pattern: {reason}; examples: \"virtio-*\", \"nvme-Alibaba_Cloud_Elastic_Block_Storage_*\", \"4096\""
)]
pub struct PatternError {
    text: String,
    reason: &'static str,
}

fn refusal(scope: String, grant: String) -> Refusal {
    Refusal {
        capability: Capability::BlockDevices,
        scope,
        grant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> BlockDevicesGrant {
        let words = ["-b", "4096", "-N*", "-m", "reflink=*"];
        BlockDevicesGrant {
            devices: vec!["virtio-*".parse().expect("a pattern")],
            filesystems: vec!["ext4".into()],
            format_options: words.map(|word| word.parse().expect("a pattern")).to_vec(),
            mount_options: ["noatime", "data=ordered"]
                .map(|text| text.parse().expect("an option"))
                .into_iter()
                .collect(),
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_is_granted_is_allowed() {
        let grant = grant();
        assert_eq!(grant.allows_filesystem("ext4"), Ok(()));
        assert_eq!(grant.allows_mount_option("noatime", None), Ok(()));
        assert_eq!(grant.allows_mount_option("data", Some("ordered")), Ok(()));
        for options in [
            &[][..],
            &["-b", "4096"],
            &["-N1000"],
            &["-m", "reflink=0"],
            &["-m", "reflink=0,4096"],
        ] {
            assert_eq!(grant.allows_format_options("ext4", &words(options)), Ok(()));
        }
    }

    #[test]
    fn what_is_not_granted_is_refused_with_the_key_that_decides() {
        let grant = grant();
        assert_eq!(
            grant
                .allows_filesystem("xfs")
                .expect_err("not granted")
                .to_string(),
            "filesystem \"xfs\" is not granted (grants.block-devices.filesystems = [\"ext4\"])"
        );
        assert!(grant.allows_mount_option("nouuid", None).is_err());
        assert!(
            grant
                .allows_mount_option("data", Some("writeback"))
                .is_err()
        );
        for value in ["1024", "4096,1024", "4096,", "-b,4096"] {
            assert!(
                grant
                    .allows_format_options("ext4", &words(&["-b", value]))
                    .is_err(),
                "{value}"
            );
        }
        assert_eq!(
            grant.refuse_device("loop-x").to_string(),
            "device \"loop-x\" is not granted (grants.block-devices.devices = [\"virtio-*\"])"
        );
    }

    #[test]
    fn who_asks_for_no_filesystem_takes_what_is_there_and_else_gets_the_default() {
        let granting = |filesystems: &[&str]| BlockDevicesGrant {
            filesystems: words(filesystems),
            ..grant()
        };
        for (granted, asked, make, keep) in [
            (&["xfs", "ext4"][..], "", "ext4", &["xfs", "ext4"][..]),
            (&["xfs", "ext3"], "", "xfs", &["xfs", "ext3"]),
            (&["xfs", "ext4"], "xfs", "xfs", &["xfs"]),
        ] {
            let found = granting(granted).filesystems_for(asked).expect("granted");
            assert_eq!((found.make.as_str(), found.keep), (make, words(keep)));
        }
        for (granted, asked) in [(&["ext4"][..], "xfs"), (&["ext4"], "ntfs"), (&[], "")] {
            let refused = granting(granted).filesystems_for(asked);
            let refused = refused.expect_err(asked).to_string();
            assert!(
                refused.contains("grants.block-devices.filesystems"),
                "{refused}"
            );
        }
    }

    #[test]
    fn forcing_mkfs_cannot_be_granted() {
        let mut grant = grant();
        grant.format_options = vec!["*".parse().expect("a pattern")];
        let allows =
            |fs_type: &str, word: &str| grant.allows_format_options(fs_type, &words(&[word]));
        for word in ["-F", "-f", "-qF", "-Ff", "-Kf", "/dev/vda", "", "a\nb"] {
            assert!(allows("ext4", word).is_err(), "{word:?}");
            assert!(allows("xfs", word).is_err(), "{word:?}");
        }
        for word in ["-b", "-Ofast_commit", "-Elazy_itable_init=0", "offset"] {
            assert_eq!(allows("ext4", word), Ok(()));
        }
    }

    #[test]
    fn mkfs_copies_no_files_of_the_node() {
        let mut grant = grant();
        grant.format_options = vec!["*".parse().expect("a pattern")];
        let allows =
            |fs_type: &str, word: &str| grant.allows_format_options(fs_type, &words(&[word]));
        assert!(allows("ext4", "-d").is_err());
        assert!(allows("ext4", "-detc").is_err());
        assert!(allows("xfs", "-qp").is_err());
        assert_eq!(allows("xfs", "-d"), Ok(()), "of the data section");
    }

    #[test]
    fn a_star_stands_for_anything_in_one_place() {
        let pattern: WordPattern = "nvme-*_tail".parse().expect("a pattern");
        assert!(pattern.matches("nvme-x_tail"));
        assert!(pattern.matches("nvme-_tail"));
        assert!(!pattern.matches("nvme_tail"));
        let overlapping: WordPattern = "aba*ba".parse().expect("a pattern");
        assert!(!overlapping.matches("aba"), "no character counts twice");
    }

    #[test]
    fn broken_patterns_teach_the_form() {
        for text in ["", "*", "*-x", "a*b*", "virtio /x", "a/b*"] {
            let error = text.parse::<DevicePattern>().expect_err(text);
            assert!(error.to_string().contains("examples"), "{error}");
        }
    }
}
