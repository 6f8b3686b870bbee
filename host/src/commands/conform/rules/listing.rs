//! Lists of volumes and of snapshots, and their pages.

use drivebay::error::{Condition, DriverError};
use drivebay::store::Export;
use drivebay::volume::{PageToken, SnapshotFilter, SnapshotId, VolumeId};

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, broken, fails_with, given, holds, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "lists-are-whole",
        asks: "list-volumes has each volume that was made once, in pages of any size",
        why: "external-attacher compares attachments with the list, and takes those of a volume that is not in it for lost",
        needs: &[Export::Controller, Export::VolumeListing],
        check: whole,
    },
    Rule {
        name: "wrong-tokens-are-told",
        asks: "list-volumes with a token that it never gave is in-progress",
        why: "CSI answers ABORTED there, upon which callers begin anew; a list that goes on somewhere else misses volumes",
        needs: &[Export::Controller, Export::VolumeListing],
        check: tokens,
    },
    Rule {
        name: "snapshot-lists-are-whole",
        asks: "list-snapshots has each snapshot that was cut once, in pages of any size, by its id and by its volume, and nothing of what is gone",
        why: "external-snapshotter looks by it whether a snapshot that was cut elsewhere is there and ready, and takes what is missing for gone",
        needs: &[
            Export::Controller,
            Export::Snapshots,
            Export::SnapshotListing,
        ],
        check: snapshots,
    },
];

/// More than there are.
const MOST_PAGES: usize = 1000;

fn whole(bench: &Bench) -> Checked {
    let made = ["listed-a", "listed-b", "listed-c"];
    let made: Vec<VolumeId> = made
        .into_iter()
        .map(|name| bench.volume(name).map(|volume| volume.id))
        .collect::<Checked<_>>()?;
    for size in [1, 2, 0] {
        let listed = listed(bench, size)?;
        for id in &made {
            let times = listed.iter().filter(|listed| *listed == id).count();
            holds(times == 1, || {
                format!(
                    "list-volumes in pages of {size} (0 is any) has volume {:?} {times} times",
                    id.0
                )
            })?;
        }
    }
    Ok(())
}

fn listed(bench: &Bench, size: u32) -> Checked<Vec<VolumeId>> {
    all("list-volumes", size, |token| {
        let page = bench.session().list_volumes(size, token)?;
        let ids = page.volumes.into_iter().map(|volume| volume.id);
        Ok((ids.collect(), page.next))
    })
}

/// What is on the pages of a list, in its order.
pub(super) fn all<T>(
    what: &str,
    size: u32,
    page: impl Fn(Option<&PageToken>) -> Result<(Vec<T>, Option<PageToken>), DriverError>,
) -> Checked<Vec<T>> {
    let mut found = Vec::new();
    let mut token: Option<PageToken> = None;
    for _ in 0..MOST_PAGES {
        let (mut entries, next) =
            succeeds(&format!("{what}, {size} at once"), page(token.as_ref()))?;
        found.append(&mut entries);
        token = next;
        if token.is_none() {
            return Ok(found);
        }
    }
    Err(broken(format!(
        "{what} has no end after {MOST_PAGES} pages of {size}"
    )))
}

fn tokens(bench: &Bench) -> Checked {
    bench.volume("tokens")?;
    let token = PageToken("no token of anybody's".to_owned());
    let page = bench.session().list_volumes(0, Some(&token));
    refused("list-volumes", page)?;
    if bench.exports(Export::SnapshotListing) {
        let every = SnapshotFilter::default();
        let page = bench.session().list_snapshots(&every, 0, Some(&token));
        refused("list-snapshots", page)?;
    }
    if bench.exports(Export::VolumeHealthListing) {
        let page = bench.session().list_volume_health(0, Some(&token));
        refused("list-volume-health", page)?;
    }
    Ok(())
}

fn refused<T>(what: &str, page: Result<T, DriverError>) -> Checked {
    let what = format!("{what} with a token that it never gave");
    fails_with(&what, page, &[Condition::InProgress])
}

fn snapshots(bench: &Bench) -> Checked {
    let source = bench.mountable("listed-and-cut")?.id;
    let cut = |name, source| Ok(given("create-snapshot", bench.cut(name, source))?.id);
    let (one, other) = (cut("listed-a", &source)?, cut("listed-b", &source)?);
    let stranger = bench.mountable("listed-besides")?.id;
    cut("listed-c", &stranger)?;
    let every = SnapshotFilter::default();
    for size in [1, 0] {
        has_once(&snapshots_of(bench, &every, size)?, &[&one, &other])?;
    }
    let of_volume = SnapshotFilter {
        source: Some(source),
        ..SnapshotFilter::default()
    };
    let listed = snapshots_of(bench, &of_volume, 0)?;
    has_once(&listed, &[&one, &other])?;
    holds(listed.len() == 2, || {
        format!("list-snapshots has {listed:?} of a volume of which two were cut")
    })?;
    let itself = SnapshotFilter {
        snapshot: Some(one.clone()),
        ..SnapshotFilter::default()
    };
    let listed = snapshots_of(bench, &itself, 0)?;
    holds(listed == [one.clone()], || {
        format!("list-snapshots has {listed:?} where {one:?} was asked for")
    })?;
    given("delete-snapshot", bench.session().delete_snapshot(&one))?;
    let left = snapshots_of(bench, &itself, 0)?;
    holds(left.is_empty(), || {
        format!("list-snapshots has {left:?} after delete-snapshot")
    })
}

fn snapshots_of(bench: &Bench, filter: &SnapshotFilter, size: u32) -> Checked<Vec<SnapshotId>> {
    all("list-snapshots", size, |token| {
        let page = bench.session().list_snapshots(filter, size, token)?;
        let ids = page.snapshots.into_iter().map(|snapshot| snapshot.id);
        Ok((ids.collect(), page.next))
    })
}

fn has_once(listed: &[SnapshotId], made: &[&SnapshotId]) -> Checked {
    for id in made {
        let times = listed.iter().filter(|listed| listed == id).count();
        holds(times == 1, || {
            format!("list-snapshots has snapshot {:?} {times} times", id.0)
        })?;
    }
    Ok(())
}
