//! Volumes at the backend: made and deleted by the driver's own code, which is that of CSI's calls, on threads that may
//! wait.

use std::time::Instant;

use drivebay::driver::{Capabilities, Driver, Export, Scope, Session};
use drivebay::error::DriverError;
use drivebay::volume::{
    AccessMode, AccessType, CapacityRange, CreateVolume, Parameters, Topology, VolumeCapability,
    VolumeId, VolumeInfo,
};
use tokio::task::spawn_blocking;

use crate::claim::Reach;
use crate::intent::Intent;
use crate::lease::Tenure;
use crate::metrics::{Failure, Metrics, Operation};
use crate::turns::{Turn, Turns};
use crate::volume::Made;

/// What drivers call their mount options, where volumes may have such.
const MOUNT_OPTIONS: &str = "mountOptions";

/// The one driver that volumes are of.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    driver: Driver,
    /// One for each call that may run beside others.
    turns: Turns,
    tenure: Tenure,
    metrics: Metrics,
}

impl Backend {
    /// Which takes so many calls at once, while the lease is held.
    pub(crate) fn new(driver: Driver, at_once: u16, tenure: Tenure, metrics: Metrics) -> Self {
        Self {
            driver,
            turns: Turns::new(at_once),
            tenure,
            metrics,
        }
    }

    /// Whether there is a component that can be called, which is compiled for that.
    pub(crate) async fn is_ready(&self) -> Result<(), DriverError> {
        self.capabilities().await.map(drop)
    }

    /// From where its volumes can be reached.
    pub(crate) async fn reach(&self) -> Result<Reach, DriverError> {
        Ok(
            match self.capabilities().await?.exports(Export::Accessibility) {
                true => Reach::SomePlaces,
                false => Reach::EveryNode,
            },
        )
    }

    async fn capabilities(&self) -> Result<Capabilities, DriverError> {
        let driver = self.driver.clone();
        blocking(move || driver.session().prepared_capabilities()).await
    }

    /// Leave to call. What is called is looked at once this is there, and not before: who waits for a turn may wait for long,
    /// and what was to be deleted then may have to be kept by now.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Makes the volume of an intent, or finds the one that was made for it.
    pub(crate) async fn make(&self, turn: &Turn, intent: &Intent) -> Result<Made, DriverError> {
        let intent = intent.clone();
        let make = move |session: &Session| make(session, &intent);
        self.call(turn, Operation::Create, make).await
    }

    /// Deletes a volume; one that is gone is success.
    pub(crate) async fn delete(&self, turn: &Turn, id: VolumeId) -> Result<(), DriverError> {
        let delete = move |session: &Session| session.delete_volume(&id);
        self.call(turn, Operation::Delete, delete).await
    }

    async fn call<T: Send + 'static>(
        &self,
        turn: &Turn,
        operation: Operation,
        call: impl FnOnce(&Session) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let (driver, tenure) = (self.driver.clone(), self.tenure.clone());
        let metrics = self.metrics.clone();
        // Also where nobody waits any more: a call counts until it is over.
        let turn = turn.clone();
        blocking(move || {
            let _turn = turn;
            // On the thread that calls: a process that stood still goes on just before this, as anywhere else.
            if !tenure.holds() {
                return Err(not_ours());
            }
            let begun = Instant::now();
            let answer = call(&driver.session());
            metrics.called(operation, begun.elapsed());
            if let Err(error) = &answer {
                metrics.failed(Failure::Driver(error.condition()));
            }
            answer
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    spawn_blocking(call).await.unwrap_or_else(|error| {
        let broken = DriverError::internal("the call broke down").caused_by(error);
        Err(broken.from_process())
    })
}

fn not_ours() -> DriverError {
    DriverError::unavailable(
        "the backend is not asked, because the lease was not renewed in time: another process may work by now",
    )
    .from_process()
}

fn make(session: &Session, intent: &Intent) -> Result<Made, DriverError> {
    // A component that was delivered just now is compiled first. That there is none says nothing of what was made before.
    session
        .prepared_capabilities()
        .map_err(DriverError::from_process)?;
    refuse_mount_options(session, intent)?;
    let parameters = session
        .without_kubernetes_words(Scope::Creation, intent.parameters.clone())
        .map_err(DriverError::from_process)?;
    let capability = |mode: &String| VolumeCapability {
        mode: access_mode(mode),
        kind: AccessType::Filesystem {
            fs_type: intent.fs_type.clone(),
            mount_options: intent.mount_options.clone(),
        },
    };
    let made = session.create_volume(&CreateVolume {
        name: intent.volume_name().0,
        capacity: CapacityRange {
            required_bytes: Some(intent.required_bytes),
            limit_bytes: intent.limit_bytes,
        },
        parameters: Parameters::new(parameters),
        capabilities: intent.access_modes.iter().map(capability).collect(),
        source: None,
        places: intent.places.iter().cloned().map(Topology).collect(),
    })?;
    Ok(as_made(made, &intent.mount_options))
}

/// kubelet refuses a FlexVolume with mount options of its own, so they travel as an option, where the driver has one.
fn refuse_mount_options(session: &Session, intent: &Intent) -> Result<(), DriverError> {
    if intent.mount_options.is_empty() || session.knows(Scope::Volume, MOUNT_OPTIONS)? {
        return Ok(());
    }
    Err(DriverError::invalid_argument(format!(
        "StorageClass {:?} has mountOptions, which FlexVolume does not hand on and driver {} has no option for: \
         leave them out",
        intent.class,
        session.config().name
    )))
}

fn as_made(info: VolumeInfo, mount_options: &[String]) -> Made {
    let mut options = info.context.pairs().to_vec();
    if !mount_options.is_empty() {
        options.push((MOUNT_OPTIONS.to_owned(), mount_options.join(",")));
    }
    Made {
        id: info.id,
        capacity_bytes: info.capacity_bytes,
        options,
        places: info.places,
    }
}

/// Kubernetes' words for CSI's. Others were refused when the claim was read.
fn access_mode(mode: &str) -> AccessMode {
    match mode {
        "ReadOnlyMany" => AccessMode::MultiNodeReaderOnly,
        "ReadWriteMany" => AccessMode::MultiNodeMultiWriter,
        _ => AccessMode::SingleNodeWriter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turns::Waiting;

    #[test]
    fn mount_options_travel_as_an_option() {
        let info = VolumeInfo {
            id: VolumeId("v".to_owned()),
            capacity_bytes: 1,
            context: Parameters::new(vec![("server".to_owned(), "s".to_owned())]),
            source: None,
            places: Vec::new(),
            nodes: Vec::new(),
        };
        let options = ["nolock".to_owned(), "vers=3".to_owned()];
        let made = as_made(info.clone(), &options);
        let expected = ("mountOptions".to_owned(), "nolock,vers=3".to_owned());
        assert_eq!(made.options[1], expected);
        assert_eq!(as_made(info, &[]).options.len(), 1);
    }

    #[test]
    fn nothing_is_asked_where_the_lease_is_not_held() {
        let file = std::path::Path::new("/nowhere/drivers.d/disks.toml");
        let config =
            drivebay::config::parse_driver(file, "component = \"disks\"").expect("a driver");
        let nowhere = || "/nowhere".into();
        let paths = drivebay::config::Paths {
            config: nowhere(),
            state: nowhere(),
            run: nowhere(),
            log: nowhere(),
        };
        let tenure = Tenure::new(std::time::Duration::from_secs(15));
        let backend = Backend::new(Driver::new(config, paths), 1, tenure, Metrics::new("disks"));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let refused = runtime.expect("a runtime").block_on(async {
            let turn = backend
                .turns()
                .turn(Waiting::since(None, "a"))
                .await
                .expect("a turn");
            let intent = crate::intent::tests::intent("u-1");
            let made = backend.make(&turn, &intent).await.expect_err("refused");
            let id = VolumeId("d-1".to_owned());
            let deleted = backend.delete(&turn, id).await.expect_err("refused");
            [made, deleted]
        });
        for error in refused {
            let said = error.chain();
            assert!(said.contains("the lease was not renewed"), "{said}");
        }
    }

    #[test]
    fn access_modes_are_csis() {
        assert_eq!(access_mode("ReadWriteOnce"), AccessMode::SingleNodeWriter);
        assert_eq!(access_mode("ReadOnlyMany"), AccessMode::MultiNodeReaderOnly);
        assert_eq!(
            access_mode("ReadWriteMany"),
            AccessMode::MultiNodeMultiWriter
        );
    }
}
