//! Which of CSI's services a call is for, among those that a process offers.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{self, BoxFuture, Service as _, StdError, http};

use super::plugin::Service;
use super::proto::controller_server::{self, ControllerServer};
use super::proto::group_controller_server::{self, GroupControllerServer};
use super::proto::identity_server::{self, IdentityServer};
use super::proto::node_server::{self, NodeServer};

/// Those of one driver; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Services(Arc<Offered>);

#[derive(Debug)]
struct Offered {
    identity: IdentityServer<Service>,
    controller: Option<ControllerServer<Service>>,
    group_controller: Option<GroupControllerServer<Service>>,
    node: Option<NodeServer<Service>>,
}

impl Services {
    /// As the mode says.
    pub(super) fn of(service: &Service) -> Self {
        let mode = service.0.mode;
        let of_controller = || mode.has_controller().then(|| service.clone());
        let of_node = || mode.has_node().then(|| service.clone());
        Self(Arc::new(Offered {
            identity: IdentityServer::new(service.clone()),
            controller: of_controller().map(ControllerServer::new),
            group_controller: of_controller().map(GroupControllerServer::new),
            node: of_node().map(NodeServer::new),
        }))
    }

    /// Hands the call to its service. Where nobody has that method, UNIMPLEMENTED says so.
    pub(super) fn call<B>(
        &self,
        request: http::Request<B>,
    ) -> BoxFuture<http::Response<Body>, Infallible>
    where
        B: codegen::Body + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        let offered = &*self.0;
        let answer = match service_of(request.uri().path()) {
            identity_server::SERVICE_NAME => Some(offered.identity.clone().call(request)),
            controller_server::SERVICE_NAME => {
                let controller = offered.controller.clone();
                controller.map(|mut controller| controller.call(request))
            }
            group_controller_server::SERVICE_NAME => {
                let controller = offered.group_controller.clone();
                controller.map(|mut controller| controller.call(request))
            }
            node_server::SERVICE_NAME => {
                let node = offered.node.clone();
                node.map(|mut node| node.call(request))
            }
            _ => None,
        };
        answer.unwrap_or_else(|| Box::pin(ready(Ok(Status::unimplemented("").into_http()))))
    }
}

/// The service in `/service/method`.
fn service_of(path: &str) -> &str {
    let service = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    service.map_or("", |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_its_service() {
        assert_eq!(service_of("/csi.v1.Node/NodeGetInfo"), "csi.v1.Node");
        for path in ["", "/", "csi.v1.Node", "/csi.v1.Node", "csi.v1.Node/a/b"] {
            assert_eq!(service_of(path), "", "{path}");
        }
    }
}
