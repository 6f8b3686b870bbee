//! The child's side: read a request, carry it out, answer, until the requests end.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use nix::sys::stat::{Mode, umask};

use super::answer::answer_all;
use super::directories::Directories;
use super::work_limits::Bounds;
use super::{device, files, job, mount_remote, network, statfs, target};
use crate::sys::{give_up_inherited_lock, rlimit};
use crate::worker::command_line::{JOB, MEASURE, NETWORK, WORKER_NAME};
use crate::worker::{Fault, FaultKind, Reply, Request};

/// Of a worker that a guest's words reach: the longest honest answer, ten thousand names, is a few MiB of text.
const MEMORY_BYTES: u64 = 1 << 30;

/// Whether this process was started as a worker.
pub fn is_worker(program: &OsStr) -> bool {
    program == WORKER_NAME
}

/// The whole life of a worker; the caller exits afterwards.
///
/// # Errors
/// Where its pipes break: the parent then sees the end of its replies and reports that.
pub fn serve_worker(purpose: Option<&OsStr>) -> io::Result<()> {
    // Modes are always said outright. Corrected afterwards instead, a directory made by a worker that was
    // killed in between would keep the wrong one.
    umask(Mode::empty());
    // Not where kubelet happens to be: that would keep a file system busy.
    std::env::set_current_dir("/")?;
    rlimit::end_before_the_host(match purpose == Some(OsStr::new(JOB)) {
        true => rlimit::OomScore::First,
        false => rlimit::OomScore::Worker,
    });
    if purpose == Some(OsStr::new(JOB)) {
        return job::serve();
    }
    if purpose == Some(OsStr::new(MEASURE)) {
        rlimit::bound_memory(MEMORY_BYTES)?;
        return statfs::serve();
    }
    if purpose == Some(OsStr::new(NETWORK)) {
        rlimit::bound_memory(MEMORY_BYTES)?;
        return network::serve();
    }
    let mut directories = Directories::default();
    let served = answer_all(None, |request, notes| {
        bound_memory(&request)?;
        carry_out(request, notes, &mut directories)
    });
    // Nothing touches the volume any more. Whoever looked for locks without a holder while ours was killed, found us.
    drop(directories);
    give_up_inherited_lock();
    served
}

/// Programs for a device inherit what this process is allowed, and need as much as the filesystem is large.
fn bound_memory(request: &Request) -> Result<(), Fault> {
    let bounded = match matches!(request, Request::Device(_)) {
        true => rlimit::unbound_memory(),
        false => rlimit::bound_memory_for_now(MEMORY_BYTES),
    };
    bounded.map_err(|errno| {
        let message = format!("cannot bound a worker's memory: {}", errno.desc());
        Fault::new(FaultKind::Other, message)
    })
}

fn carry_out(
    request: Request,
    notes: &Path,
    directories: &mut Directories,
) -> Result<Reply, Fault> {
    match request {
        Request::PrepareTarget { target, kind } => target::prepare_target(&target, kind),
        Request::RemoveTarget { target } => target::remove_target(&target),
        Request::MountRemote {
            target,
            remote,
            access,
        } => mount_remote::mount_remote(&target, &remote, access),
        Request::BindDirectory {
            directory,
            path,
            target,
            access,
        } => {
            let beneath = files::open_beneath(directories.open(&directory)?, &path)?;
            target::bind(&beneath, &target, access)
        }
        Request::CompareDirectory {
            directory,
            path,
            target,
        } => {
            let beneath = files::open_beneath(directories.open(&directory)?, &path)?;
            target::compare(&beneath, &target)
        }
        Request::BindMount {
            from,
            target,
            access,
        } => target::bind_mount(&from, &target, access),
        Request::Unmount { target, flags } => target::unmount(&target, flags),
        Request::Measure { path } => statfs::carry_out(&path),
        Request::OpenDirectory { directory } => directories.open(&directory).map(|_| Reply::Done),
        Request::Files {
            directory,
            operation,
        } => files::carry_out(
            directories.open(&directory)?,
            operation,
            notes,
            &Bounds::of_a_call(),
        ),
        Request::Device(request) => device::carry_out(&request, notes),
        Request::Resolve { .. } | Request::Reach(_) | Request::Https(_) => Err(Fault::new(
            FaultKind::Invalid,
            "a worker with privileges was asked to speak to the network",
        )),
    }
}
