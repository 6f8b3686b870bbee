//! `[limits]`: how much a driver's calls may take.

use std::time::Duration;

use super::ConfigError;
use super::section::Section;
use crate::worker::{CompileLimits, JobLimits, WorkerLimits};

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Linear memory of a guest, in bytes.
    pub memory_bytes: usize,
    /// Processor time a guest may use in one call, the host's own work not counted.
    pub cpu: Duration,
    /// Wall time for one operation, all included.
    pub deadline: Duration,
    /// Lines a guest may log in one call.
    pub log_lines: u32,
    /// `[limits.jobs]`
    pub jobs: JobLimits,
    /// `[limits.workers]`
    pub workers: WorkerLimits,
    /// What compiling its component may take.
    pub compile: CompileLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The nfs guest touches under 2 MiB; language runtimes with a collector want some tens.
            memory_bytes: 64 << 20,
            cpu: Duration::from_secs(2),
            // Below the two minutes after which a CSI caller gives up, so that our own answer gets out.
            deadline: Duration::from_secs(100),
            log_lines: 100,
            jobs: JobLimits::default(),
            workers: WorkerLimits::default(),
            compile: CompileLimits::default(),
        }
    }
}

pub(super) fn limits(root: &mut Section<'_>) -> Result<Limits, ConfigError> {
    let defaults = Limits::default();
    let Some(mut section) = root.section("limits")? else {
        return Ok(defaults);
    };
    let limits = Limits {
        memory_bytes: section.bytes("memory")?.unwrap_or(defaults.memory_bytes),
        cpu: section.duration("cpu")?.unwrap_or(defaults.cpu),
        deadline: section.duration("deadline")?.unwrap_or(defaults.deadline),
        log_lines: section.count("log-lines")?.unwrap_or(defaults.log_lines),
        compile: CompileLimits {
            time: section
                .duration("compile-time")?
                .unwrap_or(defaults.compile.time),
            memory_bytes: section
                .bytes("compile-memory")?
                .unwrap_or(defaults.compile.memory_bytes),
        },
        jobs: jobs(&mut section)?,
        workers: workers(&mut section)?,
    };
    section.finish()?;
    Ok(limits)
}

fn jobs(limits: &mut Section<'_>) -> Result<JobLimits, ConfigError> {
    let defaults = JobLimits::default();
    let Some(mut section) = limits.section("jobs")? else {
        return Ok(defaults);
    };
    let bytes = |bytes: Option<usize>, default: u64| {
        bytes.map_or(default, |bytes| u64::try_from(bytes).unwrap_or(u64::MAX))
    };
    let jobs = JobLimits {
        memory_bytes: bytes(section.bytes("memory")?, defaults.memory_bytes),
        time: section.duration("time")?.unwrap_or(defaults.time),
        unattended: section
            .duration("unattended")?
            .unwrap_or(defaults.unattended),
        depth: section.count("depth")?.unwrap_or(defaults.depth),
        entries: section.count("entries")?.unwrap_or(defaults.entries),
        size_bytes: bytes(section.bytes("size")?, defaults.size_bytes),
        free_percent: section
            .count("free-percent")?
            .unwrap_or(defaults.free_percent),
        at_once: at_least_one(&mut section, "at-once", defaults.at_once)?,
        node_at_once: at_least_one(&mut section, "node-at-once", defaults.node_at_once)?,
    };
    if jobs.free_percent > 99 {
        return Err(section.bad("free-percent", "must be 0 to 99".to_owned()));
    }
    section.finish()?;
    Ok(jobs)
}

fn workers(limits: &mut Section<'_>) -> Result<WorkerLimits, ConfigError> {
    let defaults = WorkerLimits::default();
    let Some(mut section) = limits.section("workers")? else {
        return Ok(defaults);
    };
    let workers = WorkerLimits {
        at_once: at_least_one(&mut section, "at-once", defaults.at_once)?,
        node_at_once: at_least_one(&mut section, "node-at-once", defaults.node_at_once)?,
    };
    section.finish()?;
    Ok(workers)
}

/// With none at all every call would fail.
fn at_least_one(
    section: &mut Section<'_>,
    key: &'static str,
    default: u32,
) -> Result<u32, ConfigError> {
    match section.count(key)? {
        Some(0) => Err(section.bad(key, "must be at least 1".to_owned())),
        count => Ok(count.unwrap_or(default)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<Limits, String> {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        limits(&mut Section::root(Path::new("/x.toml"), &table)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_limit_of_jobs_and_workers_can_be_set() {
        let limits = parse(
            r#"
            [limits.jobs]
            memory = "1GiB"
            time = "48h"
            unattended = "30m"
            depth = 100
            entries = 1000
            size = "2TiB"
            free-percent = 5
            at-once = 2
            node-at-once = 3
            [limits.workers]
            at-once = 7
            node-at-once = 9
            "#,
        )
        .expect("valid");
        let jobs = JobLimits {
            memory_bytes: 1 << 30,
            time: Duration::from_secs(48 * 60 * 60),
            unattended: Duration::from_secs(30 * 60),
            depth: 100,
            entries: 1000,
            size_bytes: 2 << 40,
            free_percent: 5,
            at_once: 2,
            node_at_once: 3,
        };
        assert_eq!(limits.jobs, jobs);
        assert_eq!(
            (limits.workers.at_once, limits.workers.node_at_once),
            (7, 9)
        );
    }

    #[test]
    fn limits_that_nothing_could_keep_are_refused() {
        for (text, part) in [
            (
                "[limits.jobs]\nat-once = 0",
                "limits.jobs.at-once must be at least 1",
            ),
            (
                "[limits.workers]\nnode-at-once = 0",
                "limits.workers.node-at-once must be at least 1",
            ),
            (
                "[limits.jobs]\nfree-percent = 100",
                "limits.jobs.free-percent must be 0 to 99",
            ),
            (
                "[limits.jobs]\ntime = \"1d\"",
                "limits.jobs.time is \"1d\", which is not a duration",
            ),
            (
                "[limits.jobs]\nentrys = 1",
                "did you mean \"limits.jobs.entries\"?",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text:?} gave {error:?}");
        }
    }
}
