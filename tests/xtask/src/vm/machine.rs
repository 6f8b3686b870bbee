//! One run of the VM: QEMU in software emulation, one script, its output and its exit code.
//!
//! However a run ends, no QEMU is left: it dies with the thread that started it, and a run that outlives its
//! time is killed. An exit code comes from the script or not at all; a panicked kernel is an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::image::Image;
use super::initramfs;
use crate::process::{self, Echo, command};
use crate::steps;

/// No clock calibration and no mitigations: both cost seconds in emulation. A kernel that has gone wrong stops.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet loglevel=4 tsc=reliable random.trust_cpu=on \
    mitigations=off nokaslr oops=panic panic=-1";

/// Debian's kernel has SELinux, and starts AppArmor in its place unless told otherwise. Without a policy nothing is forbidden.
const WITH_SELINUX: &str = "security=selinux";

/// Ports for disks that come and go while the VM runs; the root bus itself takes no hot-plug.
const DISK_SLOTS: usize = 8;

/// Who labels files in the VM.
#[derive(Clone, Copy)]
pub(crate) enum Labels {
    /// Nobody, as on most nodes.
    Nobody,
    /// SELinux.
    Selinux,
}

/// A VM to run scripts in.
pub(crate) struct Machine {
    pub(super) image: Image,
    /// The one directory the VM can write to, at the same path inside; the runs' own files are in it too.
    pub(super) share: PathBuf,
    pub(super) timeout: Duration,
    pub(crate) labels: Labels,
}

/// How a script ended, and what it printed on both streams.
pub(crate) struct Finished {
    pub(crate) code: u8,
    pub(crate) output: String,
}

impl Machine {
    /// Boots, runs a shell script as root in `directory`, and powers off.
    pub(crate) fn run(&self, directory: &Path, script: &str, echo: Echo) -> Result<Finished> {
        let run = Run::create(&self.share)?;
        let settings = format!(
            "share={}\nrun={}\nexport PATH={}\n",
            quoted(&self.share.to_string_lossy()),
            quoted(&run.0.to_string_lossy()),
            quoted(&search_path()),
        );
        let script = format!("cd {}\n{script}\n", quoted(&directory.to_string_lossy()));
        fs::write(run.0.join("settings"), &settings)?;
        fs::write(run.0.join("boot.sh"), include_str!("boot.sh"))?;
        fs::write(run.0.join("command.sh"), script)?;
        fs::write(
            run.0.join("initramfs"),
            initramfs::archive(&self.image, &settings)?,
        )?;
        let output = self.boot(&run.0, echo)?;
        Ok(Finished {
            code: run.exit_code(&output)?,
            output,
        })
    }

    fn boot(&self, run: &Path, echo: Echo) -> Result<String> {
        let (reader, writer) = std::io::pipe()?;
        let mut qemu = self.qemu(run);
        qemu.stdout(writer)
            .stderr(fs::File::create(run.join("qemu"))?);
        let mut guard = Qemu(
            qemu.spawn()
                .context("cannot start QEMU; `cargo xtask setup vm` installs it")?,
        );
        // The guard's child has its copy of the pipe; this one would keep the output from ending.
        drop(qemu);
        let (done, ended) = mpsc::channel();
        let speaker = steps::speaker();
        let collector = std::thread::spawn(move || {
            steps::speak_for(speaker);
            let output = process::collect(reader, echo);
            // Nobody listens any more when the time was up first.
            let _ = done.send(());
            output
        });
        let in_time = ended.recv_timeout(self.timeout).is_ok();
        guard.end()?;
        let output = collector
            .join()
            .map_err(|_| anyhow::anyhow!("reading the VM's output failed"))??;
        if in_time {
            return Ok(output);
        }
        bail!(
            "the VM was stopped after {} s; its output ended with:\n{}",
            self.timeout.as_secs(),
            process::tail(&output)
        )
    }

    fn qemu(&self, run: &Path) -> Command {
        // QEMU must not outlive this process, whatever ends that.
        let mut qemu = command("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args([
            "-machine",
            "q35",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1536M",
        ]);
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        qemu.arg("-kernel").arg(self.image.kernel());
        qemu.arg("-initrd").arg(run.join("initramfs"));
        let arguments = match self.labels {
            Labels::Nobody => KERNEL_ARGUMENTS.to_owned(),
            Labels::Selinux => format!("{KERNEL_ARGUMENTS} {WITH_SELINUX}"),
        };
        qemu.args(["-append", &arguments, "-device", "virtio-rng-pci"]);
        qemu.args([
            "-serial",
            &format!("file:{}", escaped(&run.join("console"))),
        ]);
        add_ports(&mut qemu, run);
        for slot in 1..=DISK_SLOTS {
            qemu.args([
                "-device",
                &format!("pcie-root-port,id=slot{slot},slot={slot},chassis={slot}"),
            ]);
        }
        add_directory(&mut qemu, "host", Path::new("/"), ",readonly=on");
        add_directory(&mut qemu, "packages", self.image.root(), ",readonly=on");
        add_directory(&mut qemu, "share", &self.share, "");
        qemu
    }
}

/// The command's output, and QEMU's own monitor: a test in the VM plugs its disks itself, by speaking QMP on
/// /dev/virtio-ports/qmp. QEMU connects that port to its monitor's socket, so nothing outside takes part.
fn add_ports(qemu: &mut Command, run: &Path) {
    let socket = escaped(&run.join("qmp"));
    qemu.args(["-device", "virtio-serial-pci"]);
    qemu.args([
        "-chardev",
        "file,id=output,path=/dev/stdout",
        "-device",
        "virtserialport,chardev=output,name=output",
    ]);
    qemu.args(["-qmp", &format!("unix:{socket},server=on,wait=off")]);
    qemu.args([
        "-chardev",
        &format!("socket,id=qmp,path={socket},server=off"),
    ]);
    qemu.args(["-device", "virtserialport,chardev=qmp,name=qmp"]);
}

fn add_directory(qemu: &mut Command, tag: &str, path: &Path, access: &str) {
    let path = escaped(path);
    // Inode numbers of several filesystems under one root would collide.
    let directory =
        format!("local,id={tag},path={path},security_model=none,multidevs=remap{access}");
    qemu.args([
        "-fsdev",
        &directory,
        "-device",
        &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    ]);
}

/// QEMU's options are separated by commas; a comma in a value is written twice.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// A word of shell that means `text` and nothing else.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What this machine's commands are found by, and where administrators' commands are.
fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
}

/// QEMU while it runs.
struct Qemu(Child);

impl Qemu {
    /// Ends QEMU, which has closed its output and so is about to end, or is out of time.
    fn end(&mut self) -> Result<()> {
        for _ in 0..20 {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.0.kill()?;
        self.0.wait().map(drop).context("cannot wait for QEMU")
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A run's own directory, seen from both sides; gone when the run is over.
struct Run(PathBuf);

/// What the runs' directories are called, before the number of the process each belongs to.
const RUN_PREFIX: &str = "vm-run-";

impl Run {
    fn create(share: &Path) -> Result<Self> {
        remove_stale_runs(share)?;
        let directory = share.join(format!("{RUN_PREFIX}{}", std::process::id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self(directory))
    }

    fn exit_code(&self, output: &str) -> Result<u8> {
        if let Ok(code) = fs::read_to_string(self.0.join("exit-code")) {
            return code
                .trim()
                .parse()
                .with_context(|| format!("the VM's exit code is not one: {code}"));
        }
        let read = |name| fs::read(self.0.join(name)).unwrap_or_default();
        let (qemu, console) = (read("qemu"), read("console"));
        bail!(
            "the VM ended before its command did; QEMU said:\n{}\nthe kernel said:\n{}\nthe command said:\n{}",
            process::tail(&String::from_utf8_lossy(&qemu)),
            process::tail(&String::from_utf8_lossy(&console)),
            process::tail(output)
        )
    }
}

/// A run that was interrupted could not clear its directory away.
fn remove_stale_runs(share: &Path) -> Result<()> {
    for entry in fs::read_dir(share)?.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(RUN_PREFIX));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_one_word() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn commas_in_paths_do_not_end_options() {
        assert_eq!(escaped(Path::new("/a,b")), "/a,,b");
    }
}
