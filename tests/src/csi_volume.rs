//! One volume in CSI's order of calls: made, attached, staged, published, and back.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tonic::Status;

use crate::csi_proto::volume_capability::access_mode::Mode;
use crate::csi_proto::{self as proto, VolumeCapability};
use crate::{Csi, GIB, INSTANCE, Node, mounted, text};

/// A volume of a running driver, as the cluster's objects know it.
#[derive(Debug, Clone)]
pub struct CsiVolume<'a> {
    csi: &'a Csi,
    node: &'a Node,
    /// What the driver called it.
    pub id: String,
    /// What CreateVolume answered, for every later call.
    pub context: HashMap<String, String>,
    /// What ControllerPublishVolume answered.
    pub publish_context: HashMap<String, String>,
    /// How it is used.
    pub capability: VolumeCapability,
}

/// What a StorageClass for disks would ask for: 20 GiB of the cheapest that has PL1.
pub fn disk_request(name: &str) -> proto::CreateVolumeRequest {
    proto::CreateVolumeRequest {
        name: name.to_owned(),
        capacity_range: Some(proto::CapacityRange {
            required_bytes: (20 * GIB).cast_signed(),
            limit_bytes: 0,
        }),
        volume_capabilities: vec![mounted(Mode::SingleNodeMultiWriter)],
        parameters: [("type".to_owned(), "cloud_essd".to_owned())].into(),
        ..proto::CreateVolumeRequest::default()
    }
}

/// The volume that CreateVolume answers.
#[track_caller]
pub fn created(csi: &Csi, request: proto::CreateVolumeRequest) -> proto::Volume {
    let answer = csi.create_volume(request).expect("created");
    answer.volume.expect("a volume")
}

impl<'a> CsiVolume<'a> {
    /// A disk that is made for the test.
    #[track_caller]
    pub fn disk(csi: &'a Csi, node: &'a Node, name: &str) -> Self {
        let request = disk_request(name);
        let capability = request.volume_capabilities[0].clone();
        Self::existing(csi, node, created(csi, request), capability)
    }

    /// What CreateVolume answered, to be used so.
    pub fn existing(
        csi: &'a Csi,
        node: &'a Node,
        volume: proto::Volume,
        capability: VolumeCapability,
    ) -> Self {
        Self {
            csi,
            node,
            id: volume.volume_id,
            context: volume.volume_context,
            publish_context: HashMap::new(),
            capability,
        }
    }

    /// The same volume used in another way.
    #[must_use]
    pub fn used_as(&self, capability: VolumeCapability) -> Self {
        Self {
            capability,
            ..self.clone()
        }
    }

    /// A volume of another id, used in the same way.
    #[must_use]
    pub fn known_as(&self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            context: HashMap::new(),
            ..self.clone()
        }
    }

    /// Where it is mounted once for the node.
    pub fn staging(&self) -> PathBuf {
        self.node.path("mounts").join(&self.id)
    }

    /// Where it is mounted for a pod of that name; kubelet makes the parent alone.
    pub fn target(&self, pod: &str) -> PathBuf {
        let parent = self.node.path("pods").join(pod);
        fs::create_dir_all(&parent).expect("writable");
        parent.join("mount")
    }

    /// `ControllerPublishVolume` to this machine.
    pub fn attach(&mut self) -> Result<(), Status> {
        self.publish_context = self.attach_to(INSTANCE)?;
        Ok(())
    }

    /// `ControllerPublishVolume` to any node; what it answers.
    pub fn attach_to(&self, node: &str) -> Result<HashMap<String, String>, Status> {
        let answer = self
            .csi
            .controller_publish_volume(proto::ControllerPublishVolumeRequest {
                volume_id: self.id.clone(),
                node_id: node.to_owned(),
                volume_capability: Some(self.capability.clone()),
                volume_context: self.context.clone(),
                ..proto::ControllerPublishVolumeRequest::default()
            })?;
        Ok(answer.publish_context)
    }

    /// `NodeStageVolume`, with the directory made as the caller makes it.
    pub fn stage(&self) -> Result<(), Status> {
        match fs::create_dir_all(self.staging()) {
            // What is mounted there may be dead, and then cannot be looked at.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.expect("writable"),
        }
        let answer = self.csi.node_stage_volume(proto::NodeStageVolumeRequest {
            volume_id: self.id.clone(),
            publish_context: self.publish_context.clone(),
            staging_target_path: text(&self.staging()).to_owned(),
            volume_capability: Some(self.capability.clone()),
            volume_context: self.context.clone(),
            ..proto::NodeStageVolumeRequest::default()
        });
        answer.map(drop)
    }

    /// What `NodePublishVolume` for a pod of that name says.
    pub fn publishing(&self, pod: &str) -> proto::NodePublishVolumeRequest {
        proto::NodePublishVolumeRequest {
            volume_id: self.id.clone(),
            publish_context: self.publish_context.clone(),
            staging_target_path: text(&self.staging()).to_owned(),
            target_path: text(&self.target(pod)).to_owned(),
            volume_capability: Some(self.capability.clone()),
            volume_context: self.context.clone(),
            ..proto::NodePublishVolumeRequest::default()
        }
    }

    /// `NodePublishVolume` for a pod of that name.
    pub fn publish(&self, pod: &str) -> Result<(), Status> {
        self.csi.node_publish_volume(self.publishing(pod)).map(drop)
    }

    /// Attached, staged and published for a pod, which has to succeed.
    #[track_caller]
    #[must_use]
    pub fn in_use(mut self, pod: &str) -> Self {
        self.attach().expect("attached");
        self.stage().expect("staged");
        self.publish(pod).expect("published");
        self
    }

    /// `NodeUnpublishVolume`
    pub fn unpublish(&self, pod: &str) -> Result<(), Status> {
        let answer = self
            .csi
            .node_unpublish_volume(proto::NodeUnpublishVolumeRequest {
                volume_id: self.id.clone(),
                target_path: text(&self.target(pod)).to_owned(),
            });
        answer.map(drop)
    }

    /// `NodeUnstageVolume`
    pub fn unstage(&self) -> Result<(), Status> {
        let answer = self
            .csi
            .node_unstage_volume(proto::NodeUnstageVolumeRequest {
                volume_id: self.id.clone(),
                staging_target_path: text(&self.staging()).to_owned(),
            });
        answer.map(drop)
    }

    /// `ControllerUnpublishVolume` from this machine.
    pub fn detach(&self) -> Result<(), Status> {
        self.detach_from(INSTANCE)
    }

    /// `ControllerUnpublishVolume` from any node.
    pub fn detach_from(&self, node: &str) -> Result<(), Status> {
        let answer =
            self.csi
                .controller_unpublish_volume(proto::ControllerUnpublishVolumeRequest {
                    volume_id: self.id.clone(),
                    node_id: node.to_owned(),
                    ..proto::ControllerUnpublishVolumeRequest::default()
                });
        answer.map(drop)
    }

    /// `DeleteVolume`
    pub fn delete(&self) -> Result<(), Status> {
        let answer = self.csi.delete_volume(proto::DeleteVolumeRequest {
            volume_id: self.id.clone(),
            ..proto::DeleteVolumeRequest::default()
        });
        answer.map(drop)
    }

    /// Everything that was done with it is undone, and it is deleted; all of it has to succeed.
    #[track_caller]
    pub fn release(&self, pod: &str) {
        self.unpublish(pod).expect("unpublished");
        self.unstage().expect("unstaged");
        self.detach().expect("detached");
        self.delete().expect("deleted");
    }

    /// `NodeGetVolumeStats` at that path.
    pub fn stats(&self, path: &str) -> Result<proto::NodeGetVolumeStatsResponse, Status> {
        self.csi
            .node_get_volume_stats(proto::NodeGetVolumeStatsRequest {
                volume_id: self.id.clone(),
                volume_path: path.to_owned(),
                ..proto::NodeGetVolumeStatsRequest::default()
            })
    }

    /// `ControllerExpandVolume` to at least that many bytes, and at most those if not 0.
    pub fn expand(
        &self,
        required: u64,
        limit: u64,
    ) -> Result<proto::ControllerExpandVolumeResponse, Status> {
        self.csi
            .controller_expand_volume(proto::ControllerExpandVolumeRequest {
                volume_id: self.id.clone(),
                capacity_range: Some(proto::CapacityRange {
                    required_bytes: required.cast_signed(),
                    limit_bytes: limit.cast_signed(),
                }),
                volume_capability: Some(self.capability.clone()),
                ..proto::ControllerExpandVolumeRequest::default()
            })
    }
}
