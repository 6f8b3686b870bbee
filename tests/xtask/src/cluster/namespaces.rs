//! The cluster's namespaces: network, mounts, processes, names. Nothing outside sees its ports and mounts.
//!
//! They live as long as their first process, which Linux makes the end of all others and of all mounts. Its number is in
//! a file, so that whoever comes later can enter them, or end them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::places::{API_SERVICE_ADDRESS, CLOUD_ADDRESS, METADATA_ADDRESS, NODE_ADDRESS, Places};
use crate::process::{self, Echo, command};

/// The file that names the first process.
const HOLDER: &str = "holder";

/// How long processes may take to end that were killed: the kernel writes their volumes out first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Namespaces that exist.
pub(super) struct Namespaces {
    places: Places,
    holder: Process,
}

/// A process, and no other that gets its number later.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Process {
    id: u32,
    /// In ticks since the machine's own start.
    started: u64,
}

impl Namespaces {
    /// Makes them, with nothing in them but their first process.
    pub(super) fn make(places: &Places) -> Result<Self> {
        for directory in ["kubelet", "drivebay", "kubeconfig"] {
            fs::create_dir_all(places.running(directory))?;
        }
        let script = places.running("first.sh");
        fs::write(&script, include_str!("first.sh"))?;
        let mut unshare = command("unshare");
        unshare.args(["--net", "--mount", "--pid", "--ipc", "--uts", "--fork"]);
        unshare.args(["--propagation", "private", "--mount-proc"]);
        unshare.arg("sh").arg(&script).arg(places.top());
        unshare.args([
            NODE_ADDRESS,
            CLOUD_ADDRESS,
            API_SERVICE_ADDRESS,
            METADATA_ADDRESS,
        ]);
        let log = places.logs().join("namespaces.log");
        unshare
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log)?);
        // A terminal's interrupt ends the task; what the task started is ended in order.
        let mut child = unshare
            .process_group(0)
            .spawn()
            .context("cannot run unshare")?;
        let holder = first_process(&mut child).with_context(|| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("cannot make the cluster's namespaces, which needs root:\n{said}")
        })?;
        let namespaces = Self {
            places: places.clone(),
            holder,
        };
        let Process { id, started } = holder;
        fs::write(places.running(HOLDER), format!("{id} {started}\n"))?;
        namespaces.write_enter()?;
        Ok(namespaces)
    }

    /// Those that were made earlier and still exist.
    pub(super) fn find(places: &Places) -> Option<Self> {
        let text = fs::read_to_string(places.running(HOLDER)).ok()?;
        let (id, started) = text.trim().split_once(' ')?;
        let holder = Process {
            id: id.parse().ok()?,
            started: started.parse().ok()?,
        };
        let places = places.clone();
        (Process::read(holder.id)? == holder).then_some(Self { places, holder })
    }

    /// A command within them, as the cluster's administrator.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut enter = command(self.places.enter());
        enter.arg(program);
        enter
    }

    /// The files within, as seen from outside.
    pub(super) fn root(&self) -> PathBuf {
        Path::new("/proc")
            .join(self.holder.id.to_string())
            .join("root")
    }

    /// Whether a command within them ends well.
    pub(super) fn succeeds(&self, words: &[&str]) -> bool {
        let mut command = command(self.places.enter());
        let ending = process::finish(command.args(words), Echo::Silent);
        ending.is_ok_and(|(code, _)| code == Some(0))
    }

    /// Starts what runs as long as they exist, unless it ends by itself.
    pub(super) fn start(&self, name: &'static str, program: &Command) -> Result<Service> {
        let log = self.places.logs().join(format!("{name}.log"));
        let output = fs::File::create(&log)?;
        // Its number as seen within is that by which others within can end it.
        let mut enter = self.command("sh");
        enter.args(["-c", "echo $$ > \"$0\"; exec \"$@\""]);
        enter.arg(self.places.running(&format!("{name}.pid")));
        enter.arg(program.get_program()).args(program.get_args());
        enter.stdout(output.try_clone()?).stderr(output);
        let process = enter.process_group(0).spawn();
        let process = process.with_context(|| format!("cannot start {name}"))?;
        Ok(Service { name, process, log })
    }

    /// Ends all of it at once, and waits until it has ended.
    pub(super) fn end(self) -> Result<()> {
        let id = self.holder.id.to_string();
        // That it has ended by itself meanwhile is as well.
        let _ = process::finish(command("kill").args(["-KILL", &id]), Echo::Silent);
        let until = Instant::now() + PATIENCE;
        while Process::read(self.holder.id) == Some(self.holder) {
            ensure!(
                Instant::now() < until,
                "the cluster's first process, {id}, was killed and does not end; its disks may hang"
            );
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn write_enter(&self) -> Result<()> {
        let (path, text) = (self.places.enter(), self.enter_script());
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn enter_script(&self) -> String {
        format!(
            "#!/bin/sh\n\
             # Runs a command within the cluster, as its administrator: enter kubectl get pods\n\
             export PATH='{}' KUBECONFIG='{}' KUBECACHEDIR=/run/kubectl\n\
             exec nsenter --target {} --net --mount --pid --ipc --uts --wdns=\"$PWD\" -- \"$@\"\n",
            self.places.search_path(),
            self.places.kubeconfig("admin").display(),
            self.holder.id
        )
    }
}

/// The first process within, once it has laid everything out.
fn first_process(unshare: &mut Child) -> Result<Process> {
    let output = unshare.stdout.take().context("it has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.trim() != "ready" {
        let ending = unshare.wait()?;
        bail!("it ended at once: {ending}");
    }
    let first = child_of(unshare.id())?;
    first.context("unshare has no child, though that spoke")
}

/// The child of a process that has one.
fn child_of(parent: u32) -> Result<Option<Process>> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if stat(id).is_some_and(|fields| fields.get(1) == Some(&parent.to_string())) {
            return Ok(Process::read(id));
        }
    }
    Ok(None)
}

impl Process {
    /// The process that has that number now, unless it is dead and only waits to be buried.
    fn read(id: u32) -> Option<Self> {
        let fields = stat(id)?;
        if ["Z", "X"].contains(&fields.first()?.as_str()) {
            return None;
        }
        let started = fields.get(19)?.parse().ok()?;
        Some(Self { id, started })
    }
}

/// What `/proc/ID/stat` says after the name: the state, the parent's number, …
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // A name may hold anything, also blanks and brackets.
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// A program that was started within.
pub(super) struct Service {
    name: &'static str,
    process: Child,
    log: PathBuf,
}

impl Service {
    /// Waits until `is_ready` says so; an error where that takes too long or where the program has ended, with what it
    /// said last.
    pub(super) fn wait_for(
        &mut self,
        what: &str,
        patience: Duration,
        is_ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let ended = || Ok(self.process.try_wait()?.map(|ending| ending.to_string()));
        let waited = poll(what, patience, ended, is_ready);
        waited.with_context(|| format!("{} said last:\n{}", self.name, last_words(&self.log)))
    }
}

/// Asks again and again, until it is so.
pub(super) fn wait_for(
    what: &str,
    patience: Duration,
    is_ready: impl FnMut() -> bool,
) -> Result<()> {
    poll(what, patience, || Ok(None), is_ready)
}

fn poll(
    what: &str,
    patience: Duration,
    mut ended: impl FnMut() -> Result<Option<String>>,
    mut is_ready: impl FnMut() -> bool,
) -> Result<()> {
    let until = Instant::now() + patience;
    while !is_ready() {
        if let Some(ending) = ended()? {
            bail!("waited for {what}, and the program ended: {ending}");
        }
        ensure!(
            Instant::now() < until,
            "waited {} s for {what}, in vain",
            patience.as_secs()
        );
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn last_words(log: &Path) -> String {
    process::tail(&String::from_utf8_lossy(&fs::read(log).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let id = std::process::id();
        let process = Process::read(id).unwrap();
        assert!(Process::read(id) == Some(process));
        assert!(Process { id, started: 0 } != process);
        // The number of no process.
        assert!(Process::read(u32::MAX).is_none());
    }

    #[test]
    fn waiting_ends_with_the_program_that_was_waited_for() {
        let ended = || Ok(Some("exit status: 1".to_owned()));
        let patience = Duration::from_secs(3600);
        let error = poll("its socket", patience, ended, || false).unwrap_err();
        assert!(error.to_string().contains("the program ended"), "{error}");
        assert!(poll("its socket", patience, || Ok(None), || true).is_ok());
    }
}
