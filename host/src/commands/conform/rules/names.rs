//! Names of claims become volumes of their own, whatever is in the names.

use drivebay::store::Export;
use drivebay::volume::CreateVolume;

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, holds, same, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "names-are-taken",
        asks: "create-volume takes every name of up to 128 bytes, and finds its volume again",
        why: "CSI says that a name is any text of Unicode of so many bytes; who makes a path, a tag or a host name of it has to map it",
        needs: &[Export::Controller],
        check: taken,
    },
    Rule {
        name: "names-stay-apart",
        asks: "names that are similar get volumes of their own",
        why: "two claims that share a volume, because a name was cut or its letters were folded, overwrite each other's data",
        needs: &[Export::Controller],
        check: apart,
    },
];

/// CSI's bound on strings, in bytes.
const LONGEST: usize = 128;

fn taken(bench: &Bench) -> Checked {
    bench.volume("plain")?;
    for name in [
        "long-",
        "names with ü-",
        "../..",
        "a/b",
        "a\\b",
        "a\"b'c",
        "a\tb",
        "a%2fb",
        "名前",
    ] {
        let request = named(bench, name, "x");
        let what = format!("create-volume with the name {:?}", request.name);
        let first = succeeds(&what, bench.create(&request))?;
        let second = succeeds(&what, bench.create(&request))?;
        same(
            &format!("the id of the volume {:?}", request.name),
            &first.id,
            &second.id,
        )?;
    }
    Ok(())
}

fn apart(bench: &Bench) -> Checked {
    bench.volume("plain")?;
    let pairs = [
        [("apart-", "x"), ("apart-", "y")],
        [("case-a", "x"), ("case-A", "x")],
        [("sign-a-b", "x"), ("sign-a_b", "x")],
        [("sign a b", "x"), ("sign-a b", "x")],
    ];
    for pair in pairs {
        let requests = pair.map(|(name, end)| named(bench, name, end));
        let mut ids = Vec::new();
        for request in &requests {
            let what = format!("create-volume with the name {:?}", request.name);
            ids.push(succeeds(&what, bench.create(request))?.id);
        }
        holds(ids[0] != ids[1], || {
            let names = requests.map(|request| request.name);
            format!(
                "volume {:?} was made for both of the names {names:?}",
                ids[0].0
            )
        })?;
    }
    Ok(())
}

/// A name of as many bytes as there may be.
fn named(bench: &Bench, begins: &str, end: &str) -> CreateVolume {
    let mut request = bench.request(begins);
    let left = LONGEST - request.name.len();
    request.name += &"0".repeat(left.saturating_sub(end.len()));
    request.name += end;
    request
}
