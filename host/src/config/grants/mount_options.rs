//! Mount options in a grant, read; and those that nobody can have meant.

use std::path::Path;

use crate::config::section::Section;
use crate::config::{ConfigError, DriverConfig, Paths};
use crate::grant::{GrantedOption, GrantedOptions};
use crate::worker::{flag_words, is_for_every_filesystem, is_hosts_to_decide};

/// Options of SMB and CephFS whose values are secrets: what a guest writes by itself it has read, and the journal keeps
/// where it read that.
const SECRETS: [&str; 4] = ["pass", "password", "password2", "secret"];

/// As likely a slip as not, by the measure of Jaro and Winkler.
const LIKE: f64 = 0.9;

// Own options of the filesystems that this host mounts, in Linux 6.12, and those of security modules. A kernel may know
// others, so that a word which is like none of these is nobody's mistake.

const EXT4: &str = "\
    abort acl auto_da_alloc barrier block_validity bsddf bsdgroups check commit data data_err dax debug \
    debug_want_extra_isize delalloc dioread_lock dioread_nolock discard errors grpid grpjquota grpquota \
    i_version init_itable inlinecrypt inode_readahead_blks journal_async_commit journal_checksum \
    journal_dev journal_ioprio journal_path jqfmt max_batch_time max_dir_size_kb mb_optimize_scan \
    mblk_io_submit min_batch_time minixdf no_mbcache no_prefetch_block_bitmaps noacl noauto_da_alloc \
    nobarrier noblock_validity nocheck nodelalloc nodioread_nolock nodiscard nogrpid noinit_itable \
    nojournal_checksum noload nombcache nomblk_io_submit noquota norecovery nouid32 nouser_xattr \
    nowarn_on_error oldalloc orlov prefetch_block_bitmaps prjquota quota resgid resuid sb stripe \
    sysvgroups test_dummy_encryption user_xattr usrjquota usrquota warn_on_error";

const XFS: &str = "\
    allocsize attr2 filestreams gqnoenforce gqnoquota gquota ikeep inode32 inode64 largeio lifetime \
    logbsize logbufs logdev max_atomic_write max_open_zones noalign noattr2 noikeep nolargeio nolifetime \
    nouuid pqnoenforce pquota qnoenforce rtdev sunit swalloc swidth uqnoenforce uquota wsync";

const NFS: &str = "\
    ac acdirmax acdirmin acregmax acregmin actimeo alignwrite bsize cert_serial cto fatal_neterrors fsc \
    hard local_lock lock lookupcache max_connect migration minorversion mountport mountproto mountvers \
    namlen nconnect nfsvers noac noalignwrite nocto nofsc nolock nomigration noposix nordirplus \
    noresvport nosharecache nosoftreval notrunkdiscovery port posix privkey_serial proto rdirplus rdma \
    resvport retrans rsize sec sharecache sloppy soft softerr softreval tcp timeo trunkdiscovery udp \
    vers write wsize xprtsec";

const CIFS: &str = "\
    acdirmax acregmax actimeo backupgid backupuid bsize cache cifsacl closetimeo compress cruid dir_mode dirmode \
    domain echo_interval esize file_mode forcegid forceuid fsc gid guest handletimeout hard idsfromsid iocharset \
    max_channels max_credits mfsymlinks modefromsid multichannel multiuser netbiosname noautotune noblocksend nobrl \
    nodelete nodfs nohandlecache nohandletimeout nomultichannel noperm nosharesock nostrictsync nounix noserverino \
    persistenthandles posix posixpaths rasize rdma resilienthandles rsize sec serverino seal servernetbiosname setuids \
    sfu sign snapshot soft sparse uid username vers wsize";

const SECURITY: &str = "\
    context defcontext fscontext rootcontext seclabel";

fn own_words() -> impl Iterator<Item = &'static str> {
    [EXT4, XFS, NFS, CIFS, SECURITY]
        .into_iter()
        .flat_map(str::split_ascii_whitespace)
}

/// The options under a key. Words that need no grant may stand there: they are allowed indeed.
pub(super) fn granted(
    section: &mut Section<'_>,
    key: &'static str,
) -> Result<GrantedOptions, ConfigError> {
    let texts = section.strings(key)?.unwrap_or_default();
    let parse = |text: &str| {
        let option: GrantedOption = text
            .parse()
            .map_err(|error| section.bad(key, format!("is wrong: {error}")))?;
        match impossible(&option) {
            None => Ok(option),
            Some(reason) => Err(section.bad(key, format!("has {text:?}, {reason}"))),
        }
    };
    texts.into_iter().map(parse).collect()
}

/// Why no volume can be mounted with the option, whatever is granted.
fn impossible(option: &GrantedOption) -> Option<String> {
    let name = option.name();
    if option.value().is_some() && flag_words().any(|flag| flag == name) {
        return Some(format!("and {name} takes no value"));
    }
    if SECRETS.contains(&name) {
        let reason = "whose value is a secret: name it in mount-options of a [grants.secrets.NAME]";
        return Some(reason.to_owned());
    }
    if is_hosts_to_decide(name) && !is_for_every_filesystem(name) {
        return Some("which is the host's to decide: nobody can be granted it".to_owned());
    }
    None
}

/// Granted words that are most likely misspelt. They do no harm where a kernel knows them after all, so that only
/// who checks a driver is told.
pub fn misspelt_mount_options(paths: &Paths, driver: &DriverConfig) -> Vec<ConfigError> {
    let file = paths.driver_file(&driver.name);
    let mounts = driver.grants.mounts.iter().map(|grant| &grant.options);
    let disks = driver.grants.block_devices.iter();
    let disks = disks.map(|grant| &grant.mount_options);
    let mounts = mounts.flat_map(|options| misspelt(&file, "grants.mounts.options", options));
    let key = "grants.block-devices.mount-options";
    mounts
        .chain(disks.flat_map(|options| misspelt(&file, key, options)))
        .collect()
}

fn misspelt(file: &Path, key: &str, options: &GrantedOptions) -> Vec<ConfigError> {
    let slip = |option: &GrantedOption| {
        let meant = nearest(option.name())?;
        Some(ConfigError::BadValue {
            file: file.to_owned(),
            key: key.to_owned(),
            reason: format!(
                "has {:?}, which is no option that this host knows of; did you mean {meant:?}?",
                option.text()
            ),
        })
    };
    options.iter().filter_map(slip).collect()
}

/// The known word that an unknown one is like.
fn nearest(name: &str) -> Option<&'static str> {
    if is_for_every_filesystem(name) || own_words().any(|own| own == name) {
        return None;
    }
    let known = own_words().chain(flag_words());
    let likeness = known.map(|known| (strsim::jaro_winkler(known, name), known));
    let best = likeness.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= LIKE)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<GrantedOptions, String> {
        let table = format!("options = {list}").parse().expect("toml");
        let mut section = Section::root(Path::new("/drivers.d/nfs.toml"), &table);
        granted(&mut section, "options").map_err(|error| error.to_string())
    }

    #[test]
    fn names_values_and_words_that_need_no_grant_may_be_granted() {
        for list in [
            "[\"noatime\", \"rsize\", \"sec=sys\", \"an_option_of_tomorrow\"]",
            "[\"rw\", \"ro\", \"async\", \"defaults\", \"suid\"]",
            "[]",
        ] {
            read(list).expect(list);
        }
    }

    #[test]
    fn a_grant_that_can_match_nothing_is_an_error() {
        for (list, reason) in [
            ("[\"hard,nolock\"]", "it holds a comma"),
            ("[\"sec=\"]", "its name or its value is empty"),
            ("[\"noatime=1\"]", "noatime takes no value"),
            ("[\"remount\"]", "the host's to decide"),
            ("[\"addr=10.0.0.1\"]", "the host's to decide"),
            ("[\"password\"]", "whose value is a secret"),
            ("[\"password=hunter2\"]", "whose value is a secret"),
        ] {
            let error = read(list).expect_err(list);
            assert!(
                error.starts_with("/drivers.d/nfs.toml: options "),
                "{error}"
            );
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_word_that_is_like_a_known_one_is_taken_for_a_slip() {
        for (word, meant) in [
            ("noatme", "noatime"),
            ("nosuids", "nosuid"),
            ("ncconect", "nconnect"),
            ("no-lock", "nolock"),
        ] {
            assert_eq!(nearest(word), Some(meant), "{word}");
        }
        for word in ["noatime", "sec", "defaults", "ro", "ceph_thing", "compress"] {
            assert_eq!(nearest(word), None, "{word}");
        }
    }

    #[test]
    fn a_slip_is_told_with_file_and_key() {
        let options = read("[\"sec=sys\", \"noatme\"]").expect("sound");
        let slips = misspelt(Path::new("/d/nfs.toml"), "grants.mounts.options", &options);
        let slips: Vec<String> = slips.iter().map(ToString::to_string).collect();
        assert_eq!(
            slips,
            [
                "/d/nfs.toml: grants.mounts.options has \"noatme\", which is no option that this host knows of; did you mean \"noatime\"?"
            ]
        );
    }
}
