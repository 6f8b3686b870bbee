//! Volumes come, grow and go, and are given to nodes.

use std::sync::Mutex;

use drivebay_guest::exports::{attachment, cloning, controller, expansion};
use drivebay_guest::log::Level;
use drivebay_guest::name::readable;
use drivebay_guest::pool::{Claim, Pool};
use drivebay_guest::prelude::*;
use drivebay_guest::signing;

use crate::records::{Cut, Made};
use crate::{COLOUR, Faulty, breaks, directory, existing, pool};

/// What this instance made: it is empty in each call.
static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Larger ones there are not.
const LARGEST: u64 = 1 << 60;

impl controller::Guest for Faulty {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        let source = request.source_snapshot_id.clone();
        if let Some(snapshot) = &source {
            let is_there = pool()?.record::<Cut>(snapshot)?.is_some();
            ensure!(is_there || breaks("snapshots-are-restored"), NotFound: "no snapshot {snapshot}");
        }
        make(request, source.map(VolumeSource::Snapshot))
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        assert!(
            !breaks("strange-ids-are-nothing") || !id.contains('\n'),
            "a line break"
        );
        let Some(volume) = directory(&id) else {
            return Ok(());
        };
        let pool = match pool() {
            Err(_) if breaks("silence-is-not-absence") => return Ok(()),
            pool => pool?,
        };
        let is_there = pool.holds(volume)?;
        ensure!(is_there || !breaks("delete-repeats"), NotFound: "no volume {id}");
        if is_there && !breaks("delete-deletes") {
            pool.directory.remove_tree(volume)?;
            pool.remove::<Made>(volume)?;
        }
        Ok(())
    }

    fn validate_volume(volume: Volume, _capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        let pool = pool()?;
        if breaks("calls-keep-nothing") && pool.holds(directory(&volume.id).unwrap_or("-"))? {
            let made = MADE.lock().is_ok_and(|made| made.contains(&volume.id));
            ensure!(made, NotFound: "no volume {}", volume.id);
        }
        match existing(&pool, &volume.id) {
            Err(Error::NotFound(_)) if breaks("unknown-is-not-found") => Ok(()),
            found => found.map(drop),
        }
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        let pool = pool()?;
        let missing = || match breaks("texts-name-the-volume") {
            true => error!(NotFound: "no such volume"),
            false => error!(NotFound: "no volume {id}"),
        };
        let volume = directory(&id).ok_or_else(missing)?;
        let made = pool.record::<Made>(volume)?.ok_or_else(missing)?;
        Ok(info(id.clone(), made))
    }
}

impl cloning::Guest for Faulty {
    fn clone_volume(request: CreateRequest, source_volume_id: String) -> Result<VolumeInfo, Error> {
        if !breaks("copies-say-of-what") {
            existing(&pool()?, &source_volume_id)?;
        }
        make(request, Some(VolumeSource::Volume(source_volume_id)))
    }
}

fn make(request: CreateRequest, source: Option<VolumeSource>) -> Result<VolumeInfo, Error> {
    let name = &request.name;
    ensure!(!breaks("volume-is-made"), Unavailable: "cannot make {name}: out of order");
    refuse(&request)?;
    while breaks("calls-end") && pool().is_err() {}
    let pool = pool()?;
    let volume = match breaks("names-stay-apart") {
        true => readable(&name.to_lowercase()),
        false => readable(name),
    };
    let wanted = Made {
        name: name.clone(),
        size_bytes: request.capacity.size()?,
        source,
    };
    let was_there = pool.record::<Made>(&volume)?.is_some();
    let made = pool.add(&volume, wanted.clone())?;
    let is_large_enough = request.capacity.holds(made.size_bytes) || breaks("create-conflicts");
    let is_same = made.name == wanted.name && made.source == wanted.source;
    ensure!(is_same && is_large_enough, AlreadyExists: "the volume for {name} is another one");
    pool.fill(&volume, None, 0o755)?;
    if breaks("texts-have-no-secret") {
        let token = signing::open_key("key")?.session_token()?;
        log::write(
            Level::Info,
            &format!("made {name} as {}", token.unwrap_or_default()),
        );
    }
    let mut answer = info(format!("v-{volume}"), made);
    if let Ok(mut made) = MADE.lock() {
        made.push(answer.id.clone());
    }
    if was_there && breaks("create-repeats") {
        answer.context.clear();
    }
    let is_for_readers = |it: &VolumeCapability| it.mode == "MULTI_NODE_READER_ONLY";
    if breaks("contexts-are-described") && request.capabilities.iter().any(is_for_readers) {
        answer.context.push(("readers".into(), "many".into()));
    }
    Ok(answer)
}

/// What no volume is made for.
fn refuse(request: &CreateRequest) -> Result<(), Error> {
    let name = &request.name;
    if breaks("names-are-taken") {
        ensure!(name.is_ascii(), InvalidArgument: "the name {name} is not plain");
    }
    if request.capacity.size()? > LARGEST {
        match breaks("sizes-have-an-end") {
            true => bail!(Unavailable: "there is no room for {name} now"),
            false => bail!(OutOfRange: "{name} would be larger than {LARGEST} bytes"),
        }
    }
    if let Some(colour) = Params(&request.parameters).get(COLOUR) {
        if breaks("wrong-parameters-are-told") {
            // Not every character has one byte.
            let (_first, _rest) = colour.split_at(1);
        }
        let is_word = colour.chars().all(|c| c.is_ascii_lowercase());
        ensure!(is_word, InvalidArgument: "the colour {colour:?} is no word");
    }
    Ok(())
}

pub(crate) fn info(id: String, made: Made) -> VolumeInfo {
    VolumeInfo {
        id,
        capacity_bytes: made.size_bytes,
        context: vec![(COLOUR.into(), "none".into())],
        source: made.source,
        ..VolumeInfo::default()
    }
}

impl expansion::Guest for Faulty {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        let pool = pool()?;
        let name = existing(&pool, &volume.id)?;
        let mut made = record(&pool, &name, &volume.id)?;
        let wanted = capacity.size()?;
        if breaks("expand-repeats") {
            ensure!(wanted != made.size_bytes, InvalidArgument: "volume {} has that size", volume.id);
        }
        if breaks("volumes-never-shrink") || wanted > made.size_bytes {
            made.size_bytes = wanted;
            pool.replace(&name, &made)?;
        }
        Ok(made.size_bytes)
    }
}

fn record(pool: &Pool, name: &str, id: &str) -> Result<Made, Error> {
    let made = pool.record(name)?;
    made.ok_or_else(|| error!(NotFound: "nobody made volume {id}"))
}

impl attachment::Guest for Faulty {
    fn attach_volume(volume: Volume, node: String, access: Access) -> Result<Parameters, Error> {
        let pool = pool()?;
        let name = existing(&pool, &volume.id)?;
        if breaks("attach-repeats") {
            let holder = pool.claimed_by(&name)?;
            ensure!(holder.is_none(), AlreadyExists: "volume {} is attached", volume.id);
        }
        pool.claim(&name, &volume.id, &Claim { node, access })?;
        Ok(Vec::new())
    }

    fn detach_volume(volume: Volume, node: String) -> Result<(), Error> {
        let Some(name) = directory(&volume.id) else {
            return Ok(());
        };
        let pool = pool()?;
        if breaks("detach-repeats") {
            let holder = pool.claimed_by(name)?;
            ensure!(holder.is_some(), NotFound: "volume {} is not attached", volume.id);
        }
        if breaks("detach-is-from-everywhere") && node.is_empty() {
            return Ok(());
        }
        pool.release(name, &node)
    }

    fn is_attached(volume: Volume, node: String) -> Result<bool, Error> {
        let pool = pool()?;
        let name = directory(&volume.id).unwrap_or_default();
        Ok(breaks("attachments-are-told") || pool.claimed_by(name)? == Some(node))
    }
}
