//! Mount options that mean the same for every filesystem, as mount(8) reads them.
//!
//! The one table of those words, for remote mounts and for disks. A list is read in order and the later of two
//! counts. What is left of it are flags of mount(2), named again so that a grant can judge them, and the
//! words of the filesystem itself, which are not looked into here. No word gives more than the caller has:
//! `rw` does not make a read-only volume writable.

use nix::mount::MsFlags;
use rustix::fs::StatVfsMountFlags;

use crate::volume::Access;

/// A name and, where there is one, its value.
pub type MountOption = (String, Option<String>);

/// The kernel's since 5.10 (mount(2)); the library has no name for it.
const NOSYMFOLLOW: MsFlags = MsFlags::from_bits_retain(1 << 8);

/// `ST_NOSYMFOLLOW`, since Linux 5.10 (statfs(2)); the library has no name for it.
const ST_NOSYMFOLLOW: StatVfsMountFlags = StatVfsMountFlags::from_bits_retain(0x2000);

type Shown = Option<StatVfsMountFlags>;

/// The word that sets a flag, the flag, the word for its absence, if mount(8) has one, and what statfs(2) shows of it and
/// a remount has to repeat.
const FLAGS: [(&str, MsFlags, Option<&str>, Shown); 15] = [
    ("ro", MsFlags::MS_RDONLY, Some("rw"), None),
    (
        "nosuid",
        MsFlags::MS_NOSUID,
        Some("suid"),
        Some(StatVfsMountFlags::NOSUID),
    ),
    (
        "nodev",
        MsFlags::MS_NODEV,
        Some("dev"),
        Some(StatVfsMountFlags::NODEV),
    ),
    (
        "noexec",
        MsFlags::MS_NOEXEC,
        Some("exec"),
        Some(StatVfsMountFlags::NOEXEC),
    ),
    (
        "nosymfollow",
        NOSYMFOLLOW,
        Some("symfollow"),
        Some(ST_NOSYMFOLLOW),
    ),
    (
        "sync",
        MsFlags::MS_SYNCHRONOUS,
        Some("async"),
        Some(StatVfsMountFlags::SYNCHRONOUS),
    ),
    ("dirsync", MsFlags::MS_DIRSYNC, None, None),
    (
        "noatime",
        MsFlags::MS_NOATIME,
        Some("atime"),
        Some(StatVfsMountFlags::NOATIME),
    ),
    (
        "nodiratime",
        MsFlags::MS_NODIRATIME,
        Some("diratime"),
        Some(StatVfsMountFlags::NODIRATIME),
    ),
    (
        "relatime",
        MsFlags::MS_RELATIME,
        Some("norelatime"),
        Some(StatVfsMountFlags::RELATIME),
    ),
    (
        "strictatime",
        MsFlags::MS_STRICTATIME,
        Some("nostrictatime"),
        None,
    ),
    ("lazytime", MsFlags::MS_LAZYTIME, Some("nolazytime"), None),
    ("iversion", MsFlags::MS_I_VERSION, Some("noiversion"), None),
    ("mand", MsFlags::MS_MANDLOCK, Some("nomand"), None),
    ("silent", MsFlags::MS_SILENT, Some("loud"), None),
];

/// The kernel has one of these at a time.
const ACCESS_TIMES: MsFlags = MsFlags::MS_NOATIME
    .union(MsFlags::MS_RELATIME)
    .union(MsFlags::MS_STRICTATIME);

/// Who else may mount, which is nobody here; and what mount(8) implies with it.
const MOUNTERS: [(&str, MsFlags); 4] = [
    ("user", NOTHING_RUNS),
    ("users", NOTHING_RUNS),
    ("owner", SECURE),
    ("group", SECURE),
];

const SECURE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Nothing of such a mount is ever run, or opened as a device.
pub(super) const NOTHING_RUNS: MsFlags = SECURE.union(MsFlags::MS_NOEXEC);

/// For whoever reads /etc/fstab, or what is so anyway.
const WITHOUT_EFFECT: [&str; 9] = [
    "defaults", "auto", "noauto", "nofail", "_netdev", "nouser", "nousers", "noowner", "nogroup",
];

/// The same with any value: remarks, and what mount(8) notes for umount(8).
const REMARKS: [&str; 3] = ["comment", "helper", "uhelper"];

/// What is mounted, from where, and what else mount(2) could be made to do.
const HOSTS: [&str; 28] = [
    "addr",
    "mountaddr",
    "clientaddr",
    "mounthost",
    "source",
    "remount",
    "bind",
    "rbind",
    "move",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "unbindable",
    "runbindable",
    "loop",
    "offset",
    "sizelimit",
    "encryption",
    "ro",
    "rw",
    "fd",
    // SMB's words for the server and what of it is mounted (mount.cifs(8)), and for a file with a password.
    "ip",
    "unc",
    "prefixpath",
    "credentials",
];

/// What a word does to the flags.
struct Change {
    sets: MsFlags,
    clears: MsFlags,
}

impl Change {
    const NONE: Self = Self {
        sets: MsFlags::empty(),
        clears: MsFlags::empty(),
    };

    fn set(flag: MsFlags) -> Self {
        let clears = match ACCESS_TIMES.contains(flag) {
            true => ACCESS_TIMES,
            false => MsFlags::empty(),
        };
        Self { sets: flag, clears }
    }

    fn clear(flag: MsFlags) -> Self {
        Self {
            clears: flag,
            ..Self::NONE
        }
    }

    /// None for a word of the filesystem's own.
    fn of(name: &str, value: Option<&str>) -> Option<Self> {
        if REMARKS.contains(&name) || name.starts_with("x-") || name.starts_with("X-") {
            return Some(Self::NONE);
        }
        // No flag takes a value.
        if value.is_some() {
            return None;
        }
        if WITHOUT_EFFECT.contains(&name) {
            return Some(Self::NONE);
        }
        if let Some((_, implied)) = MOUNTERS.iter().find(|(word, _)| *word == name) {
            return Some(Self::set(*implied));
        }
        FLAGS.iter().find_map(|(sets, flag, clears, _)| match name {
            _ if name == *sets => Some(Self::set(*flag)),
            _ if Some(name) == *clears => Some(Self::clear(*flag)),
            _ => None,
        })
    }
}

/// A list of mount options, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    flags: MsFlags,
    own: Vec<MountOption>,
}

impl MountOptions {
    /// As mount(8) reads them, for a caller who may mount so.
    pub fn read<'a>(
        access: Access,
        words: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let mut read = Self {
            flags: MsFlags::empty(),
            own: Vec::new(),
        };
        for (name, value) in words {
            match Change::of(name, value) {
                Some(change) => read.flags = read.flags.difference(change.clears) | change.sets,
                None => read
                    .own
                    .push((name.to_owned(), value.map(ToOwned::to_owned))),
            }
        }
        // Last, so that no word lifts it.
        if access == Access::ReadOnly {
            read.flags |= MsFlags::MS_RDONLY;
        }
        read
    }

    /// The same for options that were taken apart.
    pub fn of(access: Access, options: &[MountOption]) -> Self {
        let words = options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        Self::read(access, words)
    }

    /// The same for lists as users write them, several in one text or each by itself.
    pub fn written(access: Access, lists: &[String]) -> Self {
        Self::read(access, lists.iter().flat_map(|list| split(list)))
    }

    /// Read-only where the caller or a word says so.
    pub fn access(&self) -> Access {
        match self.flags.contains(MsFlags::MS_RDONLY) {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        }
    }

    /// What a grant has to allow: each flag that is set, but read-only, which only takes away; and the
    /// filesystem's own words, in order.
    pub fn named(&self) -> Vec<MountOption> {
        let flags = FLAGS
            .iter()
            .filter(|(_, flag, ..)| *flag != MsFlags::MS_RDONLY && self.flags.contains(*flag));
        flags
            .map(|(name, ..)| ((*name).to_owned(), None))
            .chain(self.own.iter().cloned())
            .collect()
    }

    /// The same as text, one each.
    pub fn texts(&self) -> Vec<String> {
        self.named().iter().map(text).collect()
    }

    /// For mount(2).
    pub(super) fn flags(&self) -> MsFlags {
        self.flags
    }

    /// The filesystem's own words, in order.
    pub(super) fn own(&self) -> &[MountOption] {
        &self.own
    }
}

/// Whether an option's value is one of SELinux's labels: the kernel's four such options end alike.
pub(super) fn takes_label(name: &str) -> bool {
    name.ends_with("context")
}

/// As it is written.
pub(super) fn text((name, value): &MountOption) -> String {
    match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    }
}

/// At commas, but for those in double quotes, which mount(8) leaves to security modules. A blank around a
/// word is nobody's meaning.
fn split(list: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut is_quoted = false;
    let words = list.split(move |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    let words = words.map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    })
}

/// The flags of a mount that a remount has to repeat, from what statfs(2) shows of it.
pub(super) fn flags_shown(shown: StatVfsMountFlags) -> MsFlags {
    let set = FLAGS
        .iter()
        .filter(|(.., bit)| bit.is_some_and(|bit| shown.contains(bit)));
    set.fold(MsFlags::empty(), |flags, (_, flag, ..)| flags | *flag)
}

/// Whether an option says what only the host decides: nobody can be granted it.
pub fn is_hosts_to_decide(name: &str) -> bool {
    HOSTS.contains(&name)
}

/// The words that set a flag and can be granted.
pub fn flag_words() -> impl Iterator<Item = &'static str> {
    let words = FLAGS.iter().map(|(name, ..)| *name);
    words.filter(|name| !is_hosts_to_decide(name))
}

/// Whether a word means the same for every filesystem. Such words take no value.
pub fn is_for_every_filesystem(name: &str) -> bool {
    Change::of(name, None).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Access = Access::ReadOnly;
    const WRITE: Access = Access::ReadWrite;

    fn read(access: Access, lists: &[&str]) -> MountOptions {
        let lists: Vec<String> = lists.iter().map(|list| (*list).to_owned()).collect();
        MountOptions::written(access, &lists)
    }

    fn texts(lists: &[&str]) -> String {
        read(WRITE, lists).texts().join(",")
    }

    #[test]
    fn what_changes_nothing_is_gone() {
        for list in [
            "rw",
            "defaults",
            "_netdev,nofail",
            "auto,noauto",
            "suid,dev,exec,async",
            "atime,diratime,norelatime,nostrictatime,nolazytime",
            "x-systemd.automount,X-mount.mkdir=0755,comment=mine",
            "nouser, loud,,",
        ] {
            assert_eq!(texts(&[list]), "", "{list}");
            assert_eq!(read(WRITE, &[list]).flags(), MsFlags::empty(), "{list}");
        }
    }

    #[test]
    fn elements_are_split_at_commas_that_no_quotes_keep_together() {
        assert_eq!(
            texts(&["noatime,nodiratime", "commit=5"]),
            "noatime,nodiratime,commit=5"
        );
        let labelled = "context=\"system_u:object_r:tmp_t:s0:c1,c2\"";
        assert_eq!(texts(&[labelled]), labelled);
    }

    #[test]
    fn the_later_word_counts_as_in_mount_8() {
        for (list, left) in [
            ("nosuid,suid", ""),
            ("suid,nosuid", "nosuid"),
            ("noatime,atime", ""),
            ("noatime,relatime", "relatime"),
            ("relatime,strictatime,noatime", "noatime"),
            ("user", "nosuid,nodev,noexec"),
            ("user,exec", "nosuid,nodev"),
            ("owner", "nosuid,nodev"),
        ] {
            assert_eq!(texts(&[list]), left, "{list}");
        }
        assert_eq!(read(WRITE, &["ro,rw"]).access(), WRITE);
        assert_eq!(read(WRITE, &["rw", "ro"]).access(), READ);
    }

    #[test]
    fn no_word_makes_a_read_only_volume_writable() {
        for list in ["", "rw", "ro,rw", "defaults"] {
            let options = read(READ, &[list]);
            assert_eq!(options.access(), READ, "{list}");
            assert_eq!(options.flags(), MsFlags::MS_RDONLY, "{list}");
            assert_eq!(options.texts().join(","), "", "{list}");
        }
    }

    #[test]
    fn every_flag_is_set_by_its_word_and_cleared_by_its_other() {
        for (set, flag, clear, _) in FLAGS {
            assert_eq!(read(WRITE, &[set]).flags(), flag, "{set}");
            assert!(read(WRITE, &[set]).own().is_empty(), "{set}");
            let Some(clear) = clear else { continue };
            assert_eq!(
                read(WRITE, &[set, clear]).flags(),
                MsFlags::empty(),
                "{clear}"
            );
            assert!(read(WRITE, &[clear]).own().is_empty(), "{clear}");
        }
    }

    #[test]
    fn a_word_with_a_value_is_the_filesystems() {
        assert_eq!(
            texts(&["sync=x,user=me,suid=1"]),
            "sync=x,user=me,suid=1",
            "and so needs a grant"
        );
        let own = read(WRITE, &["noatime,nouuid,logbsize=256k"]);
        assert_eq!(own.flags(), MsFlags::MS_NOATIME);
        assert_eq!(
            own.own(),
            [
                ("nouuid".to_owned(), None),
                ("logbsize".to_owned(), Some("256k".to_owned()))
            ]
        );
    }

    #[test]
    fn reading_what_was_read_changes_nothing() {
        let once = read(WRITE, &["user,noatime,commit=5,rw,discard"]);
        assert_eq!(MountOptions::of(WRITE, &once.named()), once);
    }

    #[test]
    fn what_would_make_another_mount_is_the_hosts() {
        for name in ["remount", "bind", "shared", "addr", "rw", "source", "loop"] {
            assert!(is_hosts_to_decide(name), "{name}");
        }
        assert!(!is_hosts_to_decide("nosuid") && !flag_words().any(|word| word == "ro"));
    }
}
