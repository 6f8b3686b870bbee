//! The server is gone while volumes are mounted: unmounting ends, whatever it is in the middle of.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drivebay_tests::{Answer, eventually};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::lab::{self, FILER, HASTY, SOON};
use crate::pod::{Pod, expect_nothing_left};

fn mounted(name: &str, version: &str) -> Pod {
    let pod = Pod::of(HASTY, name);
    let options = [("server", FILER), ("share", "/alpha"), ("vers", version)];
    pod.mount(&options).succeeds();
    pod
}

/// Takes the server away, has `meanwhile` done and the volume unmounted, and gives the server back.
#[track_caller]
fn unmount_without_server(pod: &Pod, meanwhile: impl FnOnce()) -> Answer {
    let unplugged = lab::pull_the_plug();
    meanwhile();
    let started = Instant::now();
    let answer = pod.unmount();
    let took = started.elapsed();
    drop(unplugged);
    assert!(took < SOON, "took {took:?}");
    answer
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_is_unmounted_though_its_server_is_gone() {
    for version in ["3", "4.2"] {
        let pod = mounted("gone", version);
        unmount_without_server(&pod, || ()).succeeds();
        expect_nothing_left(&pod);
    }
}

/// Looking is not asking: where attributes are not kept for a moment, every question goes to the server.
#[test]
#[ignore = "needs the VM's NFS"]
fn what_is_mounted_is_known_though_its_server_is_gone() {
    for version in ["3", "4.2"] {
        let pod = Pod::of(HASTY, "known");
        let options = [
            ("server", FILER),
            ("share", "/alpha"),
            ("vers", version),
            ("mountOptions", "noac"),
        ];
        pod.mount(&options).succeeds();
        unmount_without_server(&pod, || {
            let mut again = pod.start_mount(&options);
            let has_ended = |again: &mut Child| matches!(again.try_wait(), Ok(Some(_)));
            eventually("an answer without the server", || has_ended(&mut again));
            Answer::of(&again.wait_with_output().expect("ours")).succeeds();
        })
        .succeeds();
        expect_nothing_left(&pod);
    }
}

/// Nobody uses the volume, but what was written is still in this machine's memory: the kernel would wait
/// for ever to get rid of it.
#[test]
#[ignore = "needs the VM's NFS"]
fn unwritten_data_do_not_hold_up_unmounting() {
    for version in ["3", "4.2"] {
        let pod = mounted("unwritten", version);
        let memory = Memory::of(&pod);
        unmount_without_server(&pod, || memory.write()).succeeds();
        expect_nothing_left(&pod);
    }
}

/// A process that waits for the server cannot even be killed, and keeps the volume busy.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_in_use_stays_until_its_server_is_back() {
    let pod = mounted("in-use", "4.2");
    let mut writer = Writer::start(&pod);
    unmount_without_server(&pod, || writer.write_and_be_killed())
        .fails_with("a process still uses it");
    pod.mounted();
    writer.process.wait().expect("the server is back");
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

/// One page of a file in the volume, mapped.
struct Memory(std::ptr::NonNull<std::ffi::c_void>, NonZeroUsize);

#[expect(
    unsafe_code,
    reason = "only writing to mapped memory leaves data behind that no close waits for"
)]
impl Memory {
    fn of(pod: &Pod) -> Self {
        let path = pod.file("mapped");
        fs::write(&path, [b'.'; 4096]).expect("writable");
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("there");
        let length = NonZeroUsize::new(4096).expect("not zero");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, which nothing else refers to.
        let address = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, &file, 0) }
            .expect("mapped");
        // SAFETY: the page is mapped and readable; reading has it fetched while the server is there.
        unsafe { address.cast::<u8>().read_volatile() };
        Self(address, length)
    }

    fn write(self) {
        // SAFETY: the page is mapped and writable until the next line.
        unsafe { self.0.cast::<u8>().write_volatile(b'!') };
        // SAFETY: the mapping is ours, and ends with `self`.
        unsafe { munmap(self.0, self.1.get()) }.expect("ours");
    }
}

/// A pod's process with a file open in the volume.
struct Writer {
    process: Child,
}

impl Writer {
    fn start(pod: &Pod) -> Self {
        let file = pod.file("data");
        let script = format!(
            "exec 3>'{}'; echo open; read go; head -c 200000 /dev/zero >&3",
            file.display()
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "a pod's process, as its container would run it"
        )]
        let mut process = Command::new("/bin/sh")
            .args(["-c", &script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut said = String::new();
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        lines.read_line(&mut said).expect("text");
        assert_eq!(said, "open\n");
        Self { process }
    }

    fn write_and_be_killed(&mut self) {
        let mut input = self.process.stdin.take().expect("piped");
        input.write_all(b"go\n").expect("it listens");
        std::thread::sleep(Duration::from_secs(1));
        // The shell and `head`; neither ends before its data are written.
        let group = Pid::from_raw(self.process.id().cast_signed());
        killpg(group, Signal::SIGKILL).expect("ours");
    }
}
