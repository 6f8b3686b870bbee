//! Devices of this machine's instance: what is attached to it, and nothing else, is there.
//!
//! Nobody says "make a device" or "remove it". Whoever changed something asks to look at a disk again, and
//! what is there is made to be what should be there. So late, repeated and outdated requests do no harm.

mod loops;
mod qemu;
mod qmp;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use self::loops::Loops;
use self::qemu::Qemu;
use crate::cloud::disk::Link;
use crate::files::Files;
use crate::settings::DeviceKind;
use crate::words::Serial;

/// A device as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) bytes: u64,
    /// The disk's own size, where the device's is to differ.
    pub(crate) disk_bytes: u64,
    pub(crate) link: Link,
}

/// A device as it is.
#[derive(Clone, Debug)]
struct Present {
    wanted: Wanted,
    /// What the maker calls it: a path, or a place.
    name: String,
}

/// Something that makes block devices out of files.
trait Maker: fmt::Debug + Send {
    /// Makes a device on the disk's file and says what it is called.
    fn plug(&mut self, serial: &Serial, wanted: &Wanted) -> Result<String>;
    /// Lets the device notice that its file has grown.
    fn grow(&mut self, serial: &Serial, name: &str, bytes: u64) -> Result<()>;
    fn unplug(&mut self, serial: &Serial, name: &str, link: &Link) -> Result<()>;
    /// Makes a device of an earlier run look like one of this run.
    fn adopt(&mut self, serial: &Serial, name: &str, wanted: &Wanted) -> Result<()>;
    /// Devices that an earlier run left behind, by serial.
    fn left_behind(&mut self) -> Result<Vec<(Serial, String)>>;
}

/// All devices, under one lock: they are made one at a time.
#[derive(Debug)]
pub(crate) struct Devices {
    inner: Mutex<Inner>,
    files: Files,
}

#[derive(Debug)]
struct Inner {
    maker: Option<Box<dyn Maker>>,
    present: BTreeMap<Serial, Present>,
    /// What went wrong, for whoever wonders why a device does not appear.
    errors: Vec<String>,
}

impl Devices {
    pub(crate) fn new(kind: DeviceKind, files: &Files) -> Self {
        let maker: Option<Box<dyn Maker>> = match kind {
            DeviceKind::None => None,
            DeviceKind::Loop { links } => Some(Box::new(Loops::new(files.clone(), links))),
            DeviceKind::Qemu { port, backing } => {
                Some(Box::new(Qemu::new(files.clone(), port, backing)))
            }
        };
        let inner = Inner {
            maker,
            present: BTreeMap::new(),
            errors: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
            files: files.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what an earlier run left behind, as far as it is still wanted; the rest goes.
    pub(crate) fn adopt(&self, wanted: impl Fn(&Serial) -> Option<Wanted>) {
        let mut inner = self.lock();
        let left = match inner.maker.as_mut().map(|maker| maker.left_behind()) {
            None => return,
            Some(Ok(left)) => left,
            Some(Err(error)) => return inner.complain("what was left behind", &error),
        };
        for (serial, name) in left {
            let wanted = wanted(&serial);
            inner.take_over(serial, name, wanted);
        }
    }

    /// Makes the disk's device what it should be. `wanted` is asked under the lock, so that the last one
    /// who looks decides.
    pub(crate) fn look_again(&self, serial: &Serial, wanted: impl FnOnce() -> Option<Wanted>) {
        let mut inner = self.lock();
        if inner.maker.is_none() {
            return;
        }
        let wanted = wanted();
        if let Err(error) = inner.reconcile(&self.files, serial, wanted) {
            inner.complain(serial.as_str(), &error);
        }
    }

    /// Removes all devices. None can be made afterwards.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        let serials: Vec<Serial> = inner.present.keys().cloned().collect();
        for serial in serials {
            if let Err(error) = inner.reconcile(&self.files, &serial, None) {
                inner.complain(serial.as_str(), &error);
            }
        }
        inner.maker = None;
    }

    /// Leaves all devices where they are. None can be made afterwards.
    pub(crate) fn abandon(&self) {
        self.lock().maker = None;
    }

    /// What is there, by serial.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let inner = self.lock();
        let shown =
            |(serial, present): (&Serial, &Present)| (serial.to_string(), present.name.clone());
        inner.present.iter().map(shown).collect()
    }

    /// What went wrong so far.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.lock().errors.clone()
    }
}

impl Inner {
    fn reconcile(&mut self, files: &Files, serial: &Serial, wanted: Option<Wanted>) -> Result<()> {
        let Some(maker) = self.maker.as_mut() else {
            return Ok(());
        };
        match (self.present.get_mut(serial), wanted) {
            (None, None) => {}
            (None, Some(wanted)) => {
                // A device that is to be larger than its disk needs a file that is.
                if wanted.bytes > wanted.disk_bytes {
                    files.resize_disk(serial, wanted.bytes)?;
                }
                let name = maker.plug(serial, &wanted)?;
                self.present
                    .insert(serial.clone(), Present { wanted, name });
            }
            (Some(present), Some(wanted)) => {
                if wanted.bytes > present.wanted.bytes {
                    maker.grow(serial, &present.name, wanted.bytes)?;
                }
                present.wanted.bytes = wanted.bytes;
                present.wanted.disk_bytes = wanted.disk_bytes;
            }
            (Some(present), None) => {
                maker.unplug(serial, &present.name, &present.wanted.link)?;
                let Wanted {
                    bytes, disk_bytes, ..
                } = present.wanted;
                self.present.remove(serial);
                if bytes > disk_bytes {
                    files.resize_disk(serial, disk_bytes)?;
                }
            }
        }
        Ok(())
    }

    fn take_over(&mut self, serial: Serial, name: String, wanted: Option<Wanted>) {
        let Some(maker) = self.maker.as_mut() else {
            return;
        };
        let done = match wanted {
            None => maker.unplug(&serial, &name, &Link::Serial),
            Some(wanted) => {
                let adopted = maker.adopt(&serial, &name, &wanted);
                self.present
                    .insert(serial.clone(), Present { wanted, name });
                adopted
            }
        };
        if let Err(error) = done {
            self.complain(serial.as_str(), &error);
        }
    }

    fn complain(&mut self, about: &str, error: &anyhow::Error) {
        self.errors.push(format!("{about}: {error:#}"));
    }
}

/// The name of a disk's link, or none.
fn link_name(serial: &Serial, link: &Link) -> Option<String> {
    match link {
        Link::Serial => Some(format!("virtio-{serial}")),
        Link::Other(name) => Some(name.clone()),
        Link::None => None,
    }
}

/// Where a directory of this machine is seen from elsewhere.
#[derive(Clone, Debug)]
pub struct Backing {
    /// The directory's path here.
    pub here: PathBuf,
    /// The same directory's path there.
    pub there: PathBuf,
}
