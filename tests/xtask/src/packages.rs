//! Debian's packages: which are missing, installing them, or only fetching their archives.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, Echo, answer, command};

/// Those of `names` that are not installed.
pub(crate) fn missing<'a>(names: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut query = command("dpkg-query");
    query
        .args(["-W", "-f", "${db:Status-Abbrev} ${Package}\n"])
        .args(names);
    // It fails when it knows any of them not at all, which is the case this asks about.
    let (_, installed) =
        process::finish(&mut query, Echo::Silent).context("this needs Debian 12's dpkg")?;
    let installed = |name: &&str| installed.lines().any(|line| line == format!("ii  {name}"));
    Ok(names
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect())
}

/// Installs packages and what they need, nothing that is merely recommended.
pub(crate) fn install(names: &[&str]) -> Result<()> {
    apt(|apt| {
        apt.args(["install", "--yes", "--no-install-recommends"])
            .args(names)
    })
}

/// Fetches the archives of packages and of everything they need that is not installed here.
pub(crate) fn download(names: &[&str], into: &Path) -> Result<()> {
    fs::create_dir_all(into.join("partial"))?;
    let cache = format!("Dir::Cache::archives={}", into.display());
    apt(|apt| {
        let options = [
            "--yes",
            "--no-install-recommends",
            "--download-only",
            "--option",
            &cache,
        ];
        apt.arg("install").args(options).args(names)
    })?;
    // apt's own, and not archives.
    fs::remove_dir_all(into.join("partial"))?;
    fs::remove_file(into.join("lock")).context("cannot remove apt's lock")
}

/// Fetches the archive of one package and of nothing it needs.
pub(crate) fn download_alone(name: &str, into: &Path) -> Result<()> {
    // root's archives are of no use to apt's own user, and it says so; that it can do without.
    apt(|apt| {
        apt.current_dir(into)
            .args(["download", "--option", "APT::Sandbox::User=root", name])
    })
}

/// The package that `name`, which has nothing of its own, stands for today.
pub(crate) fn dependency(name: &str) -> Result<String> {
    let depends = answer(command("apt-cache").args(["depends", name]))?;
    let real = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "));
    real.map(str::to_owned)
        .with_context(|| format!("{name} depends on nothing"))
}

/// Runs apt-get; when that fails, once more with fresh lists, as a machine's first lists are empty or old.
fn apt(arguments: impl Fn(&mut Command) -> &mut Command) -> Result<()> {
    let attempt = || process::run(arguments(&mut apt_get()), Echo::Silent);
    if attempt().is_ok() {
        return Ok(());
    }
    refresh()?;
    attempt()
        .map(drop)
        .context("apt-get failed; see that this machine reaches a Debian 12 mirror, and try again")
}

/// Fetches this machine's lists anew.
pub(crate) fn refresh() -> Result<()> {
    process::run(apt_get().arg("update"), Echo::Silent).map(drop)
}

/// apt-get as root, without questions.
fn apt_get() -> Command {
    let mut command = if is_root() {
        command("apt-get")
    } else {
        command("sudo")
    };
    if !is_root() {
        command.args([
            "--non-interactive",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
        ]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
