//! The filesystems' own programs, as children of the worker.
//!
//! They are in its process group and are killed with it. Their standard input is the worker's standard
//! error, which is the volume's lock (see `process`): if the worker alone is killed, a program that still
//! runs keeps the lock. Reading from it gives nothing, so that a program that asks gets no answer.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::worker::start::start;
use crate::worker::{Fault, FaultKind};

/// Where they are looked for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Longest part of a program's output that a message repeats.
const MAX_SAID: usize = 400;

/// A program, and where an operator gets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Debian's package.
    pub(super) package: &'static str,
}

/// All of them. An image of this host has them and their libraries, which a test compares (tests/image/programs.rs).
pub(super) const BLKID: Program = program("blkid", "util-linux");
pub(super) const E2FSCK: Program = program("e2fsck", "e2fsprogs");
pub(super) const MKFS_EXT2: Program = program("mkfs.ext2", "e2fsprogs");
pub(super) const MKFS_EXT3: Program = program("mkfs.ext3", "e2fsprogs");
pub(super) const MKFS_EXT4: Program = program("mkfs.ext4", "e2fsprogs");
pub(super) const MKFS_XFS: Program = program("mkfs.xfs", "xfsprogs");
pub(super) const PARTX: Program = program("partx", "util-linux");
pub(super) const RESIZE2FS: Program = program("resize2fs", "e2fsprogs");
pub(super) const SFDISK: Program = program("sfdisk", "fdisk");
pub(super) const XFS_GROWFS: Program = program("xfs_growfs", "xfsprogs");

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Outcome(Output);

impl Program {
    /// Whether there is one of that name.
    pub(super) fn is_there(self) -> bool {
        PATH.split(':')
            .any(|directory| Path::new(directory).join(self.name).is_file())
    }

    /// Runs it to its end.
    pub(super) fn run(self, arguments: &[&str]) -> Result<Outcome, Fault> {
        let failed = |error: std::io::Error| self.failed(&error);
        let lock = std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map_err(failed)?;
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::from(lock))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = start(&mut command).map_err(failed)?;
        Ok(Outcome(child.wait_with_output().map_err(failed)?))
    }

    /// Runs it with something to read, and so without the lock: only for what is over at once.
    pub(super) fn run_with_input(self, arguments: &[&str], input: &str) -> Result<Outcome, Fault> {
        use std::io::Write;
        let failed = |error: std::io::Error| self.failed(&error);
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = start(&mut command).map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(failed)?;
        }
        Ok(Outcome(child.wait_with_output().map_err(failed)?))
    }

    /// No environment but a fixed one: what the output says must not depend on who started kubelet.
    fn command(self, arguments: &[&str]) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "sys is where child processes are made"
        )]
        let mut command = Command::new(self.name);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C");
        command
    }

    fn failed(self, error: &std::io::Error) -> Fault {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Fault::new(
                FaultKind::Unsupported,
                format!(
                    "{} is missing; install {} where this host runs",
                    self.name, self.package
                ),
            );
        }
        Fault::new(
            FaultKind::Other,
            format!("cannot run {}: {error}", self.name),
        )
    }
}

impl Outcome {
    pub(super) fn is_success(&self) -> bool {
        self.0.status.success()
    }

    /// None where a signal ended it.
    pub(super) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// What it answered.
    pub(super) fn answer(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).trim().to_owned()
    }

    /// The end of all it said, in one line, with how it ended.
    pub(super) fn said(&self) -> String {
        let all = [self.0.stdout.as_slice(), b" ", self.0.stderr.as_slice()].concat();
        let text = String::from_utf8_lossy(&all);
        let words: Vec<&str> = text.split(|c: char| c.is_control() || c == ' ').collect();
        let line = words
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let skipped = line.chars().count().saturating_sub(MAX_SAID);
        let end: String = line.chars().skip(skipped).collect();
        format!("{} ({})", end, self.0.status)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::alone;
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let program = Program {
            name: "mkfs.no-such",
            package: "no-such-progs",
        };
        let _alone = alone();
        let fault = program.run(&[]).expect_err("missing");
        assert_eq!(fault.kind, FaultKind::Unsupported);
        assert_eq!(
            fault.message,
            "mkfs.no-such is missing; install no-such-progs where this host runs"
        );
    }

    #[test]
    fn what_a_program_says_is_one_bounded_line() {
        let program = Program {
            name: "sh",
            package: "dash",
        };
        let _alone = alone();
        let outcome = program
            .run(&["-c", "seq 1 999; echo oh no >&2; exit 3"])
            .expect("run");
        assert_eq!(outcome.code(), Some(3));
        let said = outcome.said();
        assert!(said.ends_with("999 oh no (exit status: 3)"), "{said}");
        assert!(said.len() < MAX_SAID + 50);
    }

    #[test]
    fn a_program_gets_no_environment_of_ours() {
        let program = Program {
            name: "env",
            package: "coreutils",
        };
        let _alone = alone();
        let mut lines: Vec<String> = program
            .run(&[])
            .expect("run")
            .answer()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        assert_eq!(lines, ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
    }
}
