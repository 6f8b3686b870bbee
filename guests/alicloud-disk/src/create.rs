//! Disks are made; the SDK's `create_once` says how there is one for each name.
//!
//! The next category is tried only after ECS refused the one before. Should two disks show up all the same, because
//! descriptions lagged while stock came back, the older is the volume, and the one just made goes away, but only if it
//! never was attached.

use drivebay_guest::codes::is_among;
use drivebay_guest::create_once::{self, Progress, Resource};
use drivebay_guest::error::every_way_failed;
use drivebay_guest::failure::{Failure, Kind};
use drivebay_guest::log::Level;
use drivebay_guest::prelude::*;

use crate::adopt;
use crate::api_request::{Action, Call};
use crate::category::Category;
use crate::disk::{Disk, History, MultiAttach, Status, first};
use crate::ecs::{Api, Ecs};
use crate::id::{DiskId, SnapshotId};
use crate::instance;
use crate::parameter_names;
use crate::volume_spec::{Attempt, VolumeSpec};
use crate::zone;

/// Make a volume, or find the one that an earlier try made.
#[inline(never)]
pub(crate) fn create_volume(ecs: Ecs<'_>, request: &CreateRequest) -> Result<VolumeInfo, Error> {
    let mut spec = VolumeSpec::from_request(request, &ecs.cloud.region()?)?;
    let params = Params(&request.parameters);
    let source = source(request, &params)?;
    if params
        .get(parameter_names::VOLUME_EXPAND_AUTO_SNAPSHOT)
        .is_some()
    {
        let line = "volumeExpandAutoSnapshot is obsolete and without effect";
        ecs.host().note(Level::Info, line);
    }
    let disk = match params.get(parameter_names::DISK_ID) {
        Some(written) => adopt::take(ecs, &spec, source, written)?,
        None => find_or_make(ecs, &mut spec, source)?,
    };
    let mut info = disk.info();
    // One that never was attached says of no instance yet; the scheduler does.
    if disk.is_ephemeral()
        && disk.nodes.is_empty()
        && let (Some(place), Some(node)) = (
            info.accessible_topology.first_mut(),
            spec.instance_in(disk.zone, disk.category),
        )
    {
        place.push((zone::INSTANCE.into(), node.into()));
    }
    info.context
        .push((parameter_names::VOLUME_ID.into(), info.id.clone()));
    info.context.append(&mut spec.context);
    Ok(info)
}

fn find_or_make(
    ecs: Ecs<'_>,
    spec: &mut VolumeSpec<'_>,
    source: Option<SnapshotId<'_>>,
) -> Result<Disk, Error> {
    let mut creation = Creation::new(ecs, spec, source);
    // Before anything else is asked: the snapshot, say, may be gone since the disk was made from it.
    if create_once::find(&ecs, creation.spec.name, &mut creation)? {
        return creation.seen();
    }
    let gib = source.map(|id| snapshot_size(ecs, id)).transpose()?;
    if spec.lacks_zone() {
        spec.zones.push(own_zone(ecs)?);
    }
    Creation::new(ecs, spec, source).make(gib)
}

/// The claim's, or that of the CSI driver's word for it.
fn source<'a>(
    request: &'a CreateRequest,
    params: &Params<'a>,
) -> Result<Option<SnapshotId<'a>>, Error> {
    let word = params.get(parameter_names::SNAPSHOT_ID);
    let claims = request.source_snapshot_id.as_deref();
    if let (Some(word), Some(claims)) = (word, claims)
        && word != claims
    {
        let reason = format!("the claim's dataSource is snapshot {claims}: leave one of them out");
        return Err(malformed(parameter_names::SNAPSHOT_ID, word, &reason));
    }
    claims.or(word).map(SnapshotId::asked).transpose()
}

fn snapshot_size(ecs: Ecs<'_>, id: SnapshotId<'_>) -> Result<u64, Error> {
    let snapshot = ecs.existing_snapshot(id)?;
    if !snapshot.available {
        bail!(InProgress: "snapshot {id} is not usable yet; ask again");
    }
    Ok(snapshot.gib)
}

/// As the old provisioner did it: a disk goes where it was asked for.
fn own_zone(ecs: Ecs<'_>) -> Result<&'static str, Error> {
    match instance::document(ecs.cloud) {
        Ok(document) => Ok(document.zone),
        Err(Error::Denied(reason)) => Err(
            error!(InvalidArgument: "nothing says in which zone to make the disk: set \
            zoneId or volumeBindingMode WaitForFirstConsumer in the StorageClass ({reason})"),
        ),
        Err(error) => Err(error),
    }
}

/// One create request on its way.
struct Creation<'a> {
    ecs: Ecs<'a>,
    spec: &'a VolumeSpec<'a>,
    source: Option<SnapshotId<'a>>,
    disk: Option<Disk>,
}

impl Resource for Creation<'_> {
    fn find(&mut self) -> Result<Progress, Error> {
        let named = self.ecs.disks_named(self.spec.name)?;
        let disk = named.iter().reduce(first);
        disk.map_or(Ok(Progress::Missing), |disk| self.adopt(*disk))
    }

    /// By its name, so that one answer tells of both: how far the disk just made is, and whether an older one shows up that
    /// has the name.
    fn poll(&mut self, id: &'static str) -> Result<Progress, Error> {
        let id = DiskId::made(id)?;
        let named = self.ecs.disks_named(self.spec.name)?;
        let shown = named.iter().find(|disk| disk.id == id).copied();
        // What searches do not show yet may be there all the same; taken for gone, it would be made again.
        let Some(made) = shown.map_or_else(|| self.ecs.disk(id), |disk| Ok(Some(disk)))? else {
            return Ok(Progress::Missing);
        };
        let kept = *named.iter().fold(&made, first);
        if [made, kept]
            .iter()
            .any(|disk| disk.status == Status::Creating)
        {
            return Ok(Progress::Pending);
        }
        if kept.id == made.id {
            return Ok(self.see(made));
        }
        self.drop_surplus(&made);
        self.adopt(kept)
    }
}

impl<'a> Creation<'a> {
    fn new(ecs: Ecs<'a>, spec: &'a VolumeSpec<'a>, source: Option<SnapshotId<'a>>) -> Self {
        Self {
            ecs,
            spec,
            source,
            disk: None,
        }
    }

    fn see(&mut self, disk: Disk) -> Progress {
        self.disk = Some(disk);
        match disk.status {
            Status::Creating => Progress::Pending,
            Status::Available
            | Status::Attaching
            | Status::InUse
            | Status::Detaching
            | Status::Other(_) => Progress::Ready,
        }
    }

    fn seen(&self) -> Result<Disk, Error> {
        self.disk
            .ok_or_else(|| error!(Internal: "no disk was seen for {}", self.spec.name))
    }

    /// A disk that was made for the name, if it is what is wanted.
    fn adopt(&mut self, disk: Disk) -> Result<Progress, Error> {
        let (name, source) = (self.spec.name, self.source.map(SnapshotId::as_str));
        let differences = self.spec.differences(&disk, source);
        ensure!(differences.is_empty(), AlreadyExists: "disk {} was made for {name} with other properties: {differences}",
            disk.id);
        Ok(self.see(disk))
    }

    fn make(&mut self, source_gib: Option<u64>) -> Result<Disk, Error> {
        let (attempts, mut reasons) = self.spec.attempts(source_gib);
        let ecs = self.ecs;
        let region = ecs.cloud.region()?;
        for attempt in &attempts {
            let call = self.call(attempt).with("RegionId", &region);
            let (name, zone) = (self.spec.name, attempt.zone.unwrap_or_default());
            let seed = format!("{name}\n{zone}\n{}\n", attempt.kind);
            match create_once::make(&ecs, &call, "DiskId", &seed, self) {
                Ok(()) => return self.seen(),
                Err(failure) if may_succeed_elsewhere(attempt, &failure) => {
                    reasons.push(failure.into())
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        let message = format!("no disk can be made for {}", self.spec.name);
        Err(every_way_failed(message, reasons))
    }

    fn call(&self, attempt: &Attempt<'_>) -> Call {
        let spec = self.spec;
        let auto = attempt.kind.category.is_auto();
        let subject = format!(
            "a {} of {} GiB for {}",
            attempt.kind, attempt.gib, spec.name
        );
        let shared = spec.multi_attach == MultiAttach::Enabled;
        let iops = spec
            .provisioned_iops
            .filter(|_| auto)
            .map(|iops| iops.to_string());
        let bursting = spec
            .bursting
            .filter(|_| auto)
            .map(|bursting| bursting.to_string());
        Call::new(Action::CreateDisk, subject)
            .with_some("ZoneId", attempt.zone)
            .with_some("DiskName", disk_name(spec.name))
            .with("DiskCategory", attempt.kind.category.name())
            .with_some(
                "PerformanceLevel",
                attempt.kind.level.map(|level| level.name()),
            )
            .with_number("Size", attempt.gib)
            .with_some("SnapshotId", self.source.map(SnapshotId::as_str))
            .with_some("Encrypted", spec.encrypted.then_some("true"))
            .with_some("KMSKeyId", spec.kms_key)
            .with_all(&spec.roles)
            .with_some("ResourceGroupId", spec.resource_group)
            .with_some("StorageClusterId", spec.storage_cluster)
            .with_some("MultiAttach", shared.then_some("Enabled"))
            .with_some("ProvisionedIops", iops.as_deref())
            .with_some("BurstingEnabled", bursting.as_deref())
            .with_tags(&spec.tags)
    }

    /// A disk that never was attached holds nothing that anybody wrote.
    fn drop_surplus(&self, made: &Disk) {
        let is_unused = made.status == Status::Available
            && made.nodes.is_empty()
            && made.history == History::NeverAttached;
        let call = Call::new(Action::DeleteDisk, format!("disk {}", made.id))
            .with("DiskId", made.id.as_str());
        let is_gone = is_unused && self.ecs.call(&call).is_ok();
        let outcome = if is_gone {
            "it was deleted again"
        } else {
            "delete it by hand"
        };
        let line = format!(
            "disk {} was made for {}, which had one; {outcome}",
            made.id, self.spec.name
        );
        self.ecs.host().note(Level::Warn, &line);
    }
}

/// Refusals that another category, level or zone may not meet with. ECS says the last of them with several codes.
fn may_succeed_elsewhere(attempt: &Attempt<'_>, failure: &Failure) -> bool {
    let of_any = "InvalidDataDiskCategory* InvalidDataDiskSize.ValueNotSupported InvalidDiskCategory.NotSupported \
        InvalidDiskCategory.ValueNotSupported InvalidDiskSize.NotSupported InvalidZoneId.DiskCategoryUnsupported \
        OperationDenied OperationDenied.NoStock Zone.NotOnSale";
    let category = attempt.kind.category;
    let of_kind = if category == Category::Essd {
        "InvalidPerformanceLevel.Malformed OperationDenied.PerformanceLevelNotMatch"
    } else if category.is_auto() {
        "InvalidProvisionedIops.LimitExceed"
    } else {
        ""
    };
    let is_said = [of_any, of_kind]
        .iter()
        .any(|codes| is_among(codes, failure.code));
    let is_said_in_words = failure.says("'DataDisk.n.Category' is not valid in this region.");
    failure.kind == Kind::Refused && (is_said || is_said_in_words)
}

/// ECS takes names that begin with a letter. The tag has the name in any case.
pub(crate) fn disk_name(name: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'-');
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let fits = (2..=128).contains(&name.len());
    (fits && begins && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests;
