//! What each action does to the fake's disks and snapshots, and how they are described.

use super::{FakeDisk, FakeSnapshot, Fault, State};
use crate::api_request::{Action, Call};

pub(super) type Answer = Result<String, (&'static str, u16)>;

pub(super) fn get<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    let (_, value) = call.query.iter().find(|(key, _)| key == name)?;
    Some(value)
}

/// `["d-1"]` for `DiskIds`.
fn in_list(call: &Call, name: &str, id: &str) -> bool {
    get(call, name).is_none_or(|list| list.contains(&format!("\"{id}\"")))
}

fn is(call: &Call, name: &str, value: &str) -> bool {
    get(call, name).is_none_or(|wanted| wanted == value)
}

pub(super) fn has_tag(call: &Call, tags: &[(String, String)]) -> bool {
    let Some(key) = get(call, "Tag.1.Key") else {
        return true;
    };
    let value = get(call, "Tag.1.Value").unwrap_or_default();
    tags.iter().any(|(k, v)| k == key && v == value)
}

pub(super) fn tags(call: &Call) -> Vec<(String, String)> {
    let tag = |n: usize| {
        let part = |part: &str| get(call, &format!("Tag.{n}.{part}")).map(String::from);
        Some((part("Key")?, part("Value")?))
    };
    (1..).map_while(tag).collect()
}

pub(super) fn written(tags: &[(String, String)]) -> String {
    let tag =
        |(key, value): &(String, String)| format!(r#"{{"TagKey":"{key}","TagValue":"{value}"}}"#);
    let tags: Vec<_> = tags.iter().map(tag).collect();
    format!(r#"{{"Tag":[{}]}}"#, tags.join(","))
}

/// Ephemeral disks end with their instance, and each call has to say so.
fn ends_with_instance(disk: &FakeDisk, call: &Call) -> Result<(), (&'static str, u16)> {
    let said = get(call, "DeleteWithInstance") == Some("true");
    if disk.category.starts_with("elastic_ephemeral") && !said {
        return Err(("DeleteWithInstance.Conflict", 403));
    }
    Ok(())
}

/// One category in the zone that was asked about, others in others, and one of the whole region.
fn available_resource(call: &Call) -> String {
    let zone = |zone: &str, category: &str| {
        let resource =
            format!(r#"{{"SupportedResource":[{{"Value":"{category}","Status":"SoldOut"}}]}}"#);
        format!(
            r#"{{"ZoneId":"{zone}","AvailableResources":{{"AvailableResource":[{{"Type":"DataDisk","SupportedResources":{resource}}}]}}}}"#
        )
    };
    let zones = match get(call, "Scope") {
        Some("region") => zone("", "cloud_regional_disk_auto"),
        _ => {
            let asked = get(call, "ZoneId").expect("ZoneId");
            [zone("elsewhere", "cloud_ssd"), zone(asked, "cloud_essd")].join(",")
        }
    };
    format!(r#"{{"AvailableZones":{{"AvailableZone":[{zones}]}}}}"#)
}

/// A page of what matches, as ECS pages: tokens are opaque, and here where the next page starts.
fn paged(call: &Call, outer: &str, inner: &str, items: Vec<String>) -> String {
    let start: usize = get(call, "NextToken").map_or(0, |token| token.parse().expect("our token"));
    let size: usize = get(call, "MaxResults").map_or(10, |size| size.parse().expect("a number"));
    assert!((10..=100).contains(&size), "MaxResults {size}");
    let end = (start + size).min(items.len());
    let next = if end < items.len() {
        end.to_string()
    } else {
        String::new()
    };
    let page = items[start.min(end)..end].join(",");
    format!(r#"{{"RequestId":"R","NextToken":"{next}","{outer}":{{"{inner}":[{page}]}}}}"#)
}

impl FakeDisk {
    fn truth(&self) -> String {
        self.as_if(if self.nodes.is_empty() {
            "Available"
        } else {
            "In_use"
        })
    }

    pub(super) fn as_if(&self, status: &str) -> String {
        let node = |node: &String| format!(r#"{{"InstanceId":"{node}"}}"#);
        let nodes: Vec<_> = self.nodes.iter().map(node).collect();
        format!(
            r#"{{"DiskId":"{}","Status":"{status}","Category":"{}","PerformanceLevel":"{}","Size":{},"ZoneId":"{}","RegionId":"cn-test",
            "MultiAttach":"{}","ProvisionedIops":{},"BurstingEnabled":{},"SourceSnapshotId":"{}","Encrypted":{},
            "SerialNumber":"{}","Attachments":{{"Attachment":[{}]}},"Tags":{},"CreationTime":"{}","AttachedTime":"{}",
            "OperationLocks":{{"OperationLock":[{}]}}}}"#,
            self.id,
            self.category,
            self.level,
            self.gib,
            self.zone,
            if self.multi_attach {
                "Enabled"
            } else {
                "Disabled"
            },
            self.iops,
            self.bursting,
            self.snapshot,
            self.encrypted,
            self.id.trim_start_matches("d-"),
            nodes.join(","),
            written(&self.tags),
            drivebay_guest::moment::written(1_800_000_000 + self.created),
            if self.was_attached {
                "2026-01-01T00:00:00Z"
            } else {
                ""
            },
            match self.lock.as_str() {
                "" => String::new(),
                reason => format!(r#"{{"LockReason":"{reason}"}}"#),
            },
        )
    }

    /// Before a change: what is described until it shows.
    fn lag(&mut self, polls: usize, on_the_way: &str) {
        self.shown = vec![self.truth(); polls];
        if !on_the_way.is_empty() {
            let node_unknown = FakeDisk {
                nodes: Vec::new(),
                ..self.clone()
            };
            let on_its_way = if on_the_way == "Attaching" {
                node_unknown
            } else {
                self.clone()
            };
            self.shown.push(on_its_way.as_if(on_the_way));
        }
    }

    fn describe(&mut self) -> String {
        if self.shown.is_empty() {
            self.truth()
        } else {
            self.shown.remove(0)
        }
    }
}

impl State {
    pub(super) fn next_fault(&mut self, action: Action) -> Option<Fault> {
        let place = self.faults.iter().position(|(of, ..)| *of == action)?;
        let (_, calls, fault) = self.faults[place];
        if calls > 0 {
            self.faults[place].1 -= 1;
            return None;
        }
        self.faults.remove(place);
        Some(fault)
    }

    pub(super) fn new_id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-t{}", self.made)
    }

    fn disk(&mut self, call: &Call) -> Result<&mut FakeDisk, (&'static str, u16)> {
        let id = get(call, "DiskId").expect("DiskId");
        self.disks
            .iter_mut()
            .find(|disk| disk.id == id)
            .ok_or(("InvalidDiskId.NotFound", 404))
    }

    /// What a token made before, if it was used.
    pub(super) fn known(&self, call: &Call) -> Result<Option<String>, (&'static str, u16)> {
        let token = get(call, "ClientToken").expect("a token");
        assert!(token.is_ascii() && token.len() <= 64, "{token}");
        match self.tokens.iter().find(|(known, ..)| known == token) {
            None => Ok(None),
            Some((_, parameters, made)) if *parameters == call.fingerprint() => {
                Ok(Some(made.clone()))
            }
            Some(_) => Err(("IdempotentParameterMismatch", 400)),
        }
    }

    pub(super) fn remember(&mut self, call: &Call, made: &str) {
        let token = get(call, "ClientToken").expect("a token").into();
        self.tokens.push((token, call.fingerprint(), made.into()));
    }

    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let done = |()| String::from(r#"{"RequestId":"R"}"#);
        match call.action {
            Action::CreateDisk => self.create_disk(call),
            Action::DescribeDisks => Ok(self.describe_disks(call)),
            Action::AttachDisk => self.attach_disk(call).map(done),
            Action::DetachDisk => self.detach_disk(call).map(done),
            Action::DeleteDisk => self.delete_disk(call).map(done),
            Action::ResizeDisk => self.resize_disk(call).map(done),
            Action::ModifyDiskSpec => self.modify_spec(call),
            Action::ModifyDiskAttribute => {
                let bursting = get(call, "BurstingEnabled") == Some("true");
                self.disk(call).map(|disk| disk.bursting = bursting).map(done)
            }
            Action::DescribeTasks => Ok(self.describe_tasks()),
            Action::DescribeAvailableResource => Ok(available_resource(call)),
            Action::TagResources => self.tag(call).map(done),
            Action::UntagResources => self.untag(call).map(done),
            Action::DescribeInstanceTypes => Ok(
                r#"{"InstanceTypes":{"InstanceType":[{"InstanceTypeId":"ecs.g7.large","DiskQuantity":17}]}}"#.into(),
            ),
            Action::CreateSnapshot => self.create_snapshot(call),
            Action::DescribeSnapshots => Ok(self.describe_snapshots(call)),
            Action::CreateSnapshotGroup => self.create_group(call),
            Action::DescribeSnapshotGroups => Ok(self.describe_groups(call)),
            Action::DeleteSnapshotGroup => self.delete_group(call).map(done),
            Action::DeleteSnapshot => {
                let id = get(call, "SnapshotId").expect("SnapshotId");
                if self.images.iter().any(|image| image == id) {
                    return Err(("SnapshotCreatedImage", 403));
                }
                let before = self.snapshots.len();
                self.snapshots.retain(|snapshot| snapshot.id != id);
                if self.snapshots.len() == before {
                    return Err(("InvalidSnapshotId.NotFound", 404));
                }
                Ok(done(()))
            }
        }
    }

    fn tagged(&mut self, call: &Call) -> Result<&mut FakeDisk, (&'static str, u16)> {
        assert_eq!(get(call, "ResourceType"), Some("disk"));
        let id = get(call, "ResourceId.1").expect("ResourceId.1");
        let mut disks = self.disks.iter_mut();
        disks
            .find(|disk| disk.id == id)
            .ok_or(("InvalidResourceId.NotFound", 404))
    }

    fn tag(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let new = tags(call);
        let disk = self.tagged(call)?;
        disk.tags
            .retain(|(key, _)| new.iter().all(|(k, _)| k != key));
        disk.tags.extend(new);
        Ok(())
    }

    fn untag(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let key = get(call, "TagKey.1").expect("TagKey.1").to_owned();
        assert_eq!(get(call, "TagKey.2"), None, "one is all that tests remove");
        let disk = self.tagged(call)?;
        disk.tags.retain(|(k, _)| *k != key);
        Ok(())
    }

    fn create_disk(&mut self, call: &Call) -> Answer {
        if let Some(id) = self.known(call)? {
            return Ok(format!(r#"{{"DiskId":"{id}"}}"#));
        }
        let id = self.new_id("d");
        let owned = |name: &str| get(call, name).unwrap_or_default().to_owned();
        let mut disk = FakeDisk {
            id: id.clone(),
            category: owned("DiskCategory"),
            level: owned("PerformanceLevel"),
            gib: owned("Size").parse().expect("a size"),
            zone: owned("ZoneId"),
            tags: tags(call),
            multi_attach: owned("MultiAttach") == "Enabled",
            iops: owned("ProvisionedIops").parse().unwrap_or_default(),
            bursting: owned("BurstingEnabled") == "true",
            snapshot: owned("SnapshotId"),
            encrypted: owned("Encrypted") == "true",
            created: self.made,
            ..FakeDisk::default()
        };
        // Not described at all at first, then on its way.
        disk.shown = vec![String::new(); self.lag];
        disk.shown.push(disk.as_if("Creating"));
        self.disks.push(disk);
        self.remember(call, &id);
        Ok(format!(r#"{{"DiskId":"{id}"}}"#))
    }

    fn describe_disks(&mut self, call: &Call) -> String {
        if self.searches_lag && get(call, "Tag.1.Key").is_some() {
            return "{}".into();
        }
        let matches = |disk: &&mut FakeDisk| {
            in_list(call, "DiskIds", &disk.id)
                && has_tag(call, &disk.tags)
                && get(call, "InstanceId").is_none_or(|node| disk.nodes.iter().any(|n| n == node))
        };
        let found = self
            .disks
            .iter_mut()
            .filter(matches)
            .map(FakeDisk::describe);
        let items = found.filter(|text| !text.is_empty()).collect();
        paged(call, "Disks", "Disk", items)
    }

    fn attach_disk(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let lag = self.lag;
        let disk = self.disk(call)?;
        ends_with_instance(disk, call)?;
        if !disk.nodes.is_empty() && !disk.multi_attach {
            return Err(("InvalidDisk.InUse", 404));
        }
        disk.lag(lag, "Attaching");
        disk.was_attached = true;
        disk.nodes
            .push(get(call, "InstanceId").expect("InstanceId").into());
        Ok(())
    }

    fn detach_disk(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let lag = self.lag;
        let disk = self.disk(call)?;
        let node = get(call, "InstanceId").expect("InstanceId");
        if !disk.nodes.iter().any(|n| n == node) {
            return Err(("DependencyViolation", 403));
        }
        ends_with_instance(disk, call)?;
        disk.lag(lag, "Detaching");
        disk.nodes.retain(|n| n != node);
        Ok(())
    }

    fn delete_disk(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let disk = self.disk(call)?;
        if !disk.nodes.is_empty() {
            return Err(("IncorrectDiskStatus", 403));
        }
        let id = disk.id.clone();
        self.disks.retain(|disk| disk.id != id);
        Ok(())
    }

    fn resize_disk(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let lag = self.lag;
        let disk = self.disk(call)?;
        let gib = get(call, "NewSize")
            .expect("NewSize")
            .parse()
            .expect("a size");
        if gib < disk.gib {
            return Err(("InvalidDiskSize.TooSmall", 403));
        }
        if gib == disk.gib {
            return Err(("InvalidDiskSize", 403));
        }
        disk.lag(lag, "");
        disk.gib = gib;
        Ok(())
    }

    fn modify_spec(&mut self, call: &Call) -> Answer {
        self.disk(call)?;
        if get(call, "DryRun") == Some("true") {
            return Err(("DryRunOperation", 400));
        }
        self.running = self.slow_tasks;
        self.spec = Some(call.clone());
        if self.running == 0 {
            self.finish_task();
        }
        Ok(r#"{"TaskId":"t-1"}"#.into())
    }

    fn finish_task(&mut self) {
        let Some(call) = self.spec.take() else { return };
        let Ok(disk) = self.disk(&call) else { return };
        if let Some(category) = get(&call, "DiskCategory") {
            disk.category = category.into();
            disk.level = String::new();
        }
        if let Some(level) = get(&call, "PerformanceLevel") {
            disk.level = level.into();
        }
        if let Some(iops) = get(&call, "ProvisionedIops") {
            disk.iops = iops.parse().expect("a number");
        }
    }

    fn describe_tasks(&mut self) -> String {
        let status = if self.running > 0 {
            "Processing"
        } else {
            "Finished"
        };
        self.running = self.running.saturating_sub(1);
        if self.running == 0 {
            self.finish_task();
        }
        format!(r#"{{"TaskSet":{{"Task":[{{"TaskId":"t-1","TaskStatus":"{status}"}}]}}}}"#)
    }

    fn create_snapshot(&mut self, call: &Call) -> Answer {
        let gib = self.disk(call)?.gib;
        if let Some(id) = self.known(call)? {
            return Ok(format!(r#"{{"SnapshotId":"{id}"}}"#));
        }
        let id = self.new_id("s");
        self.snapshots.push(FakeSnapshot {
            id: id.clone(),
            source: get(call, "DiskId").expect("DiskId").into(),
            gib,
            tags: tags(call),
            group: None,
        });
        self.remember(call, &id);
        Ok(format!(r#"{{"SnapshotId":"{id}"}}"#))
    }

    fn describe_snapshots(&self, call: &Call) -> String {
        let matches = |snapshot: &&FakeSnapshot| {
            in_list(call, "SnapshotIds", &snapshot.id)
                && is(call, "DiskId", &snapshot.source)
                && has_tag(call, &snapshot.tags)
        };
        let described = |snapshot: &FakeSnapshot| {
            format!(
                r#"{{"SnapshotId":"{}","SnapshotName":"{}","SourceDiskId":"{}","SourceDiskSize":"{}","Status":"accomplished","Available":true,
                "CreationTime":"2026-01-02T03:04:05Z","Tags":{}}}"#,
                snapshot.id,
                snapshot
                    .group
                    .as_ref()
                    .map(|group| format!("Created_from_{group}"))
                    .unwrap_or_default(),
                snapshot.source,
                snapshot.gib,
                written(&snapshot.tags)
            )
        };
        let items = self
            .snapshots
            .iter()
            .filter(matches)
            .map(described)
            .collect();
        paged(call, "Snapshots", "Snapshot", items)
    }
}
