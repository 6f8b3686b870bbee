//! What is written down about one volume: where it is mounted, to what it is attached, and what undoes that.
//!
//! Data and questions to it; files are the journal's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mount_use::Use;
use crate::volume::{NodeId, Parameters, VolumeId, VolumeKey};

/// The form of the files; another number is not read.
pub(super) const FORMAT: u32 = 1;

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeRecord {
    pub(super) format: u32,
    key: String,
    id: String,
    context: Vec<(String, String)>,
    pub(crate) attachments: Vec<Attachment>,
    // The stored name is that of the first version.
    #[serde(rename = "placements")]
    pub(crate) mounts: Vec<MountRecord>,
}

/// Attached to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) node: String,
    pub(crate) publish_context: Vec<(String, String)>,
    /// SHA-256 of the component that did it, and undoes it.
    pub(crate) component: String,
    pub(crate) progress: Progress,
    /// How it is going to be used there, where the caller says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) use_as: Option<Use>,
    #[serde(default, rename = "lasts")]
    pub(crate) lifetime: Lifetime,
}

/// Who detaches a volume again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lifetime {
    /// The caller, by detaching it.
    #[default]
    UntilDetached,
    /// We do, when the last pod's mount goes.
    WhileMounted,
}

/// Mounted somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountRecord {
    pub(crate) path: PathBuf,
    pub(crate) role: Role,
    pub(crate) use_as: Use,
    /// SHA-256 of the component that did it.
    pub(crate) component: String,
    pub(crate) progress: Progress,
    /// How the kernel's table showed it once it was done; another mount at the path is not it.
    pub(crate) shown_as: String,
    /// Which disk was beneath it then, if any; another one at the path is not it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disk: Option<String>,
    /// Whether it took writes then, whatever was asked for; unknown of what an older version mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) takes_writes: Option<bool>,
}

/// What a mount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Once for the node.
    Staging,
    /// For one pod.
    Target,
}

/// How far it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    /// Meant to happen; the path was empty when it was written. What is found there is ours, half done.
    Intended,
    /// Meant to be taken over: something was mounted there before us.
    Adopting,
    /// Happened.
    Done,
}

impl VolumeRecord {
    pub(crate) fn new(key: &VolumeKey, id: &VolumeId, context: &Parameters) -> Self {
        Self {
            format: FORMAT,
            key: key.0.clone(),
            id: id.0.clone(),
            context: context.pairs().to_vec(),
            attachments: Vec::new(),
            mounts: Vec::new(),
        }
    }

    pub(crate) fn key(&self) -> VolumeKey {
        VolumeKey(self.key.clone())
    }

    pub(crate) fn id(&self) -> VolumeId {
        VolumeId(self.id.clone())
    }

    pub(crate) fn context(&self) -> Parameters {
        Parameters::new(self.context.clone())
    }

    /// What attaching to that node returned; without a node, what the only attachment returned.
    pub(crate) fn publish_context(&self, node: Option<&NodeId>) -> Parameters {
        let attachment = match (node, self.attachments.as_slice()) {
            (Some(node), _) => self.attachment(node),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        Parameters::new(
            attachment
                .map(|made| made.publish_context.clone())
                .unwrap_or_default(),
        )
    }

    pub(crate) fn attachment(&self, node: &NodeId) -> Option<&Attachment> {
        self.attachments
            .iter()
            .find(|attachment| attachment.node == node.0)
    }

    /// Replaces what was noted for the same node.
    pub(crate) fn set_attachment(&mut self, attachment: Attachment) {
        self.attachments
            .retain(|known| known.node != attachment.node);
        self.attachments.push(attachment);
    }

    pub(crate) fn forget_attachment(&mut self, node: &NodeId) {
        self.attachments.retain(|known| known.node != node.0);
    }

    /// Takes over what the caller says of the volume now, while nothing of it is in use.
    pub(crate) fn renew(&mut self, id: &VolumeId, context: &Parameters) {
        self.id = id.0.clone();
        self.context = context.pairs().to_vec();
    }

    pub(crate) fn mount_at(&self, path: &Path) -> Option<&MountRecord> {
        self.mounts.iter().find(|mount| mount.path == path)
    }

    pub(crate) fn staging(&self) -> Option<&MountRecord> {
        self.mounts.iter().find(|mount| mount.role == Role::Staging)
    }

    /// Replaces what was noted for the same path.
    pub(crate) fn set_mount(&mut self, mount: MountRecord) {
        self.forget(&mount.path.clone());
        self.mounts.push(mount);
    }

    /// What was mounted there has to be mounted anew.
    pub(crate) fn intend_again(&mut self, path: &Path) {
        let at = |mount: &&mut MountRecord| mount.path == path;
        if let Some(mount) = self.mounts.iter_mut().find(at) {
            mount.progress = Progress::Intended;
        }
    }

    pub(crate) fn forget(&mut self, path: &Path) {
        self.mounts.retain(|mount| mount.path != path);
    }

    /// Whether the volume is attached to this node for as long as pods have it.
    pub(crate) fn is_attached_while_mounted(&self) -> bool {
        self.attachments
            .iter()
            .any(|made| made.lifetime == Lifetime::WhileMounted)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.attachments.is_empty() && self.mounts.is_empty()
    }
}
