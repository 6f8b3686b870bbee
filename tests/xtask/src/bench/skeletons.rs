//! What each language costs: the skeletons of `drivebay new`, side by side, each with a volume of its own.
//!
//! All are made, built and measured in one run, by turns, so that whatever slows the machine slows all of them. How one is
//! built is its own `build.sh`, as its author runs it, with what that fetches.

mod comparison;
mod site;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub(super) use self::comparison::Comparison;
use self::site::{Site, Skeleton};

use super::csi::Caller;
use super::measure::{REPETITIONS, median, timed};
use crate::process::{self, Echo, bytes, command};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Each takes up to half a minute for a component that has an engine in it.
const INSTALLS: usize = 3;

/// What all are compared with.
const FIRST: &str = "rust";

/// What a volume of the language's own is called.
const VOLUME: &str = "music";

/// A call of a component that is loaded.
const WARM: Duration = Duration::from_millis(10);

/// Steps besides those of building a skeleton in each language.
pub(super) const STEPS: usize = 3;

/// What skeletons there are: those languages in which volumes can be directories, the first of all first.
pub(super) fn languages(workspace: &Workspace) -> Result<Vec<String>> {
    let templates = workspace.guests().join("templates");
    let mut languages = Vec::new();
    for entry in fs::read_dir(&templates)? {
        let entry = entry?;
        if entry.path().join(site::KIND).is_dir() {
            languages.extend(entry.file_name().into_string());
        }
    }
    languages.retain(|language| language != "every-language");
    languages.sort_by_key(|language| (language != FIRST, language.clone()));
    ensure!(
        languages.first().is_some_and(|first| first == FIRST),
        "{} has no {FIRST}, which others are compared with",
        templates.display()
    );
    Ok(languages)
}

/// Builds one in each language and measures them.
pub(super) fn measure(
    workspace: &Workspace,
    languages: Vec<String>,
    caller: &Caller,
    steps: &mut Steps,
) -> Result<Comparison> {
    let site = Site::new(workspace)?;
    let mut skeletons = Vec::new();
    for language in &languages {
        let about = format!("build a skeleton in {language}");
        skeletons.push(steps.run(about, || site.build(language))?);
    }
    let mut comparison = Comparison::of(languages);
    steps.run("weigh components", || {
        weigh(&site, &skeletons, &mut comparison)
    })?;
    let about = format!("install components, medians of {INSTALLS}");
    steps.run(about, || install(&site, &skeletons, &mut comparison))?;
    let about = format!("call them, medians of {REPETITIONS}");
    steps.run(about, || call(&site, &skeletons, caller, &mut comparison))?;
    Ok(comparison)
}

fn weigh(site: &Site, skeletons: &[Skeleton], comparison: &mut Comparison) -> Result<()> {
    let sizes = skeletons
        .iter()
        .map(|it| Ok(fs::metadata(&it.component)?.len()));
    comparison.sizes("component", sizes.collect::<Result<_>>()?);
    let compressed = skeletons.iter().map(|it| compressed(&it.component));
    comparison.sizes("with `zstd -19`", compressed.collect::<Result<_>>()?);
    let imports = skeletons.iter().map(|it| site.wasi_imports(it));
    comparison.counts("imports of WASI", imports.collect::<Result<_>>()?);
    Ok(())
}

fn compressed(component: &Path) -> Result<u64> {
    let mut zstd = command("zstd");
    zstd.args(["-19", "--quiet", "--stdout"]).arg(component);
    Ok(u64::try_from(bytes(&mut zstd)?.len())?)
}

/// On nodes that have nothing yet.
fn install(site: &Site, skeletons: &[Skeleton], comparison: &mut Comparison) -> Result<()> {
    let mut times = vec![Vec::new(); skeletons.len()];
    let mut code = vec![0; skeletons.len()];
    for _ in 0..INSTALLS {
        for ((skeleton, times), code) in skeletons.iter().zip(&mut times).zip(&mut code) {
            let node = site.another_node(skeleton)?;
            let begun = Instant::now();
            process::run(&mut node.install(&[&skeleton.component]), Echo::Silent)?;
            times.push(begun.elapsed());
            *code = site::compiled_bytes(&node)?;
        }
    }
    let medians = times.into_iter().map(median).collect();
    comparison.times("`drivebay install`, which compiles", medians, None);
    comparison.sizes("compiled code", code);
    Ok(())
}

fn call(
    site: &Site,
    skeletons: &[Skeleton],
    caller: &Caller,
    comparison: &mut Comparison,
) -> Result<()> {
    for skeleton in skeletons {
        site.install(skeleton)?;
    }
    let serving = site.serve(skeletons)?;
    for (what, rpc) in [
        (
            "`CreateVolume` in `serve`, of a volume that is there",
            "CreateVolume",
        ),
        (
            "`NodeGetInfo` in `serve`, which asks the host nothing",
            "NodeGetInfo",
        ),
    ] {
        let calls = skeletons.iter().map(|it| site.call(it, rpc));
        let calls: Vec<Value> = calls.collect();
        let medians = caller.medians(REPETITIONS, &calls)?;
        comparison.times(what, medians, Some(WARM));
    }
    drop(serving);
    let medians = mounts(site, skeletons)?;
    comparison.times("shim: `mount`, really done", medians, None);
    Ok(())
}

/// By kubelet's way of old, in which each call is a process. What undoes it runs no guest.
fn mounts(site: &Site, skeletons: &[Skeleton]) -> Result<Vec<Duration>> {
    let environment = site.environment();
    let mut times = vec![Vec::new(); skeletons.len()];
    for turn in 0..=REPETITIONS {
        for (skeleton, times) in skeletons.iter().zip(&mut times) {
            let took = timed(&site.mount(skeleton), &environment)
                .with_context(|| format!("cannot mount a volume of {}", skeleton.language))?;
            timed(&site.unmount(skeleton), &environment)?;
            // The first turn fills caches.
            if turn > 0 {
                times.push(took);
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}
