//! What a create request asks for: parameters become a checked [`VolumeSpec`]. Pure.

use drivebay_guest::json::Json;
use drivebay_guest::name::is_harmful;
use drivebay_guest::parameters::Flag;
use drivebay_guest::prelude::*;
use drivebay_guest::volume::{MultiAttach, refuse_sharing};

use crate::category::Kind;
use crate::disk::Disk;
use crate::parameter_names as names;
use crate::size::{self, TooSmall};
use crate::tags::{self, Tag};
use crate::zone::{self, KEYS};

/// A disk that is to be made.
#[derive(Debug)]
pub(crate) struct VolumeSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) capacity: CapacityRange,
    pub(crate) too_small: TooSmall,
    /// The preferred first; empty where a disk that exists may be of any.
    pub(crate) kinds: Vec<Kind>,
    /// The preferred first; empty where nobody said anything.
    pub(crate) zones: Vec<&'a str>,
    /// Where pods can be that use it, the preferred first; empty where nobody said anything.
    places: &'a [Topology],
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<&'a str>,
    /// Roles by which ECS gets at the key, as parameters of the call.
    pub(crate) roles: Vec<(String, &'static str)>,
    pub(crate) resource_group: Option<&'a str>,
    pub(crate) storage_cluster: Option<&'a str>,
    pub(crate) multi_attach: MultiAttach,
    pub(crate) provisioned_iops: Option<u64>,
    pub(crate) bursting: Option<bool>,
    pub(crate) tags: Vec<Tag>,
    /// What the volume's node has to know.
    pub(crate) context: Parameters,
}

/// One way to make it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) kind: Kind,
    /// Absent for disks of the whole region.
    pub(crate) zone: Option<&'a str>,
    pub(crate) gib: u64,
}

/// Whose disk it can be.
enum UsableBy {
    /// That of the node that comes first.
    FirstNode,
    /// That of another node in the same place.
    OtherNode,
}

impl<'a> VolumeSpec<'a> {
    /// `invalid-argument` where the request contradicts itself or asks for what cannot be had.
    pub(crate) fn from_request(request: &'a CreateRequest, region: &str) -> Result<Self, Error> {
        let params = Params(&request.parameters);
        check_words(&params, region)?;
        let multi_attach = multi_attach(&params)?;
        check_capabilities(multi_attach, &request.capabilities)?;
        let encrypted = params.get(names::ENCRYPTED)? == Some(true);
        let claims_key = params.get(names::CLAIMS_KMS_KEY_ID);
        let kms_key = claims_key.or(params.get(names::KMS_KEY_ID));
        if kms_key.is_some() && !encrypted {
            return Err(Error::InvalidArgument(
                "kmsKeyId is given but encrypted is not true: set encrypted, or leave the key out"
                    .into(),
            ));
        }
        let storage_cluster = params.get(names::STORAGE_CLUSTER_ID);
        if storage_cluster.is_some() && params.get(names::PERFORMANCE_LEVEL).is_empty() {
            return Err(Error::InvalidArgument(
                "storageClusterId is given without performanceLevel: a dedicated cluster has disks of one level".into(),
            ));
        }
        let round_up = params.get(names::VOLUME_SIZE_AUTO_AVAILABLE)? == Some(true);
        Ok(Self {
            name: &request.name,
            capacity: request.capacity,
            too_small: if round_up {
                TooSmall::RoundUp
            } else {
                TooSmall::Refuse
            },
            kinds: match (params.get(names::DISK_ID), params.get(names::TYPE.name())) {
                (Some(_), None) => Vec::new(),
                _ => Kind::from_params(&params)?,
            },
            zones: zone::from_request(&params, &request.accessibility_requirements, region)?,
            places: &request.accessibility_requirements,
            encrypted,
            kms_key,
            roles: roles(&params)?,
            resource_group: params.get(names::RESOURCE_GROUP_ID),
            storage_cluster,
            multi_attach,
            provisioned_iops: params.get(names::PROVISIONED_IOPS)?,
            bursting: params.get(names::BURSTING_ENABLED)?,
            tags: tags::of_disk(&request.name, &params)?,
            context: context(&params)?,
        })
    }

    /// Whether a zone has to be found elsewhere.
    pub(crate) fn lacks_zone(&self) -> bool {
        self.zones.is_empty()
            && self.places.is_empty()
            && self.kinds.iter().any(|kind| !kind.category.is_regional())
    }

    /// Every way to make it, the preferred first, and why others are none. The zone weighs more than the category,
    /// and in a zone the first node does: the scheduler put the pod's there. Without a pod any node may come first.
    pub(crate) fn attempts(&self, source: Option<u64>) -> (Vec<Attempt<'a>>, Vec<Error>) {
        let (mut attempts, mut reasons) = (Vec::new(), Vec::new());
        for round in 0..self.zones.len().max(1) {
            let mut for_others = Vec::new();
            for kind in &self.kinds {
                let regional = kind.category.is_regional();
                // Once for the whole region.
                if regional && round > 0 {
                    continue;
                }
                let zone = self.zones.get(round).filter(|_| !regional).copied();
                if zone.is_none() && !regional {
                    reasons.push(zone::missing(*kind));
                    continue;
                }
                let attempt = |gib| Attempt {
                    kind: *kind,
                    zone,
                    gib,
                };
                let size = self.size(*kind, source);
                match size.and_then(|gib| self.usable_by(*kind, zone).map(|by| (gib, by))) {
                    Ok((gib, UsableBy::FirstNode)) => attempts.push(attempt(gib)),
                    Ok((gib, UsableBy::OtherNode)) => for_others.push(attempt(gib)),
                    Err(Error::Exhausted(reason)) => reasons.push(Error::Exhausted(reason)),
                    Err(reason) if round == 0 => reasons.push(reason),
                    Err(_) => {}
                }
            }
            attempts.append(&mut for_others);
        }
        (attempts, reasons)
    }

    /// Which of the nodes of a zone could have such a disk, where they are known.
    fn usable_by(&self, kind: Kind, zone: Option<&str>) -> Result<UsableBy, Error> {
        let category = kind.category.name();
        let first = KEYS.first_in(self.places, zone, None);
        let taking = KEYS.first_in(self.places, zone, Some(category));
        if let (Some(first), None) = (first, taking) {
            let node = KEYS.instance(first).unwrap_or("the node");
            // `exhausted` is what has the scheduler look for another node.
            bail!(Exhausted: "the type of {node} takes no {kind}, nor does that of any other node that was named for \
                its zone");
        }
        // Who asks by hand names no places.
        let instance = taking.and_then(|place| KEYS.instance(place));
        if kind.category.is_ephemeral() && instance.is_none() && !self.places.is_empty() {
            bail!(InvalidArgument: "a disk of {kind} lives and dies with one instance, and none was chosen: set \
                volumeBindingMode WaitForFirstConsumer, and have the provisioner run with --strict-topology where \
                allowedTopologies do not name instances");
        }
        Ok(match first {
            Some(first) if !KEYS.takes(first, category) => UsableBy::OtherNode,
            Some(_) | None => UsableBy::FirstNode,
        })
    }

    /// The instance that was chosen for a disk of a zone.
    pub(crate) fn instance_in(&self, zone: &str, category: &str) -> Option<&'a str> {
        let place = KEYS.first_in(self.places, Some(zone), Some(category))?;
        KEYS.instance(place)
    }

    fn size(&self, kind: Kind, source: Option<u64>) -> Result<u64, Error> {
        if source.is_some() && kind.category.is_ephemeral() {
            bail!(Unsupported: "a disk of {kind} cannot be made from a snapshot");
        }
        size::for_new(
            &self.capacity,
            source.unwrap_or_default(),
            kind,
            self.too_small,
        )
    }

    /// Whether a disk is in no zone that it was wanted in.
    pub(crate) fn is_out_of_reach(&self, disk: &Disk) -> bool {
        let regional = disk.kind().category.is_regional();
        let everywhere = regional || disk.zone.is_empty() || self.zones.is_empty();
        !everywhere && !self.zones.contains(&disk.zone)
    }

    /// How a disk that has the name differs from what is wanted; empty where it is the one.
    pub(crate) fn differences(&self, disk: &Disk, source: Option<&str>) -> String {
        let mut found = String::new();
        let mut differs =
            |what: &str, has: &str| add_word(&mut found, &format!("its {what} is {has}"));
        if !self.capacity.holds_gib(disk.gib) {
            differs("size", &format!("{} GiB", disk.gib));
        }
        let is_wanted = |kind: &Kind| {
            kind.category.name() == disk.category
                && (kind.level.is_none() || kind.level == disk.level)
        };
        if !self.kinds.is_empty() && !self.kinds.iter().any(is_wanted) {
            differs("category", &disk.kind_name());
        }
        if self.is_out_of_reach(disk) {
            differs("zone", disk.zone);
        }
        if self.encrypted != disk.encrypted && self.encrypted {
            differs("encryption", "off");
        }
        if self.kms_key.is_some_and(|key| key != disk.kms_key) {
            differs("key", disk.kms_key);
        }
        if disk.snapshot != source {
            differs("source", disk.snapshot.unwrap_or("no snapshot"));
        }
        if self.multi_attach != disk.multi_attach {
            differs(
                "multiAttach",
                &(disk.multi_attach == MultiAttach::Enabled).to_string(),
            );
        }
        if self
            .resource_group
            .is_some_and(|group| group != disk.resource_group)
        {
            differs("resource group", disk.resource_group);
        }
        if disk.kind().category.is_auto() {
            if self
                .provisioned_iops
                .is_some_and(|iops| iops != disk.provisioned_iops)
            {
                differs("provisionedIops", &disk.provisioned_iops.to_string());
            }
            if self
                .bursting
                .is_some_and(|bursting| bursting != disk.bursting)
            {
                differs("burstingEnabled", &disk.bursting.to_string());
            }
        }
        found
    }
}

/// Words that are known and can not be honoured, and those that allow one value only.
fn check_words(params: &Params<'_>, region: &str) -> Result<(), Error> {
    for (key, value) in params.0.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(reason) = names::refusal(key) {
            bail!(InvalidArgument: "{key} \"{value}\" cannot be honoured: {reason}");
        }
    }
    if params.get(names::OMIT_FSCK)? == Some(true) {
        let reason = "a filesystem is checked before each mount; leave it out";
        return Err(malformed(names::OMIT_FSCK, "true", reason));
    }
    match params.get(names::RESTRICT_TO_HPN_ZONE) {
        Some(word) if !word.eq_ignore_ascii_case("never") => {
            let reason = "nodes' network zones are not told apart; write never, or leave it out";
            return Err(malformed(names::RESTRICT_TO_HPN_ZONE, word, reason));
        }
        _ => {}
    }
    match params.get(names::REGION_ID) {
        Some(spec) if spec != region => Err(
            error!(InvalidArgument: "regionId is {spec}, and the driver's file grants \
            region {region}: disks cannot be attached across regions"),
        ),
        _ => Ok(()),
    }
}

/// ECS's own words for it are understood too, as the CSI driver does.
fn multi_attach(params: &Params<'_>) -> Result<MultiAttach, Error> {
    let written = params.get(names::MULTI_ATTACH).unwrap_or_default();
    if written.eq_ignore_ascii_case("enabled") {
        return Ok(MultiAttach::Enabled);
    }
    if written.eq_ignore_ascii_case("disabled") {
        return Ok(MultiAttach::Disabled);
    }
    Ok(match params.get(Flag::new(names::MULTI_ATTACH.name()))? {
        Some(true) => MultiAttach::Enabled,
        Some(false) | None => MultiAttach::Disabled,
    })
}

/// The CSI driver hands them to CreateDisk, which assumes them by itself: `Arn.1.Rolearn` and its kin.
fn roles(params: &Params<'_>) -> Result<Vec<(String, &'static str)>, Error> {
    let mut roles = Vec::new();
    let Some(written) = params.get(names::CREATE_DISK_ARN) else {
        return Ok(roles);
    };
    let unfit = || {
        let accepted = "write a JSON list of objects with Rolearn, RoleType and AssumeRoleFor";
        malformed(names::CREATE_DISK_ARN, written, accepted)
    };
    let Ok(Json::List(listed)) = Json::read(written.as_bytes()) else {
        return Err(unfit());
    };
    for (position, role) in (1_u64..).zip(listed) {
        role.some_text("Rolearn").ok_or_else(unfit)?;
        for field in ["Rolearn", "RoleType", "AssumeRoleFor"] {
            if let Some(value) = role.some_text(field) {
                roles.push((format!("Arn.{position}.{field}"), value));
            }
        }
    }
    Ok(roles)
}

/// Whether a disk can be used so; `unsupported`, with the reason, where it cannot.
pub(crate) fn check_capabilities(
    multi_attach: MultiAttach,
    capabilities: &[VolumeCapability],
) -> Result<(), Error> {
    let enable = "set multiAttach in the StorageClass";
    refuse_sharing(multi_attach, capabilities, enable)
}

/// What travels with the volume. The disk's id too: a FlexVolume's own name is that of its PersistentVolume.
fn context(params: &Params<'_>) -> Result<Parameters, Error> {
    let mut context = Vec::new();
    for name in [names::FS_TYPE, names::MKFS_OPTIONS] {
        if let Some(value) = params.get(name) {
            // The host would believe nothing of the answer, and the disk would be nobody's.
            if value.chars().any(is_harmful) {
                bail!(InvalidArgument: "{} has a character that ends a line or cannot be seen; write it without", name.as_ref());
            }
            context.push((name.into(), value.into()));
        }
    }
    for name in [names::READ_ONLY, names::DETACH_FROM_OTHER_NODE] {
        if params.get(name)? == Some(true) {
            context.push((name.into(), "true".into()));
        }
    }
    Ok(context)
}

#[cfg(test)]
mod tests;
