//! Tags: how a disk made here is found again, and what users want written on it. Pure.

use drivebay_guest::parameters::Word;
use drivebay_guest::prelude::*;

use crate::parameter_names;

/// The caller's name for a volume. The key is that of Alibaba's CSI driver, whose disks are found by it too; the
/// name of the disk itself takes few characters.
pub(crate) const VOLUME_NAME: &str = "csi.alibabacloud.com/volume-name";

/// The caller's name for a snapshot.
pub(crate) const SNAPSHOT_NAME: &str = "drivebay/snapshot-name";

/// The caller's name for snapshots that are cut together.
pub(crate) const GROUP_SNAPSHOT_NAME: &str = "drivebay/group-snapshot-name";

const CREATED_BY: &str = "createdby";

/// What Kubernetes' own disks say about their claims.
const FROM_METADATA: [(Word, &str); 3] = [
    (
        parameter_names::PV_NAME,
        "kubernetes.io/created-for/pv/name",
    ),
    (
        parameter_names::PVC_NAME,
        "kubernetes.io/created-for/pvc/name",
    ),
    (
        parameter_names::PVC_NAMESPACE,
        "kubernetes.io/created-for/pvc/namespace",
    ),
];

/// ECS takes no more on one resource, and no more in one call.
pub(crate) const MOST: usize = 20;

/// ECS's bound for keys and for values.
const LONGEST: usize = 128;

/// Key and value.
pub(crate) type Tag = (String, String);

/// All tags of a new disk.
pub(crate) fn of_disk(name: &str, params: &Params<'_>) -> Result<Vec<Tag>, Error> {
    let mut users = Vec::new();
    for word in params.get(parameter_names::DISK_TAGS) {
        let Some((key, value)) = word.split_once(':') else {
            return Err(malformed(
                parameter_names::DISK_TAGS,
                word,
                "write KEY:VALUE, separated by commas",
            ));
        };
        users.push((key.trim_ascii(), value.trim_ascii()));
    }
    let Changes { set, removed } = Changes::read(params)?;
    users.retain(|(key, _)| set.iter().all(|(own, _)| own != key));
    users.extend(set);
    users.retain(|(key, _)| !removed.contains(key));
    let mut tags = ours(VOLUME_NAME, name);
    for (parameter, key) in FROM_METADATA {
        if let Some(value) = params.get(parameter) {
            tags.push((key.into(), value.into()));
        }
    }
    with_users(tags, &users)
}

/// Tags that are to be on a disk, and keys of those that are not; checked.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    pub(crate) set: Vec<(&'a str, &'a str)>,
    pub(crate) removed: Vec<&'a str>,
}

impl<'a> Changes<'a> {
    pub(crate) fn read(params: &Params<'a>) -> Result<Self, Error> {
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        for (key, value) in params.with_prefix(parameter_names::DISK_TAGS_PREFIX) {
            set.push((check(key, value)?, value));
        }
        for (key, _) in params.with_prefix(parameter_names::NO_DISK_TAGS_PREFIX) {
            removed.push(check(key, "")?);
        }
        if let Some((key, _)) = set.iter().find(|(key, _)| removed.contains(key)) {
            return Err(malformed("tag", key, "it is to be set and to be removed"));
        }
        Ok(Self { set, removed })
    }
}

/// All tags of a new snapshot.
pub(crate) fn of_snapshot(name: &str, params: &Params<'_>) -> Result<Vec<Tag>, Error> {
    of_snapshots(SNAPSHOT_NAME, name, params)
}

/// All tags of a new group.
pub(crate) fn of_group(name: &str, params: &Params<'_>) -> Result<Vec<Tag>, Error> {
    of_snapshots(GROUP_SNAPSHOT_NAME, name, params)
}

fn of_snapshots(key: &str, name: &str, params: &Params<'_>) -> Result<Vec<Tag>, Error> {
    let users = params.with_prefix(parameter_names::SNAPSHOT_TAGS_PREFIX);
    with_users(ours(key, name), &users)
}

fn ours(key: &str, name: &str) -> Vec<Tag> {
    vec![
        (key.into(), name.into()),
        ("k8s.aliyun.com".into(), "true".into()),
        (CREATED_BY.into(), "drivebay".into()),
    ]
}

fn with_users(mut tags: Vec<Tag>, users: &[(&str, &str)]) -> Result<Vec<Tag>, Error> {
    for (key, value) in users {
        check(key, value)?;
        if tags.iter().any(|(known, _)| known == key) {
            return Err(malformed(
                "tag",
                key,
                "it is given twice, or is one of the driver's own",
            ));
        }
        tags.push(((*key).into(), (*value).into()));
    }
    if tags.len() > MOST {
        bail!(InvalidArgument: "too many tags: ECS takes {MOST} on one resource, of which the driver uses up to 6");
    }
    Ok(tags)
}

fn check<'a>(key: &'a str, value: &str) -> Result<&'a str, Error> {
    if key == VOLUME_NAME {
        return Err(malformed("tag", key, "the disk is found by it"));
    }
    let reserved = ["aliyun", "acs:", "http://", "https://"];
    if key.is_empty() || reserved.iter().any(|start| key.starts_with(start)) {
        let accepted =
            "a tag's key is not empty and does not begin with aliyun, acs:, http:// or https://";
        return Err(malformed("tag", key, accepted));
    }
    if length(key) > LONGEST || length(value) > LONGEST {
        return Err(malformed(
            "tag",
            key,
            "keys and values have at most 128 characters",
        ));
    }
    Ok(key)
}

/// In characters, as ECS counts.
fn length(text: &str) -> usize {
    text.chars().fold(0, |length, _| length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Result<Vec<Tag>, Error> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        of_disk("pvc-1", &Params(&pairs))
    }

    #[test]
    fn a_disk_is_tagged_with_its_volumes_name() {
        assert!(
            tags(&[])
                .expect("tags")
                .contains(&(VOLUME_NAME.into(), "pvc-1".into()))
        );
    }

    #[test]
    fn both_ways_of_writing_tags_add_up() {
        let tags = tags(&[
            ("diskTags", "a:1, b:x:y"),
            ("diskTags/c/d", "2"),
            (parameter_names::PVC_NAME.name(), "data"),
        ]);
        let tags = tags.expect("tags");
        for (key, value) in [
            ("a", "1"),
            ("b", "x:y"),
            ("c/d", "2"),
            ("kubernetes.io/created-for/pvc/name", "data"),
        ] {
            assert!(tags.contains(&(key.into(), value.into())), "{key}");
        }
    }

    #[test]
    fn a_tag_of_its_own_line_comes_before_those_of_the_list_and_one_may_be_left_out() {
        let tags = tags(&[
            ("diskTags", "a:1,b:2,c:3"),
            ("diskTags/a", "9"),
            ("-diskTags/b", ""),
        ]);
        let tags = tags.expect("tags");
        let users: Vec<_> = tags.iter().filter(|(key, _)| key.len() == 1).collect();
        assert_eq!(
            users,
            [
                &("c".to_owned(), "3".to_owned()),
                &("a".to_owned(), "9".to_owned())
            ]
        );
    }

    #[test]
    fn tags_that_ecs_or_we_would_trip_over_are_refused() {
        let many: Vec<String> = (0..20).map(|n| format!("k{n}:v")).collect();
        for written in [
            "a",
            ":v",
            "aliyun:x",
            "a:1,a:2",
            "createdby:me",
            &many.join(","),
        ] {
            let error = tags(&[("diskTags", written)]).expect_err(written);
            assert!(matches!(error, Error::InvalidArgument(_)));
        }
        assert!(tags(&[("diskTags/x", &"v".repeat(129))]).is_err());
        assert!(tags(&[("diskTags/acs:x", "v")]).is_err());
        assert!(tags(&[(&format!("-diskTags/{VOLUME_NAME}"), "")]).is_err());
        assert!(tags(&[("diskTags/a", "v"), ("-diskTags/a", "")]).is_err());
    }
}
