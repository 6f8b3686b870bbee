//! Loop devices, each with the link that udev would make for a virtio disk.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Maker, Wanted, link_name};
use crate::cloud::disk::Link;
use crate::files::Files;
use crate::words::Serial;

/// Other programs take loop devices too, between the moment one is found free and the moment it is taken.
const ATTEMPTS: usize = 10;

/// Makes loop devices by `losetup`.
#[derive(Debug)]
pub(super) struct Loops {
    files: Files,
    links: PathBuf,
}

impl Loops {
    pub(super) fn new(files: Files, links: PathBuf) -> Self {
        Self { files, links }
    }

    fn make_link(&self, device: &str, name: &str) -> Result<()> {
        fs::create_dir_all(&self.links)?;
        // A link that is there is a whole one: it is made under another name first.
        let unfinished = self.links.join(format!(".{name}.new"));
        remove(&unfinished)?;
        symlink(device, &unfinished)?;
        let link = self.links.join(name);
        fs::rename(&unfinished, &link).with_context(|| format!("cannot make {}", link.display()))
    }
}

impl Maker for Loops {
    fn plug(&mut self, serial: &Serial, wanted: &Wanted) -> Result<String> {
        let file = self.files.disk(serial);
        let mut arguments = vec!["--find".to_owned(), "--show".to_owned()];
        if wanted.bytes < wanted.disk_bytes && fs::metadata(&file)?.len() > wanted.bytes {
            arguments.push(format!("--sizelimit={}", wanted.bytes));
        }
        arguments.push(file.display().to_string());
        let device = retried(|| losetup(&arguments))?.trim().to_owned();
        if let Some(name) = link_name(serial, &wanted.link) {
            self.make_link(&device, &name)?;
        }
        Ok(device)
    }

    fn grow(&mut self, _serial: &Serial, device: &str, _bytes: u64) -> Result<()> {
        losetup(&["--set-capacity".to_owned(), device.to_owned()]).map(drop)
    }

    fn adopt(&mut self, serial: &Serial, device: &str, wanted: &Wanted) -> Result<()> {
        match link_name(serial, &wanted.link) {
            Some(name) => self.make_link(device, &name),
            None => Ok(()),
        }
    }

    fn unplug(&mut self, serial: &Serial, device: &str, link: &Link) -> Result<()> {
        if let Some(name) = link_name(serial, link) {
            remove(&self.links.join(name))?;
        }
        losetup(&["--detach".to_owned(), device.to_owned()]).map(drop)
    }

    fn left_behind(&mut self) -> Result<Vec<(Serial, String)>> {
        let columns = [
            "--list",
            "--noheadings",
            "--raw",
            "--output",
            "NAME,BACK-FILE",
        ];
        let list = losetup(&columns.map(str::to_owned))?;
        let disks = self.files.path("disks");
        let ours = |line: &str| {
            let (device, file) = line.trim().split_once(' ')?;
            let file = Path::new(file.trim().trim_end_matches(" (deleted)"));
            let ours = file.parent() == Some(&disks);
            let serial = file.file_name()?.to_str().filter(|_| ours)?;
            Some((Serial::from(serial), device.to_owned()))
        };
        Ok(list.lines().filter_map(ours).collect())
    }
}

fn retried<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..ATTEMPTS {
        if let Ok(done) = attempt() {
            return Ok(done);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    attempt()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one program that is run here, with streams of its own"
)]
fn losetup(arguments: &[String]) -> Result<String> {
    let mut command = Command::new("losetup");
    command.args(arguments).stdin(Stdio::null());
    // Where administrators' commands are, which not everybody's path has.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let output = command.output().context("cannot run losetup")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("losetup {arguments:?} failed: {}", words.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
