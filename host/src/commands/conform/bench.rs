//! What rules have to do with: a driver of the component, what they made of it, and what was heard of the guest.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use drivebay::driver::{
    AttachVolume, Backend, CallTimeouts, Driver, Exchange, Listener, MADE_UP_TOKEN, PublishVolume,
    Servers, Session, Sharing, StageVolume, StagedFor, VolumeReference,
};
use drivebay::error::DriverError;
use drivebay::store::{Description, Export, Scope};
use drivebay::sys;
use drivebay::volume::{
    Access, AccessMode, AccessType, CapacityRange, CreateGroupSnapshot, CreateSnapshot,
    CreateVolume, GroupSnapshot, NodeId, Parameters, Secrets, Snapshot, StagingPath, TargetPath,
    VolumeCapability, VolumeId, VolumeInfo, VolumeKey, VolumeSource,
};

use super::expectation::{Checked, Stop, given};
use super::made::Made;
use super::subject::Subject;
use crate::commands::run::Caller;

/// Where volumes are mounted, which is nowhere.
const MOUNTS: &str = "/nonexistent/drivebay-conform";

/// Of a call where nobody answers. Time that a guest lets pass takes none then, so that none has a reason to use it up.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// What names begin with; on real servers there is more of it.
const NAMED: &str = "conform";

/// One component, for all rules.
#[derive(Debug)]
pub(super) struct Bench {
    driver: Driver,
    description: Description,
    ear: Arc<Ear>,
    brought: Secrets,
    pub(super) subject: Subject,
    pub(super) servers: Servers,
    /// What the run's names begin with.
    named: String,
    backend: Cell<Backend>,
    pub(super) made: RefCell<Made>,
    /// What could not be removed.
    pub(super) left: RefCell<Vec<String>>,
}

/// Hears the guest.
#[derive(Debug, Default)]
pub(super) struct Ear(Mutex<Vec<String>>);

impl Ear {
    fn texts(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Ear {
    fn log(&self, _level: &'static str, message: &str) {
        self.texts().push(message.to_owned());
    }

    fn call(&self, _line: &str) {}

    fn exchange(&self, _exchange: &Exchange<'_>) {}
}

impl Bench {
    pub(super) fn new(
        driver: Driver,
        description: Description,
        ear: Arc<Ear>,
        brought: Secrets,
        subject: Subject,
        servers: Servers,
    ) -> anyhow::Result<Self> {
        let bench = Self {
            driver,
            description,
            ear,
            brought,
            subject,
            servers,
            named: names(servers)?,
            backend: Cell::default(),
            made: RefCell::default(),
            left: RefCell::default(),
        };
        // So that no rule has to wait for it.
        bench.session().prepared_capabilities()?;
        Ok(bench)
    }

    /// One call.
    pub(super) fn session(&self) -> Session {
        let timeouts = match self.backend.get() {
            Backend::Answers => CallTimeouts::default(),
            Backend::Away => CallTimeouts {
                answer: Some(Instant::now() + PATIENCE),
                ..CallTimeouts::default()
            },
        };
        self.driver
            .session_within(timeouts)
            .with_secrets(&self.brought)
    }

    /// Parameters that the component describes, as a user may write them.
    pub(super) fn described(&self, scope: Scope) -> Vec<String> {
        let described = self.description.of_scope(scope);
        described
            .map(|parameter| parameter.name.replace('*', NAMED))
            .collect()
    }

    pub(super) fn exports(&self, export: Export) -> bool {
        let capabilities = self.session().capabilities();
        capabilities.is_ok_and(|capabilities| capabilities.exports(export))
    }

    /// Whether what is behind the component answers from now on.
    pub(super) fn backend(&self, backend: Backend) {
        self.backend.set(backend);
        if let Some(rehearsal) = self.session().rehearsal() {
            rehearsal.set_backend(backend);
        }
    }

    /// What the guest logged until now.
    pub(super) fn logged(&self) -> Vec<String> {
        self.ear.texts().clone()
    }

    /// What no text may have in it: what the guest was told in confidence, or the sign that it was taken out.
    pub(super) fn secrets(&self) -> [&'static str; 2] {
        [MADE_UP_TOKEN, "***"]
    }

    /// What the names of everything that the run makes begin with.
    pub(super) fn names_begin_with(&self) -> &str {
        &self.named
    }

    /// A name that no other rule uses.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.named)
    }

    /// As the subject's volumes are made.
    pub(super) fn request(&self, name: &str) -> CreateVolume {
        CreateVolume {
            name: self.name(name),
            capacity: CapacityRange {
                required_bytes: Some(self.subject.size_bytes),
                limit_bytes: None,
            },
            parameters: Parameters::new(self.subject.parameters.clone()),
            capabilities: vec![capability(AccessMode::SingleNodeWriter)],
            source: None,
            places: Vec::new(),
        }
    }

    /// The same, from something else.
    pub(super) fn request_from(&self, name: &str, source: VolumeSource) -> CreateVolume {
        CreateVolume {
            source: Some(source),
            ..self.request(name)
        }
    }

    pub(super) fn create(&self, request: &CreateVolume) -> Result<VolumeInfo, DriverError> {
        let answer = Caller(&self.session()).create_volume(request);
        let mut made = self.made.borrow_mut();
        made.note_volume(request, answer.as_ref().map(|volume| &volume.id));
        answer
    }

    pub(super) fn delete(&self, id: &VolumeId) -> Result<(), DriverError> {
        Caller(&self.session()).delete_volume(id)?;
        self.made.borrow_mut().volumes.retain(|made| made != id);
        Ok(())
    }

    /// A volume on which a rule rests.
    pub(super) fn volume(&self, name: &str) -> Checked<VolumeInfo> {
        given("create-volume", self.create(&self.request(name)))
    }

    /// The same, or the one that is there where the component makes none.
    pub(super) fn existing(&self, name: &str) -> Checked<VolumeReference> {
        if self.exports(Export::Controller) {
            return self.volume(name).map(|volume| reference(&volume));
        }
        let none = || "the component makes no volumes: name one that is there, --volume ID --volume-parameter KEY=VALUE";
        self.subject
            .volume
            .clone()
            .ok_or_else(|| Stop::Untried(none().to_owned()))
    }

    /// One that was made and deleted: nobody else knows how an id of a volume looks that is not there.
    pub(super) fn gone(&self, name: &str) -> Checked<VolumeReference> {
        let volume = self.volume(name)?;
        given("delete-volume", self.delete(&volume.id))?;
        match self.session().get_volume(&volume.id) {
            Ok(_) => Err(Stop::Untried(format!(
                "volume {:?} is still there after delete-volume",
                volume.id.0
            ))),
            Err(_) => Ok(reference(&volume)),
        }
    }

    pub(super) fn attach(&self, volume: &VolumeReference) -> Result<Parameters, DriverError> {
        let request = AttachVolume {
            volume: volume.clone(),
            node: self.subject.node.clone(),
            kind: None,
            access: Access::ReadWrite,
        };
        // Also where the answer says that it is not: it may come to be.
        self.made.borrow_mut().attached.push(volume.key.clone());
        Caller(&self.session()).attach_volume(&request)
    }

    pub(super) fn detach(&self, key: &VolumeKey, node: &NodeId) -> Result<(), DriverError> {
        Caller(&self.session()).detach_volume(key, node)
    }

    pub(super) fn is_attached(&self, volume: &VolumeReference) -> Result<bool, DriverError> {
        self.session().is_attached(volume, &self.subject.node)
    }

    /// A volume that a node can have, attached where that has to be.
    pub(super) fn mountable(&self, name: &str) -> Checked<VolumeReference> {
        let volume = self.existing(name)?;
        if self.exports(Export::Attachment) {
            given("attach-volume", self.attach(&volume))?;
        }
        Ok(volume)
    }

    /// Once for the node where volumes are staged, else for a pod.
    pub(super) fn mount(&self, volume: &VolumeReference, at: &str) -> Result<(), DriverError> {
        let path = format!("{MOUNTS}/{at}");
        let wrong = |error| DriverError::internal("cannot mount there").caused_by(error);
        let session = self.session();
        if self.exports(Export::Attachment) {
            Caller(&session).stage_volume(&StageVolume {
                volume: volume.clone(),
                staging: StagingPath::new(&path).map_err(wrong)?,
                publish_context: Parameters::default(),
                access: Access::ReadWrite,
                staged_for: StagedFor::Everyone,
                kind: filesystem(),
            })?;
        } else {
            Caller(&session).publish_volume(&PublishVolume {
                volume: volume.clone(),
                target: TargetPath::new(&path).map_err(wrong)?,
                access: Access::ReadWrite,
                kind: filesystem(),
                sharing: Sharing::ManyTargets,
                staging: None,
                publish_context: Parameters::default(),
                staged_for: StagedFor::Everyone,
            })?;
        }
        self.made.borrow_mut().mounted.push(path);
        Ok(())
    }

    pub(super) fn unmount(&self, at: &str) {
        self.unmount_path(&format!("{MOUNTS}/{at}"));
    }

    pub(super) fn unmount_path(&self, path: &str) {
        if let (Ok(path), Some(rehearsal)) = (StagingPath::new(path), self.session().rehearsal()) {
            rehearsal.unstage_volume(&path);
        }
    }

    pub(super) fn cut(&self, name: &str, source: &VolumeId) -> Result<Snapshot, DriverError> {
        self.cut_as(&CreateSnapshot {
            // No volume's: some backends have both in one place.
            name: self.name(&format!("snapshot-{name}")),
            source: source.clone(),
            parameters: Parameters::new(self.subject.snapshot_parameters.clone()),
        })
    }

    pub(super) fn cut_as(&self, request: &CreateSnapshot) -> Result<Snapshot, DriverError> {
        let answer = self.session().create_snapshot(request);
        let mut made = self.made.borrow_mut();
        made.note_snapshot(request, answer.as_ref().map(|snapshot| &snapshot.id));
        answer
    }

    pub(super) fn cut_group(
        &self,
        name: &str,
        sources: &[VolumeId],
    ) -> Result<GroupSnapshot, DriverError> {
        self.cut_group_as(&CreateGroupSnapshot {
            name: self.name(&format!("group-{name}")),
            sources: sources.to_vec(),
            parameters: Parameters::new(self.subject.group_parameters.clone()),
        })
    }

    pub(super) fn cut_group_as(
        &self,
        request: &CreateGroupSnapshot,
    ) -> Result<GroupSnapshot, DriverError> {
        let answer = self.session().create_group_snapshot(request);
        self.made.borrow_mut().note_group(request, answer.as_ref());
        answer
    }
}

/// What a second run makes on a real server meets nothing of the first.
fn names(servers: Servers) -> anyhow::Result<String> {
    Ok(match servers {
        Servers::Modelled => NAMED.to_owned(),
        Servers::Real => {
            let [a, b, c, d, ..] = sys::random_bytes()?;
            format!("{NAMED}-{:08x}", u32::from_be_bytes([a, b, c, d]))
        }
    })
}

/// As its claim's volume goes on.
pub(super) fn reference(volume: &VolumeInfo) -> VolumeReference {
    VolumeReference {
        key: VolumeKey(volume.id.0.clone()),
        id: volume.id.clone(),
        context: volume.context.clone(),
    }
}

pub(super) fn capability(mode: AccessMode) -> VolumeCapability {
    VolumeCapability {
        mode,
        kind: filesystem(),
    }
}

fn filesystem() -> AccessType {
    AccessType::Filesystem {
        fs_type: String::new(),
        mount_options: Vec::new(),
    }
}
