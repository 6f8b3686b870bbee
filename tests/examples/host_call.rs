//! What one host call costs: the same call-out by a guest that asks the host nothing, and by one that asks it many times.
//!
//! For each directory of binaries on the command line, by turns, so that whatever slows the machine for a while slows all
//! of them. `cargo xtask bench --only-line` starts it. Prints one JSON object a directory: medians in nanoseconds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drivebay_testbed::{Layout, Node, Scratch};
use drivebay_tests::{WatGuest, repository};

/// Of a call-out of the one that asks: most of its time then.
const HOST_CALLS: u32 = 50_000;

/// Enough that the median stands still within a few percent.
const REPETITIONS: usize = 30;

const GRANTS: &str = r#"
flexvolume = "drivebay/DRIVER"
component = "DRIVER"
[grants.mounts]
directories = { pool = "POOL" }
[grants.signing.key]
source = "environment"
id = "NONE"
secret = "NONE"
"#;

#[expect(
    clippy::print_stdout,
    reason = "the program that started this one reads the answer there"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directories: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let root = Scratch::at(&repository().join("target/bench-line"))?;
    let mut builds = Vec::new();
    for (number, binaries) in directories.iter().enumerate() {
        builds.push(Build::install(
            &root.path().join(number.to_string()),
            binaries,
        )?);
    }
    for _ in 0..=REPETITIONS {
        builds.iter_mut().try_for_each(Build::take_a_turn)?;
    }
    for build in builds {
        println!("{}", build.medians());
    }
    Ok(())
}

/// A node with the two drivers, of one build.
struct Build {
    node: Node,
    quiet: Vec<Duration>,
    asking: Vec<Duration>,
}

impl Build {
    fn install(root: &Path, binaries: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let pool = root.join("pool");
        std::fs::create_dir_all(&pool)?;
        let grants = GRANTS.replace("POOL", &pool.to_string_lossy());
        let node = Node::new(root, Layout::SHORT, binaries)?;
        for (driver, calls) in [("quiet", 0), ("asking", HOST_CALLS)] {
            node.grant(driver, &grants.replace("DRIVER", driver))?;
            let component = guest(driver, calls).write(node.path(&format!("{driver}.wasm")));
            let installed = node.install(&[&component]).output()?;
            if !installed.status.success() {
                return Err(String::from_utf8_lossy(&installed.stderr).into());
            }
        }
        Ok(Self {
            node,
            quiet: Vec::new(),
            asking: Vec::new(),
        })
    }

    fn take_a_turn(&mut self) -> std::io::Result<()> {
        self.quiet.push(self.timed("quiet")?);
        self.asking.push(self.timed("asking")?);
        Ok(())
    }

    /// The guest refuses at last: what counts is the way there.
    fn timed(&self, driver: &str) -> std::io::Result<Duration> {
        let target = self.node.path("target").to_string_lossy().into_owned();
        let plugin = format!("drivebay~{driver}/{driver}");
        let mut callout = self.node.callout(&plugin, &["mount", &target, "{}"]);
        let begun = Instant::now();
        callout.output()?;
        Ok(begun.elapsed())
    }

    fn medians(self) -> serde_json::Value {
        let (quiet, asking) = (median(self.quiet), median(self.asking));
        let host_call = asking.saturating_sub(quiet) / HOST_CALLS;
        serde_json::json!({ "callout": nanoseconds(quiet), "host-call": nanoseconds(host_call) })
    }
}

/// Asks what the time is, which costs nothing but the way there and back.
fn guest(name: &str, calls: u32) -> WatGuest {
    WatGuest::named(name)
        .imports("mounts")
        .imports("signing")
        .core(
            r#"(import "drivebay:driver/signing@0.1.0" "now-seconds" (func $now (result i64)))
               (global $left (mut i32) (i32.const 0)) (data (i32.const 1024) "no")"#,
        )
        .stage(&format!(
            "(global.set $left (i32.const {calls}))
             (block $done (loop $again
                (br_if $done (i32.eqz (global.get $left)))
                (drop (call $now))
                (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                (br $again)))
             {}",
            WatGuest::failing(5, 1024, 2)
        ))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
