//! ModifyDiskSpec, the tasks it starts, and ModifyDiskAttribute.

use serde_json::{Value, json};

use crate::actions::shape::{self, Extras};
use crate::actions::{Outcome, Work, fields};
use crate::chance;
use crate::cloud::category::{Category, Level};
use crate::cloud::disk::{Disk, Sharing, Status};
use crate::cloud::transition::{Change, Task, Transition};
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::words::{DiskId, TaskId};

pub(crate) fn spec(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let id = work.disk_id()?;
    let disk = work.cloud.disk(&id)?;
    check_ready(work, disk)?;
    let task = plan(work, disk)?;
    work.check_dry_run()?;
    let answer = match task.change {
        Change::Kind => fields([("TaskId", Value::from(task.id.as_str()))]),
        Change::Level => Fields::new(),
    };
    work.cloud.change_disk(&id)?;
    work.begun.push(Transition::Modify(task.id.clone()));
    work.cloud.tasks.insert(task.id.clone(), task);
    Ok(answer)
}

fn check_ready(work: &Work<'_>, disk: &Disk) -> Result<(), Refusal> {
    if ![Status::Available, Status::InUse].contains(&disk.status()) {
        let message = "The current disk status does not support this operation.";
        return Err(Refusal::denied("IncorrectDiskStatus", message));
    }
    if disk.sharing == Sharing::Enabled {
        let message = "The specification of disks with multi-attach cannot be changed.";
        return Err(Refusal::denied("InvalidOperation.MultiAttachDisk", message));
    }
    let mut tasks = work.cloud.tasks.values();
    if tasks.any(|task| task.disk == disk.id && task.finished.is_none()) {
        let message = "The disk is being modified.";
        return Err(Refusal::denied("InvalidStatus.DiskNotReady", message));
    }
    Ok(())
}

/// What the disk would become, if it may.
fn plan(work: &Work<'_>, disk: &Disk) -> Result<Task, Refusal> {
    let parameters = work.parameters;
    let category = shape::category(parameters)?.unwrap_or(disk.category);
    check_category(disk.category, category)?;
    let level = match parameters.text("PerformanceLevel") {
        None if category == disk.category => disk.level,
        None | Some(_) => shape::level(parameters, category)?,
    };
    let extras = Extras::read(parameters, category, disk.size)?;
    let same_kind = category == disk.category
        && extras.provisioned_iops.unwrap_or(0) == disk.provisioned_iops.unwrap_or(0);
    if same_kind && level == disk.level {
        let message = "The disk already has this category and performance level.";
        let code = "NoChangeInDiskCategoryAndPerformanceLevel";
        return Err(Refusal::denied(code, message));
    }
    if category == disk.category {
        check_level(disk.level, level)?;
    }
    let zone = disk
        .zone
        .as_ref()
        .and_then(|zone| work.cloud.zones.get(zone));
    if zone.is_some_and(|zone| zone.lacks.contains(&category)) {
        let message = "The zone has no stock of the disk category.";
        return Err(Refusal::denied("OperationDenied.NoStock", message));
    }
    shape::check_size(category, level, disk.size)?;
    Ok(Task {
        id: TaskId::from(chance::id("t")),
        disk: disk.id.clone(),
        change: if same_kind {
            Change::Level
        } else {
            Change::Kind
        },
        category,
        level,
        provisioned_iops: extras.provisioned_iops,
        created: work.now,
        finished: None,
    })
}

/// Which categories can be changed, and to which: the action's own page names both.
fn check_category(from: Category, to: Category) -> Result<(), Refusal> {
    if from == to {
        return Ok(());
    }
    if !from.can_be_changed() {
        let message = "The current disk category of the resource does not support this operation.";
        let code = "InvalidDiskCategory.ValueNotSupported";
        return Err(Refusal::denied(code, message));
    }
    if !to.can_be_changed() {
        let message = "The specified parameter DiskCategory is not valid.";
        let code = "InvalidDiskCategory.ValueNotSupported";
        return Err(Refusal::bad(code, message));
    }
    let from_entry = from == Category::CloudEssdEntry;
    if from_entry && !matches!(to, Category::CloudEssd | Category::CloudAuto) {
        let message = "The specified disk category is not supported.";
        return Err(Refusal::denied("InvalidDiskCategory.NotSupported", message));
    }
    Ok(())
}

/// What is paid as it goes can become slower, but nothing becomes PL0 that was more.
fn check_level(from: Option<Level>, to: Option<Level>) -> Result<(), Refusal> {
    if to == Some(Level::Pl0) && from > to {
        let message = "The new performance level is lower than the original performance level.";
        return Err(Refusal::denied("InvalidPerformanceLevel.TooLow", message));
    }
    Ok(())
}

pub(crate) fn attribute(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let (id, parameters) = (work.disk_id()?, work.parameters);
    let disk = work.cloud.disk(&id)?;
    let extras = Extras::read(parameters, disk.category, disk.size)?;
    let bursting = parameters.flag("BurstingEnabled")?.map(|_| extras.bursting);
    let delete_with_instance = parameters.flag("DeleteWithInstance")?;
    let name = parameters.owned("DiskName");
    name.as_deref().map_or(Ok(()), shape::check_name)?;
    let disk = work.cloud.change_disk(&id)?;
    disk.bursting = bursting.unwrap_or(disk.bursting);
    disk.delete_with_instance = delete_with_instance.unwrap_or(disk.delete_with_instance);
    if let Some(name) = name {
        disk.name = name;
    }
    if let Some(description) = parameters.owned("Description") {
        disk.description = description;
    }
    Ok(Fields::new())
}

pub(crate) fn describe_tasks(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let resources: Vec<DiskId> = work
        .parameters
        .numbered("ResourceIds")
        .into_iter()
        .map(DiskId::from)
        .collect();
    let ids = work
        .parameters
        .text("TaskIds")
        .map(|ids| ids.split(',').collect::<Vec<_>>());
    let action = work.parameters.text("TaskAction");
    let wanted = |task: &&Task| {
        task.change == Change::Kind
            && (resources.is_empty() || resources.contains(&task.disk))
            && ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&task.id.as_str()))
            && action.is_none_or(|action| action == "ModifyDiskSpec")
    };
    let tasks: Vec<Value> = work
        .cloud
        .tasks
        .values()
        .filter(wanted)
        .map(shown)
        .collect();
    Ok(fields([
        ("TotalCount", Value::from(tasks.len())),
        ("PageNumber", Value::from(1)),
        ("PageSize", Value::from(tasks.len().max(10))),
        ("RegionId", Value::from(work.cloud.region.as_str())),
        ("TaskSet", json!({ "Task": tasks })),
    ]))
}

fn shown(task: &Task) -> Value {
    json!({
        "TaskId": task.id,
        "TaskAction": "ModifyDiskSpec",
        "TaskStatus": if task.finished.is_some() { "Finished" } else { "Processing" },
        "ResourceId": task.disk,
        "SupportCancel": "false",
        "CreationTime": super::show::time(task.created),
        "FinishedTime": task.finished.map(super::show::time).unwrap_or_default(),
    })
}
