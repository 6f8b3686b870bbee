//! Disks change while they live: category, level, operations per second, bursting, tags.

use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::category::{self, Category, Level};
use crate::disk::{Disk, MultiAttach};
use crate::ecs::{Api, Ecs, Reached, Step};
use crate::id::DiskId;
use crate::parameter_names;
use crate::tagging;
use crate::tags::{Changes, MOST, Tag};

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

/// Bring the disk to these properties, or change nothing: everything is checked, ECS dry-runs the change of
/// kind, and only then is anything done.
#[inline(never)]
pub(crate) fn modify_volume(
    ecs: Ecs<'_>,
    id: &str,
    parameters: &[(String, String)],
) -> Result<(), Error> {
    let id = DiskId::asked(id)?;
    let target = Target::read(&Params(parameters))?;
    let disk = ecs.existing_disk(id)?;
    target.check(&disk)?;
    if let Some(call) = target.change_of_kind(&disk) {
        // A change under way would be refused; its end decides whether there is anything left to do.
        if !is_changing(ecs, id)? {
            dry_run(ecs, call)?;
        }
    }
    carry_out(ecs, &disk, &target)
}

/// One step of a modification.
type Part = fn(Ecs<'_>, &Disk, &Target<'_>) -> Result<Reached, Error>;

/// What ECS may refuse for good comes first, so that most refusals find nothing changed. Old tags go before new ones
/// come: there is room for so many.
const PARTS: [Part; 4] = [
    reach_kind,
    reach_bursting,
    |ecs, disk, target| tagging::remove(ecs, disk, &target.removed),
    |ecs, disk, target| tagging::set(ecs, disk, &target.set),
];

fn carry_out(ecs: Ecs<'_>, disk: &Disk, target: &Target<'_>) -> Result<(), Error> {
    let mut whole = Reached::Already;
    for part in PARTS {
        match (part(ecs, disk, target), whole) {
            (Ok(Reached::Now), _) => whole = Reached::Now,
            (Ok(Reached::Already), _) => {}
            (Err(error), Reached::Already) => return Err(error),
            (Err(error), Reached::Now) => return Err(half_done(disk.id, error)),
        }
    }
    Ok(())
}

impl<'a> Target<'a> {
    fn read(params: &Params<'a>) -> Result<Self, Error> {
        let category = params
            .get(parameter_names::TYPE.name())
            .map(category::known_category)
            .transpose()?;
        if category.is_some_and(Category::is_ephemeral) {
            let written = params.get(parameter_names::TYPE.name()).unwrap_or_default();
            return Err(malformed(
                parameter_names::TYPE,
                written,
                "no disk can become ephemeral",
            ));
        }
        let Changes { set, removed } = Changes::read(params)?;
        if set.len() > MOST || removed.len() > MOST {
            bail!(InvalidArgument: "too many tags: ECS sets and removes at most {MOST} at once");
        }
        let owned = |(key, value): (&str, &str)| (key.into(), value.into());
        Ok(Self {
            set: set.into_iter().map(owned).collect(),
            removed,
            category,
            level: params
                .get(parameter_names::PERFORMANCE_LEVEL.name())
                .map(category::known_level)
                .transpose()?,
            iops: params.get(parameter_names::PROVISIONED_IOPS)?,
            bursting: params.get(parameter_names::BURSTING_ENABLED)?,
        })
    }

    /// What ECS would refuse at a step that has no dry run, or not refuse at all.
    fn check(&self, disk: &Disk) -> Result<(), Error> {
        let becomes = self.category.map_or(disk.category, Category::name);
        let only_for = |parameter: &str, category: Category| error!(InvalidArgument: "{parameter} is for {} only, and disk {} is a {becomes}", category.name(), disk.id);
        if self.level.is_some() && becomes != Category::Essd.name() {
            return Err(only_for(
                parameter_names::PERFORMANCE_LEVEL.name(),
                Category::Essd,
            ));
        }
        let is_auto = becomes == Category::Auto.name();
        if self.iops.is_some() && !is_auto {
            return Err(only_for(
                parameter_names::PROVISIONED_IOPS.name(),
                Category::Auto,
            ));
        }
        if self.bursting.is_some() && !is_auto {
            return Err(only_for(
                parameter_names::BURSTING_ENABLED.name(),
                Category::Auto,
            ));
        }
        if self.bursting == Some(true) && disk.multi_attach == MultiAttach::Enabled {
            let reason = "a disk that several nodes attach cannot burst";
            return Err(malformed(parameter_names::BURSTING_ENABLED, "true", reason));
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
fn dry_run(ecs: Ecs<'_>, call: Call) -> Result<(), Error> {
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
fn reach_kind(ecs: Ecs<'_>, disk: &Disk, target: &Target<'_>) -> Result<Reached, Error> {
    let id = disk.id;
    ecs.reconcile(&mut || {
        if is_changing(ecs, id)? {
            let reason = format!("disk {id} is being changed; ask again");
            return Ok(Step::Wait(reason));
        }
        let disk = ecs.existing_disk(id)?;
        Ok(target.change_of_kind(&disk).map_or(Step::Done, Step::Ask))
    })?;
    // A change that was under way already may be that of an earlier try.
    Ok(match target.change_of_kind(disk) {
        Some(_) => Reached::Now,
        None => Reached::Already,
    })
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

/// After the kind, which decides whether a disk can burst. ECS has no dry run of it.
fn reach_bursting(ecs: Ecs<'_>, disk: &Disk, target: &Target<'_>) -> Result<Reached, Error> {
    let Some(bursting) = target.bursting else {
        return Ok(Reached::Already);
    };
    let id = disk.id;
    let mut reached = Reached::Already;
    ecs.reconcile(&mut || {
        if ecs.existing_disk(id)?.bursting == bursting {
            return Ok(Step::Done);
        }
        reached = Reached::Now;
        let call = Call::new(
            Action::ModifyDiskAttribute,
            format!("bursting of disk {id}"),
        );
        Ok(Step::Ask(
            call.with("DiskId", id.as_str())
                .with("BurstingEnabled", &bursting.to_string()),
        ))
    })?;
    Ok(reached)
}

/// `invalid-argument` would say that nothing was changed, and `out-of-range` is no better.
fn half_done(id: DiskId<'_>, error: Error) -> Error {
    let (Error::InvalidArgument(reason) | Error::OutOfRange(reason)) = error else {
        return error;
    };
    error!(FailedPrecondition: "disk {id} was changed in part to what was asked for, and the rest cannot be: {reason}")
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
    fn more_tags_than_ecs_takes_change_nothing() {
        for prefix in ["diskTags/", "-diskTags/"] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_essd", 20);
            let keys: Vec<_> = (0..21).map(|n| format!("{prefix}k{n}")).collect();
            let wanted: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
            let error = modify(&cloud, &id, &wanted).expect_err("too many");
            assert!(matches!(error, Error::InvalidArgument(m) if m.contains("20")));
            assert!(cloud.disk(&id).expect("a disk").tags.is_empty());
            modify(&cloud, &id, &wanted[1..]).expect("as many as can be");
        }
    }

    #[test]
    fn what_the_dry_run_refuses_changes_nothing() {
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
    fn tags_stay_as_they_are_where_bursting_or_the_kind_is_refused() {
        let tagged = ("diskTags/team", "a");
        for (action, code, wanted) in [
            (
                Action::ModifyDiskAttribute,
                "BurstingEnabledForDiskCategoryUnsupported",
                [tagged, ("burstingEnabled", "true")],
            ),
            (
                Action::ModifyDiskSpec,
                "InvalidDiskCategory.NotSupported",
                [tagged, ("type", "cloud_essd")],
            ),
        ] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_auto", 20);
            // Somebody's change is under way, so that there is no dry run.
            cloud.run_task(2);
            cloud.fault(action, Fault::Refuse(code));
            let error = modify(&cloud, &id, &wanted).expect_err(code);
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
            assert!(cloud.disk(&id).expect("a disk").tags.is_empty(), "{code}");
        }
    }

    #[test]
    fn tags_that_are_refused_after_something_was_changed_are_not_an_invalid_argument() {
        for changed in [("-diskTags/stage", ""), ("burstingEnabled", "true")] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_auto", 20);
            cloud.change(&id, |disk| disk.tags.push(("stage".into(), "x".into())));
            let refusal = Fault::Refuse("InvalidTagKey.Malformed");
            cloud.fault(Action::TagResources, refusal);
            let tagged = ("diskTags/team", "a");
            let error = modify(&cloud, &id, &[tagged, changed]).expect_err("half done");
            assert!(
                matches!(&error, Error::FailedPrecondition(m) if m.contains("in part")),
                "{error:?}"
            );
            cloud.fault(Action::TagResources, refusal);
            let error = modify(&cloud, &id, &[tagged]).expect_err("nothing done");
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
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
