//! Waiting for a disk to appear.
//!
//! The kernel says when a disk is there (NETLINK_KOBJECT_UEVENT), udev makes its links some time later
//! (inotify). Either wakes us, and then everything is looked at again: an event proves nothing.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::find::{BY_ID, Looked, look};
use crate::worker::{Fault, FaultKind, Reply, WantedDevice};

/// Events can be lost: the socket's buffer is bounded, and a container's network may hear none.
const NET: Duration = Duration::from_secs(1);

/// The kernel's own events; 2 would be udev's.
const KERNEL_EVENTS: u32 = 1;

/// The kernel's limit for one event (UEVENT_BUFFER_SIZE) and its header.
const EVENT_BYTES: usize = 4096;

/// Answers as soon as it is here.
pub(super) fn wait(wanted: &WantedDevice, timeout: Duration) -> Result<Reply, Fault> {
    let until = Instant::now() + timeout;
    let events = Events::subscribe();
    loop {
        // Before the look, so that nothing is missed in between.
        events.watch_links();
        match look(wanted)? {
            Looked::Missing(missing) if Instant::now() >= until => {
                let mut fault = missing.fault(FaultKind::Unreachable, wanted);
                fault.message = format!("waited {} s: {}", timeout.as_secs_f32(), fault.message);
                return Err(fault);
            }
            Looked::Missing(_) => events.wait(until),
            found @ (Looked::Found(_) | Looked::NotGranted(_)) => return found.into_reply(wanted),
        }
    }
}

/// Where news comes from. Either may be lacking; the look once a second is left then.
struct Events {
    disks: Option<OwnedFd>,
    links: Option<Inotify>,
}

impl Events {
    fn subscribe() -> Self {
        Self {
            disks: kernel_events().ok(),
            links: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok(),
        }
    }

    /// The directory of links is made with the first of them: until then, its nearest parent is watched.
    fn watch_links(&self) {
        let Some(links) = &self.links else {
            return;
        };
        // udev makes a link under another name and renames it.
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        for directory in Path::new(BY_ID).ancestors() {
            if links.add_watch(directory, flags).is_ok() {
                return;
            }
        }
    }

    /// Until something happened to a disk, or it is time to look anyway.
    fn wait(&self, until: Instant) {
        let until = until.min(Instant::now() + NET);
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up, so that the last millisecond is not spent in a busy loop.
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1));
            let fds = [
                self.disks.as_ref().map(AsFd::as_fd),
                self.links.as_ref().map(AsFd::as_fd),
            ];
            let mut fds: Vec<_> = fds
                .into_iter()
                .flatten()
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
                .collect();
            let _ = poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX));
            if self.read() == News::OfDisks {
                return;
            }
        }
    }

    /// Takes everything that has arrived.
    fn read(&self) -> News {
        let mut news = News::None;
        if let Some(disks) = &self.disks {
            let mut event = [0; EVENT_BYTES];
            loop {
                match recv(disks.as_raw_fd(), &mut event, MsgFlags::empty()) {
                    Ok(count) if is_of_disk(&event[..count]) => news = News::OfDisks,
                    Ok(_) | Err(Errno::EINTR) => {}
                    // Some were lost, and they may have been ours.
                    Err(Errno::ENOBUFS) => news = News::OfDisks,
                    Err(_) => break,
                }
            }
        }
        if let Some(links) = &self.links
            && links.read_events().is_ok_and(|events| !events.is_empty())
        {
            news = News::OfDisks;
        }
        news
    }
}

#[derive(PartialEq, Eq)]
enum News {
    None,
    OfDisks,
}

fn kernel_events() -> Result<OwnedFd, Errno> {
    let events = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkKObjectUEvent,
    )?;
    bind(events.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_EVENTS))?;
    Ok(events)
}

/// `add@/devices/…`, then `KEY=value`, each ended by a NUL. A disk that changes may have got its size.
fn is_of_disk(event: &[u8]) -> bool {
    let mut parts = event.split(|byte| *byte == 0);
    let action = parts.next().unwrap_or_default();
    (action.starts_with(b"add@") || action.starts_with(b"change@"))
        && parts.any(|part| part == b"SUBSYSTEM=block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_that_appear_or_change_are_news() {
        let disk = b"add@/devices/pci0/virtio3/block/vdb\0ACTION=add\0SUBSYSTEM=block\0";
        assert!(is_of_disk(disk));
        assert!(is_of_disk(
            b"change@/devices/virtual/block/loop0\0SUBSYSTEM=block\0"
        ));
        assert!(!is_of_disk(
            b"remove@/devices/virtual/block/loop0\0SUBSYSTEM=block\0"
        ));
        assert!(!is_of_disk(b"add@/devices/x\0SUBSYSTEM=net\0"));
        assert!(!is_of_disk(b""));
    }

    #[test]
    fn the_kernel_lets_us_listen() {
        assert!(kernel_events().is_ok());
    }
}
