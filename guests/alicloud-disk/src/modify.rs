//! Disks change while they live: category, level, operations per second, bursting, tags.

use crate::bindings::drivebay::driver::types::Error;
use crate::call::{Action, Call};
use crate::category::{self, Category, Level};
use crate::disk::{Disk, MultiAttach};
use crate::ecs::{Ecs, Step};
use crate::given::{Given, malformed};
use crate::id::DiskId;
use crate::parameters;
use crate::tagging;
use crate::tags::{Changes, Tag};

/// What a disk is to become; absent is what may stay.
#[derive(Debug)]
struct Target<'a> {
    category: Option<Category>,
    level: Option<Level>,
    iops: Option<u64>,
    bursting: Option<bool>,
    set: Vec<Tag>,
    removed: Vec<&'a str>,
}

/// Bring the disk to these properties, or change nothing: everything is checked, ECS rehearses the change of
/// kind, and only then is anything done.
#[inline(never)]
pub(crate) fn modify_volume(
    ecs: Ecs<'_>,
    id: &str,
    parameters: &[(String, String)],
) -> Result<(), Error> {
    let id = DiskId::parse(id).ok_or_else(|| {
        Error::NotFound(format!(
            "disk {id} does not exist: ids of disks begin with d-"
        ))
    })?;
    let target = Target::read(&Given(parameters))?;
    let disk = ecs.existing_disk(id)?;
    target.check(&disk)?;
    if let Some(call) = target.change_of_kind(&disk) {
        // A change under way would be refused; its end decides whether there is anything left to do.
        if !is_changing(ecs, id)? {
            rehearse(ecs, call)?;
        }
    }
    tagging::reach(ecs, &disk, &target.set, &target.removed)?;
    let kind = reach_kind(ecs, id, &target)?;
    reach_bursting(ecs, id, &target).map_err(|error| match kind {
        Reached::Already => error,
        Reached::Now => half_done(id, error),
    })
}

/// When a disk came to what was asked for.
#[derive(Clone, Copy)]
enum Reached {
    Already,
    Now,
}

impl<'a> Target<'a> {
    fn read(given: &Given<'a>) -> Result<Self, Error> {
        let category = given
            .get(parameters::TYPE)
            .map(category::known_category)
            .transpose()?;
        if category.is_some_and(Category::is_ephemeral) {
            let written = given.get(parameters::TYPE).unwrap_or_default();
            return Err(malformed(
                parameters::TYPE,
                written,
                "no disk can become ephemeral",
            ));
        }
        let Changes { set, removed } = Changes::read(given)?;
        if let Some((key, _)) = set.iter().find(|(key, _)| removed.contains(key)) {
            return Err(malformed("tag", key, "it is to be set and to be removed"));
        }
        let owned = |(key, value): (&str, &str)| (key.into(), value.into());
        Ok(Self {
            set: set.into_iter().map(owned).collect(),
            removed,
            category,
            level: given
                .get(parameters::PERFORMANCE_LEVEL)
                .map(category::known_level)
                .transpose()?,
            iops: given.number(parameters::PROVISIONED_IOPS)?,
            bursting: given.flag(parameters::BURSTING_ENABLED)?,
        })
    }

    /// What ECS would refuse at a step that can not be rehearsed, or not refuse at all.
    fn check(&self, disk: &Disk) -> Result<(), Error> {
        let becomes = self.category.map_or(disk.category, Category::name);
        let only_for = |parameter: &str, category: Category| {
            Error::InvalidArgument(format!(
                "{parameter} is for {} only, and disk {} is a {becomes}",
                category.name(),
                disk.id
            ))
        };
        if self.level.is_some() && becomes != Category::Essd.name() {
            return Err(only_for(parameters::PERFORMANCE_LEVEL, Category::Essd));
        }
        let is_auto = becomes == Category::Auto.name();
        if self.iops.is_some() && !is_auto {
            return Err(only_for(parameters::PROVISIONED_IOPS, Category::Auto));
        }
        if self.bursting.is_some() && !is_auto {
            return Err(only_for(parameters::BURSTING_ENABLED, Category::Auto));
        }
        if self.bursting == Some(true) && disk.multi_attach == MultiAttach::Enabled {
            let reason = "a disk that several nodes attach cannot burst";
            return Err(malformed(parameters::BURSTING_ENABLED, "true", reason));
        }
        Ok(())
    }

    /// The call that closes the gap; `None` where there is none. ECS wants only what differs.
    fn change_of_kind(&self, disk: &Disk) -> Option<Call> {
        let category = self
            .category
            .filter(|category| category.name() != disk.category);
        let level = self.level.filter(|level| disk.level != Some(*level));
        let iops = self.iops.filter(|iops| disk.provisioned_iops != *iops);
        if category.is_none() && level.is_none() && iops.is_none() {
            return None;
        }
        let call = Call::new(Action::ModifyDiskSpec, format!("disk {}", disk.id))
            .with("DiskId", disk.id.as_str())
            .with_some("DiskCategory", category.map(Category::name))
            .with_some("PerformanceLevel", level.map(Level::name))
            .with_some(
                "ProvisionedIops",
                iops.map(|iops| iops.to_string()).as_deref(),
            );
        Some(call)
    }
}

/// Have ECS say whether it would do it. Its yes comes as an error.
fn rehearse(ecs: Ecs<'_>, call: Call) -> Result<(), Error> {
    let call = call.with("DryRun", "true");
    let mut waiting = ecs.waiting();
    loop {
        match ecs.call(&call) {
            Ok(_) => return Ok(()),
            Err(failure)
                if failure.is("DryRunOperation") || failure.code.starts_with("NoChange") =>
            {
                return Ok(());
            }
            // It changes nothing, so that it can be repeated whatever became of it.
            Err(failure) if failure.passes() => waiting.pause(failure)?,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// A change that fails on its way shows as one that was never begun, and ECS says why when it is asked again.
fn reach_kind(ecs: Ecs<'_>, id: DiskId<'_>, target: &Target<'_>) -> Result<Reached, Error> {
    let mut reached = Reached::Already;
    ecs.pursue(&mut || {
        let step = if is_changing(ecs, id)? {
            Step::Wait(format!("disk {id} is being changed; ask again"))
        } else {
            target
                .change_of_kind(&ecs.existing_disk(id)?)
                .map_or(Step::Done, Step::Ask)
        };
        if !matches!(step, Step::Done) {
            reached = Reached::Now;
        }
        Ok(step)
    })?;
    Ok(reached)
}

/// Whether a change of category or level is under way.
fn is_changing(ecs: Ecs<'_>, id: DiskId<'_>) -> Result<bool, Error> {
    let call = Call::new(Action::DescribeTasks, format!("changes of disk {id}"))
        .with("ResourceIds.1", id.as_str())
        .with("TaskAction", Action::ModifyDiskSpec.name());
    let tasks = ecs.call_in_region(call)?.list("TaskSet", "Task");
    Ok(tasks
        .iter()
        .any(|task| ["Processing", "Waiting", "Pending"].contains(&task.text("TaskStatus"))))
}

/// Last, because ECS does not rehearse it; what it could refuse was checked before.
fn reach_bursting(ecs: Ecs<'_>, id: DiskId<'_>, target: &Target<'_>) -> Result<(), Error> {
    let Some(bursting) = target.bursting else {
        return Ok(());
    };
    ecs.pursue(&mut || {
        if ecs.existing_disk(id)?.bursting == bursting {
            return Ok(Step::Done);
        }
        let call = Call::new(
            Action::ModifyDiskAttribute,
            format!("bursting of disk {id}"),
        );
        Ok(Step::Ask(
            call.with("DiskId", id.as_str())
                .with("BurstingEnabled", &bursting.to_string()),
        ))
    })
}

/// `invalid-argument` would say that nothing was changed.
fn half_done(id: DiskId<'_>, error: Error) -> Error {
    let Error::InvalidArgument(reason) = error else {
        return error;
    };
    Error::FailedPrecondition(format!(
        "disk {id} has the category that was asked for, and its bursting cannot be changed: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    fn modify(cloud: &FakeCloud, id: &str, parameters: &[(&str, &str)]) -> Result<(), Error> {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        modify_volume(Ecs { cloud }, id, &parameters)
    }

    #[test]
    fn a_disk_becomes_what_is_asked_for_and_a_second_time_changes_nothing() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        let wanted = [
            ("type", "cloud_auto"),
            ("provisionedIops", "100"),
            ("burstingEnabled", "true"),
        ];
        for _ in 0..2 {
            modify(&cloud, &id, &wanted).expect("changed");
        }
        let disk = cloud.disk(&id).expect("a disk");
        assert_eq!(
            (disk.category.as_str(), disk.iops, disk.bursting),
            ("cloud_auto", 100, true)
        );
        // Rehearsed and done.
        assert_eq!(
            (
                cloud.count(Action::ModifyDiskSpec),
                cloud.count(Action::ModifyDiskAttribute)
            ),
            (2, 1)
        );
    }

    #[test]
    fn tags_are_set_and_removed_and_a_second_time_changes_nothing() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        cloud.change(&id, |disk| {
            disk.tags = vec![tag("team", "old"), tag("stage", "x"), tag("Team", "y")]
        });
        for _ in 0..2 {
            let wanted = [("diskTags/team", "a"), ("-diskTags/stage", "")];
            modify(&cloud, &id, &wanted).expect("changed");
        }
        let mut tags = cloud.disk(&id).expect("a disk").tags;
        tags.sort();
        assert_eq!(tags, [tag("Team", "y"), tag("team", "a")]);
        let counts = (
            cloud.count(Action::TagResources),
            cloud.count(Action::UntagResources),
        );
        assert_eq!(counts, (1, 1));
    }

    #[test]
    fn tags_that_cannot_be_meant_change_nothing() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        for wanted in [
            &[("-diskTags/csi.alibabacloud.com/volume-name", "")][..],
            &[("diskTags/csi.alibabacloud.com/volume-name", "mine")],
            &[("diskTags/aliyun", "x")],
            &[("diskTags/a", "x"), ("-diskTags/a", "")],
        ] {
            let error = modify(&cloud, &id, wanted);
            assert!(
                matches!(error, Err(Error::InvalidArgument(_))),
                "{wanted:?}"
            );
        }
        assert_eq!(cloud.count(Action::TagResources), 0);
    }

    #[test]
    fn what_the_rehearsal_refuses_changes_nothing() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        cloud.fault(
            Action::ModifyDiskSpec,
            Fault::Refuse("InvalidDiskCategory.NotSupported"),
        );
        let error = modify(
            &cloud,
            &id,
            &[("type", "cloud_auto"), ("burstingEnabled", "true")],
        );
        assert!(matches!(error, Err(Error::InvalidArgument(_))));
        let disk = cloud.disk(&id).expect("a disk");
        assert_eq!(
            (disk.category.as_str(), disk.bursting),
            ("cloud_essd", false)
        );
    }

    #[test]
    fn words_that_do_not_fit_the_disk_are_refused_before_anything_is_asked() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        for wanted in [
            ("burstingEnabled", "true"),
            ("provisionedIops", "100"),
            ("type", "floppy"),
            ("type", "elastic_ephemeral_disk_standard"),
            ("performanceLevel", "PL7"),
        ] {
            assert!(
                matches!(
                    modify(&cloud, &id, &[wanted]),
                    Err(Error::InvalidArgument(_))
                ),
                "{wanted:?}"
            );
        }
        assert_eq!(cloud.count(Action::ModifyDiskSpec), 0);
    }

    #[test]
    fn lost_answers_are_looked_after() {
        for fault in [
            Fault::Drop,
            Fault::LoseAnswer,
            Fault::Refuse("IncorrectDiskStatus"),
        ] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_essd", 500);
            cloud.fault_after(Action::ModifyDiskSpec, 1, fault);
            modify(&cloud, &id, &[("performanceLevel", "PL2")]).expect("changed");
            assert_eq!(cloud.disk(&id).expect("a disk").level, "PL2");
        }
    }

    #[test]
    fn a_change_that_takes_long_is_in_progress_and_the_next_call_joins_in() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 500);
        cloud.slow_tasks(30);
        cloud.deadline_in(5000);
        let wanted = [("type", "cloud_auto")];
        assert!(matches!(
            modify(&cloud, &id, &wanted),
            Err(Error::InProgress(_))
        ));
        cloud.deadline_in(u64::MAX);
        modify(&cloud, &id, &wanted).expect("changed");
        assert_eq!(cloud.count(Action::ModifyDiskSpec), 2);
    }

    #[test]
    fn bursting_that_is_refused_is_final_where_nothing_else_was_changed() {
        for (changed, wanted) in [
            (false, &[("burstingEnabled", "true")][..]),
            (true, &[("burstingEnabled", "true"), ("type", "cloud_auto")]),
        ] {
            let cloud = FakeCloud::new();
            let category = if changed { "cloud_essd" } else { "cloud_auto" };
            let id = cloud.add_disk(category, 20);
            let code = "BurstingEnabledForDiskCategoryUnsupported";
            cloud.fault(Action::ModifyDiskAttribute, Fault::Refuse(code));
            let error = modify(&cloud, &id, wanted).expect_err("refused");
            assert_eq!(matches!(error, Error::FailedPrecondition(_)), changed);
            assert_eq!(matches!(error, Error::InvalidArgument(_)), !changed);
        }
    }

    #[test]
    fn refusals_have_their_conditions() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        cloud.fault(Action::ModifyDiskSpec, Fault::Refuse("DiskInCoolingPeriod"));
        let error = modify(&cloud, &id, &[("performanceLevel", "PL0")]);
        assert!(matches!(error, Err(Error::FailedPrecondition(_))));
        for id in ["d-gone", "fake"] {
            assert!(matches!(modify(&cloud, id, &[]), Err(Error::NotFound(_))));
        }
    }
}
