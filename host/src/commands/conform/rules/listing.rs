//! Lists of volumes, and their pages.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::{PageToken, VolumeId};

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, broken, fails_with, holds, succeeds};
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
    let mut ids = Vec::new();
    let mut token: Option<PageToken> = None;
    for _ in 0..MOST_PAGES {
        let page = bench.session().list_volumes(size, token.as_ref());
        let page = succeeds(&format!("list-volumes, {size} at once"), page)?;
        ids.extend(page.volumes.into_iter().map(|volume| volume.id));
        token = page.next;
        if token.is_none() {
            return Ok(ids);
        }
    }
    Err(broken(format!(
        "list-volumes has no end after {MOST_PAGES} pages of {size}"
    )))
}

fn tokens(bench: &Bench) -> Checked {
    bench.volume("tokens")?;
    let token = PageToken("no token of anybody's".to_owned());
    let page = bench.session().list_volumes(0, Some(&token));
    fails_with(
        "list-volumes with a token that it never gave",
        page,
        &[Condition::InProgress],
    )
}
