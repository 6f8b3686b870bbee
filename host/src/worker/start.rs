//! Where every process of ours is started.

use std::io;
use std::process::{Child, Command};

use crate::sys;

/// Starts it. When this returns it runs its program, and has nothing of ours but what it was given.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    let _nothing_to_inherit = sys::while_no_program_is_written();
    command.spawn()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Stdio;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[track_caller]
    fn run(program: &Path) {
        #[expect(
            clippy::disallowed_methods,
            reason = "sys is where child processes are made"
        )]
        let mut command = Command::new(program);
        let mut child = start(command.stdin(Stdio::null())).expect("it runs");
        assert!(child.wait().expect("ours").success());
    }

    #[test]
    fn a_program_that_was_just_written_runs_while_others_start_processes() {
        let directory = tempfile::tempdir().expect("a directory");
        let is_over = AtomicBool::new(false);
        let script = b"#!/bin/sh\nexit 0\n";
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        run(Path::new("/bin/true"));
                    }
                });
            }
            let programs = scope.spawn(|| {
                for number in 0..200 {
                    let program = directory.path().join(number.to_string());
                    sys::write_program_durably(&program, script).expect("writable");
                    run(&program);
                }
            });
            let outcome = programs.join();
            is_over.store(true, Ordering::Relaxed);
            outcome.expect("each was run");
        });
    }
}
