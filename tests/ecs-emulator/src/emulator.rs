//! Starting and stopping.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::chance;
use crate::cloud::Cloud;
use crate::devices::Devices;
use crate::files::Files;
use crate::ports::{self, Port};
use crate::service::Service;
use crate::settings::{OnStop, Settings};
use crate::state_file::StateFile;
use crate::tls;
use crate::words::{AccessKeyId, InstanceId, RegionId, Secret, ZoneId};

/// The secret's file in the state directory.
const SECRET: &str = "secret";

/// Where a running emulator is, and with what it can be called.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoints {
    /// The API, with TLS.
    pub ecs: String,
    /// The metadata service.
    pub metadata: String,
    /// What tests control the emulator by.
    pub control: String,
    /// The certificate that clients have to trust.
    pub ca: PathBuf,
    /// The permanent access key's id.
    pub access_key_id: AccessKeyId,
    /// The file that holds its secret.
    pub secret_file: PathBuf,
    /// The one region there is.
    pub region: RegionId,
    /// The zone of all instances.
    pub zone: ZoneId,
    /// The instance that this machine is.
    pub instance: InstanceId,
}

/// A running emulator. Dropping it stops it and removes its devices.
#[derive(Debug)]
pub struct Emulator {
    endpoints: Endpoints,
    service: Arc<Service>,
    ports: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator, in a tokio runtime of several threads. It goes on where an earlier one with the
    /// same state directory ended.
    pub async fn start(settings: Settings) -> Result<Self> {
        let files = Files::open(&settings.state)
            .with_context(|| format!("cannot use {}", settings.state.display()))?;
        let acceptor = tls::acceptor(&files, &settings.region)?;
        let (api, api_address) = bind(settings.listen).await?;
        let (metadata, metadata_address) = bind(settings.metadata).await?;
        let (control, control_address) = bind(settings.control).await?;
        let file = StateFile::new(files.clone());
        let cloud = cloud(&file, &files, &settings)?;
        let endpoints = Endpoints {
            ecs: format!("https://{api_address}"),
            metadata: format!("http://{metadata_address}"),
            control: format!("http://{control_address}"),
            ca: files.path(tls::CA),
            access_key_id: settings.access_key_id,
            secret_file: files.path(SECRET),
            region: settings.region,
            zone: settings.zone,
            instance: settings.instance,
        };
        let devices = Devices::new(settings.devices, &files);
        let service = Arc::new(Service::new(cloud, file, files, devices));
        let resumed = Arc::clone(&service);
        tokio::task::spawn_blocking(move || resumed.resume()).await?;
        let ports = [
            (api, Port::Ecs(acceptor)),
            (metadata, Port::Metadata),
            (control, Port::Control),
        ];
        let serve =
            |(listener, port)| tokio::spawn(ports::serve(listener, port, Arc::clone(&service)));
        Ok(Self {
            endpoints,
            ports: ports.into_iter().map(serve).collect(),
            service,
        })
    }

    /// Where it is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Stops it. What is under way goes on when it is started again.
    pub async fn stop(self, on_stop: OnStop) -> Result<()> {
        self.hang_up();
        let service = Arc::clone(&self.service);
        let end = move || match on_stop {
            OnStop::RemoveDevices => service.devices.close(),
            OnStop::KeepDevices => service.devices.abandon(),
        };
        tokio::task::spawn_blocking(end)
            .await
            .map_err(anyhow::Error::from)
    }

    fn hang_up(&self) {
        for port in &self.ports {
            port.abort();
        }
        self.service.close();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.hang_up();
        // After a regular stop there are no devices left that this could remove.
        self.service.devices.close();
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The cloud of the earlier run, or a new one, with what the settings say.
fn cloud(file: &StateFile, files: &Files, settings: &Settings) -> Result<Cloud> {
    let (region, here) = (settings.region.clone(), settings.instance.clone());
    let mut cloud = file
        .read()?
        .unwrap_or_else(|| Cloud::new(region, here.clone()));
    cloud.here = here;
    let instances = [&settings.instance]
        .into_iter()
        .chain(&settings.other_instances);
    for instance in instances {
        cloud.add_instance(instance, &settings.zone, Timestamp::now());
    }
    if let Some(delay) = settings.delay {
        cloud.knobs.delay_ms = u64::try_from(delay.as_millis())?;
    }
    cloud
        .keys
        .set_permanent(settings.access_key_id.clone(), secret(files, settings)?);
    Ok(cloud)
}

/// The secret from outside, or the one that was made when this state directory was new.
fn secret(files: &Files, settings: &Settings) -> Result<Secret> {
    let kept = files
        .read(SECRET)?
        .map(|text| Secret::from(text.trim().to_owned()));
    let given = settings.secret.clone();
    let secret = given
        .or_else(|| kept.clone())
        .unwrap_or_else(|| Secret::from(chance::secret()));
    if kept.as_ref() != Some(&secret) {
        files.write(SECRET, secret.expose())?;
    }
    Ok(secret)
}
