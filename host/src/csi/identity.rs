//! Who is there. None of these waits for a guest, a mount or the network: livenessprobe restarts what does
//! not answer within three seconds, and node-driver-registrar gives up after one.

use tonic::{Request, Response, Status};

use super::capabilities;
use super::plugin::Service;
use super::proto::identity_server::Identity;
use super::proto::{
    GetPluginCapabilitiesRequest, GetPluginCapabilitiesResponse, GetPluginInfoRequest,
    GetPluginInfoResponse, ProbeRequest, ProbeResponse,
};
use super::status::{RpcKind, status};
use crate::driver::Readiness;

#[tonic::async_trait]
impl Identity for Service {
    async fn get_plugin_info(
        &self,
        _request: Request<GetPluginInfoRequest>,
    ) -> Result<Response<GetPluginInfoResponse>, Status> {
        let mut manifest = std::collections::BTreeMap::new();
        if let Ok(component) = self.0.driver.session().component() {
            manifest.insert("component".to_owned(), component.name.into());
            manifest.insert("component-version".to_owned(), component.version.into());
            manifest.insert("component-sha256".to_owned(), component.sha256);
        }
        Ok(Response::new(GetPluginInfoResponse {
            name: self.0.name.clone(),
            vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
            manifest,
        }))
    }

    async fn get_plugin_capabilities(
        &self,
        _request: Request<GetPluginCapabilitiesRequest>,
    ) -> Result<Response<GetPluginCapabilitiesResponse>, Status> {
        let known = self.0.driver.session().capabilities();
        let known = known.map_err(|error| status(&error, RpcKind::Plain))?;
        Ok(Response::new(GetPluginCapabilitiesResponse {
            capabilities: capabilities::of_plugin(known, self.0.mode),
        }))
    }

    /// Ready as long as there is a compiled component: a swap that failed leaves the old one in place. Sidecars ask a
    /// driver that is not ready again each second, for ever; on an error they log it and end, which shows in the pod's
    /// state. So what cannot pass while this process lives is an error (FAILED_PRECONDITION: "missing required dependency").
    async fn probe(
        &self,
        _request: Request<ProbeRequest>,
    ) -> Result<Response<ProbeResponse>, Status> {
        let is_ready = match self.0.driver.readiness() {
            Readiness::Ready => true,
            Readiness::NotYet(_) => false,
            Readiness::Unable(error) => return Err(status(&error, RpcKind::Plain)),
        };
        Ok(Response::new(ProbeResponse {
            ready: Some(is_ready),
        }))
    }
}
