//! One RPC with its arguments, to be made again and again.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use crate::Result;
use crate::proto::controller_client::ControllerClient;
use crate::proto::identity_client::IdentityClient;
use crate::proto::node_client::NodeClient;
use crate::proto::volume_capability::access_mode::Mode;
use crate::proto::{self, VolumeCapability, volume_capability};

/// What is called, and with what.
#[derive(Debug)]
pub(crate) struct Call {
    rpc: Rpc,
    client: NodeClient<Channel>,
    controller: ControllerClient<Channel>,
    identity: IdentityClient<Channel>,
    words: Value,
}

#[derive(Debug, Clone, Copy)]
enum Rpc {
    Create,
    Capabilities,
    Info,
    Stage,
    Publish,
    Unpublish,
    Stats,
}

impl Call {
    /// From its JSON. Nothing is dialled before the first call.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let words: Value = serde_json::from_str(text)?;
        let socket = words["socket"].as_str().ok_or("a call needs a socket")?;
        let channel = Endpoint::from_shared(format!("unix://{socket}"))?.connect_lazy();
        let rpc = match words["rpc"].as_str().unwrap_or_default() {
            "CreateVolume" => Rpc::Create,
            "NodeGetCapabilities" => Rpc::Capabilities,
            "NodeGetInfo" => Rpc::Info,
            "NodeStageVolume" => Rpc::Stage,
            "NodePublishVolume" => Rpc::Publish,
            "NodeUnpublishVolume" => Rpc::Unpublish,
            "NodeGetVolumeStats" => Rpc::Stats,
            other => return Err(format!("no call is named {other:?}").into()),
        };
        let identity = IdentityClient::new(channel.clone());
        let controller = ControllerClient::new(channel.clone());
        let client = NodeClient::new(channel);
        Ok(Self {
            rpc,
            client,
            controller,
            identity,
            words,
        })
    }

    /// Which version of the component answers calls to that socket, if any does yet.
    pub(crate) async fn version(&self) -> Result<Option<String>> {
        let request = proto::GetPluginInfoRequest {};
        let answer = self.identity.clone().get_plugin_info(request).await?;
        Ok(answer.into_inner().manifest.remove("component-version"))
    }

    /// Makes it as that caller, which has to succeed.
    pub(crate) async fn make(&self, caller: u64) -> Result<()> {
        let mut client = self.client.clone();
        let outcome = match self.rpc {
            Rpc::Create => {
                let request = self.creation(caller);
                let mut controller = self.controller.clone();
                controller.create_volume(request).await.map(drop)
            }
            Rpc::Capabilities => {
                let request = proto::NodeGetCapabilitiesRequest {};
                client.node_get_capabilities(request).await.map(drop)
            }
            Rpc::Info => {
                let request = proto::NodeGetInfoRequest {};
                client.node_get_info(request).await.map(drop)
            }
            Rpc::Stage => client
                .node_stage_volume(self.staging(caller))
                .await
                .map(drop),
            Rpc::Publish => {
                let request = self.publishing(caller);
                client.node_publish_volume(request).await.map(drop)
            }
            Rpc::Unpublish => {
                let request = proto::NodeUnpublishVolumeRequest {
                    volume_id: self.word("volume", caller),
                    target_path: self.word("path", caller),
                };
                client.node_unpublish_volume(request).await.map(drop)
            }
            Rpc::Stats => {
                let request = proto::NodeGetVolumeStatsRequest {
                    volume_id: self.word("volume", caller),
                    volume_path: self.word("path", caller),
                    ..proto::NodeGetVolumeStatsRequest::default()
                };
                client.node_get_volume_stats(request).await.map(drop)
            }
        };
        outcome.map_err(|status| format!("{}: {status}", self.words).into())
    }

    fn creation(&self, caller: u64) -> proto::CreateVolumeRequest {
        proto::CreateVolumeRequest {
            name: self.word("volume", caller),
            volume_capabilities: vec![shared_directory()],
            ..proto::CreateVolumeRequest::default()
        }
    }

    fn staging(&self, caller: u64) -> proto::NodeStageVolumeRequest {
        proto::NodeStageVolumeRequest {
            volume_id: self.word("volume", caller),
            staging_target_path: self.word("staging", caller),
            volume_capability: Some(shared_directory()),
            ..proto::NodeStageVolumeRequest::default()
        }
    }

    fn publishing(&self, caller: u64) -> proto::NodePublishVolumeRequest {
        let context = self.words["context"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        proto::NodePublishVolumeRequest {
            volume_id: self.word("volume", caller),
            target_path: self.word("path", caller),
            staging_target_path: self.word("staging", caller),
            volume_capability: Some(shared_directory()),
            volume_context: context
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            ..proto::NodePublishVolumeRequest::default()
        }
    }

    fn word(&self, name: &str, caller: u64) -> String {
        static NEW: AtomicU64 = AtomicU64::new(0);
        let word = self.words[name].as_str().unwrap_or_default();
        let word = word.replace("{n}", &caller.to_string());
        match word.contains("{new}") {
            true => word.replace("{new}", &NEW.fetch_add(1, Ordering::Relaxed).to_string()),
            false => word,
        }
    }
}

fn shared_directory() -> VolumeCapability {
    let mount = volume_capability::MountVolume::default();
    VolumeCapability {
        access_mode: Some(volume_capability::AccessMode {
            mode: Mode::MultiNodeMultiWriter.into(),
        }),
        access_type: Some(volume_capability::AccessType::Mount(mount)),
    }
}
