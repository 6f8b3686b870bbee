//! What all ports share: the cloud behind its lock, and what goes on by itself.
//!
//! Two locks are ever held together: first the devices', then the cloud's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;

use crate::actions::{Action, Outcome, View, Work};
use crate::chance;
use crate::cloud::Cloud;
use crate::cloud::disk::{Late, Phase, Quirks};
use crate::cloud::knobs::{Fate, Pace};
use crate::cloud::tokens::{Flight, Token};
use crate::cloud::transition::Transition;
use crate::devices::{Devices, Wanted};
use crate::error::Refusal;
use crate::faults::Faults;
use crate::files::Files;
use crate::ports::metadata::Sessions;
use crate::request_log::RequestLog;
use crate::signing::Nonces;
use crate::state_file::StateFile;
use crate::wire::parameters::Parameters;
use crate::words::{DiskId, Serial};

/// What all ports share.
#[derive(Debug)]
pub(crate) struct Service {
    cloud: Mutex<Written>,
    pub(crate) files: Files,
    pub(crate) devices: Devices,
    pub(crate) faults: Faults,
    pub(crate) nonces: Nonces,
    pub(crate) log: RequestLog,
    pub(crate) sessions: Sessions,
    runtime: Handle,
    /// Whatever is still under way then may not write over what the next run writes.
    closed: AtomicBool,
}

/// The cloud, and where it is written down.
#[derive(Debug)]
struct Written {
    cloud: Cloud,
    file: StateFile,
}

/// What is to be odd about one request.
#[derive(Debug)]
pub(crate) struct Oddities {
    pub(crate) quirks: Quirks,
    pub(crate) view: View,
    pub(crate) flight: Flight,
}

impl Service {
    pub(crate) fn new(cloud: Cloud, file: StateFile, files: Files, devices: Devices) -> Self {
        Self {
            cloud: Mutex::new(Written { cloud, file }),
            files,
            devices,
            faults: Faults::default(),
            nonces: Nonces::default(),
            log: RequestLog::default(),
            sessions: Sessions::default(),
            runtime: Handle::current(),
            closed: AtomicBool::new(false),
        }
    }

    /// Lets nothing change any more; what is under way goes on when the next run begins.
    pub(crate) fn close(&self) {
        let _last_change = self.lock();
        self.closed.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads something of the cloud.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Cloud) -> T) -> T {
        read(&self.lock().cloud)
    }

    /// Changes the cloud, and writes it down before anyone sees the change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Cloud) -> T) -> Result<T, Refusal> {
        let mut written = self.lock();
        let Written { cloud, file } = &mut *written;
        if self.closed.load(Ordering::Acquire) {
            let message = "The emulator has stopped.";
            return Err(Refusal::new(503, "ServiceUnavailable", message));
        }
        let result = change(cloud);
        file.write(cloud)?;
        Ok(result)
    }

    /// Performs an action, or recalls what came of it if its client token was used before.
    pub(crate) fn perform(
        self: &Arc<Self>,
        action: Action,
        parameters: &Parameters,
        oddities: Oddities,
    ) -> Outcome {
        let Oddities {
            quirks,
            view,
            flight,
        } = oddities;
        let token = Token::read(action.name, parameters)?;
        let act = |cloud: &mut Cloud| {
            if let Some(recalled) = token.as_ref().and_then(|token| cloud.tokens.recall(token)) {
                return (recalled, Vec::new(), Vec::new());
            }
            let mut work = Work {
                cloud,
                files: &self.files,
                parameters,
                now: Timestamp::now(),
                quirks,
                view,
                begun: Vec::new(),
                touched: Vec::new(),
            };
            let outcome = (action.perform)(&mut work);
            let (begun, touched) = (work.begun, work.touched);
            keep_token(cloud, token, &outcome, flight);
            (outcome, begun, touched)
        };
        // That a disk was described matters until a restart, and clients describe all the time.
        let (outcome, begun, touched) = if action.only_describes() {
            act(&mut self.lock().cloud)
        } else {
            self.change(act)?
        };
        for disk in &touched {
            self.look_again(disk);
        }
        for transition in begun {
            self.begin(transition);
        }
        outcome
    }

    /// Lets something that is under way come to its end in its own time.
    pub(crate) fn begin(self: &Arc<Self>, transition: Transition) {
        let (pace, delay) = self.read(|cloud| (cloud.knobs.pace, cloud.knobs.delay_ms));
        if pace == Pace::Held {
            return;
        }
        let delay = Duration::from_millis(delay);
        // Devices do not appear in the order in which they were attached.
        let more = match transition {
            Transition::Attach(..) => chance::up_to(delay),
            Transition::Create(_)
            | Transition::Detach(..)
            | Transition::Resize(_)
            | Transition::Cut(_)
            | Transition::CutGroup(_)
            | Transition::Upload(_)
            | Transition::Modify(_) => Duration::ZERO,
        };
        self.later(delay + more, move |service| service.finish(&transition));
    }

    /// Ends all that is under way now, whatever the pace; what follows from it is under way then.
    pub(crate) fn step(self: &Arc<Self>) {
        for transition in self.read(Cloud::pending) {
            self.finish(&transition);
        }
    }

    fn later(self: &Arc<Self>, delay: Duration, what: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let service = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            tokio::task::spawn_blocking(move || what(&service)).await
        });
    }

    /// The end of what is under way. A device goes before the disk is Available, and comes after it is In_use.
    fn finish(self: &Arc<Self>, transition: &Transition) {
        match transition {
            Transition::Detach(disk, _) => self.look_again(disk),
            Transition::Resize(disk) => self.grow_file(disk),
            Transition::Create(_)
            | Transition::Attach(..)
            | Transition::Cut(_)
            | Transition::CutGroup(_)
            | Transition::Upload(_)
            | Transition::Modify(_) => {}
        }
        let finished = self.change(|cloud| {
            self.cut(cloud, transition);
            cloud.finish(transition, Timestamp::now())
        });
        match transition {
            Transition::Attach(disk, _) => self.bring_device(disk),
            Transition::Resize(disk) => self.look_again(disk),
            Transition::Create(_)
            | Transition::Detach(..)
            | Transition::Cut(_)
            | Transition::CutGroup(_)
            | Transition::Upload(_)
            | Transition::Modify(_) => {}
        }
        // A state that cannot be written is told to the next who sends a request.
        for transition in finished.unwrap_or_default() {
            self.begin(transition);
        }
    }

    /// Copies what snapshots are to hold. One that cannot be copied comes to nothing.
    fn cut(&self, cloud: &mut Cloud, transition: &Transition) {
        for (disk, snapshot) in cloud.to_be_cut(transition) {
            let copied = self.files.cut_snapshot(&disk.serial(), &snapshot);
            let failed = copied.is_err();
            if let Some(snapshot) = cloud.snapshots.get_mut(&snapshot).filter(|_| failed) {
                snapshot.fate = Fate::Fail;
            }
        }
    }

    fn grow_file(&self, disk: &DiskId) {
        let size = self.read(|cloud| cloud.disks.get(disk)?.resizing);
        if let Some(resizing) = size {
            // A file that cannot grow leaves the device as it was, which a client has to notice anyway.
            let _ = self
                .files
                .resize_disk(&disk.serial(), resizing.size.bytes());
        }
    }

    fn bring_device(self: &Arc<Self>, disk: &DiskId) {
        let late = self.read(|cloud| {
            let attachment = cloud.disks.get(disk)?.attachment(&cloud.here)?;
            Some(attachment.quirks.late)
        });
        match late {
            None | Some(Late::Not | Late::Held) => self.look_again(disk),
            Some(Late::Millis(millis)) => {
                let disk = disk.clone();
                self.later(Duration::from_millis(millis), move |service| {
                    service.look_again(&disk);
                });
            }
        }
    }

    /// Makes the disk's device here what it should be.
    pub(crate) fn look_again(&self, disk: &DiskId) {
        let serial = disk.serial();
        self.devices.look_again(&serial, || self.wanted(&serial));
    }

    /// The device that a disk should have here, if it should have one.
    pub(crate) fn wanted(&self, serial: &Serial) -> Option<Wanted> {
        let id = DiskId::from(format!("d-{serial}"));
        self.read(|cloud| {
            let disk = cloud.disks.get(&id)?;
            let attachment = disk.attachment(&cloud.here)?;
            if attachment.phase != Phase::Attached || attachment.device == SYSTEM_DEVICE {
                return None;
            }
            let quirks = &attachment.quirks;
            if quirks.late == Late::Held {
                return None;
            }
            Some(Wanted {
                bytes: quirks.bytes.unwrap_or(attachment.visible.bytes()),
                disk_bytes: disk.size.bytes(),
                link: quirks.link.clone(),
            })
        })
    }

    /// Goes on where an earlier run ended: devices first, then whatever is under way.
    pub(crate) fn resume(self: &Arc<Self>) {
        self.devices.adopt(|serial| self.wanted(serial));
        let disks: Vec<DiskId> = self.read(|cloud| cloud.disks.keys().cloned().collect());
        for disk in disks {
            self.look_again(&disk);
        }
        for transition in self.read(Cloud::pending) {
            self.begin(transition);
        }
    }
}

/// The device an instance boots from, which is not made by anyone here.
const SYSTEM_DEVICE: &str = "/dev/xvda";

fn keep_token(cloud: &mut Cloud, token: Option<Token>, outcome: &Outcome, flight: Flight) {
    let Some(token) = token else {
        return;
    };
    let kept = match outcome {
        Ok(_) => true,
        Err(refusal) => cloud
            .knobs
            .tokens_kept_after
            .iter()
            .any(|code| *code == refusal.code),
    };
    if kept {
        cloud.tokens.keep(token, outcome.clone(), flight);
    }
}
