//! What is there when a migration begins: volumes, who uses them, what an earlier run began and did not end.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_openapi::api::storage::v1::CSIDriver;
use kube::{Resource, ResourceExt};

use super::arguments::Choice;
use super::cluster::Cluster;
use super::drivers::Drivers;
use super::inline::{self, Author};
use super::object::Object;
use super::record::Record;
use super::replacement::{Direction, MIGRATED_FROM};
use super::uses::{self, Users};

pub(super) struct Survey {
    pub(super) volumes: Vec<Object>,
    pub(super) records: Vec<Record>,
    pub(super) csi_drivers: BTreeSet<String>,
    /// As they were then.
    pub(super) users: Users,
}

impl Survey {
    pub(super) async fn read(cluster: &Cluster) -> anyhow::Result<Self> {
        let drivers: Vec<CSIDriver> = cluster.everywhere("CSIDrivers", |_| true).await?;
        Ok(Self {
            users: Users {
                pods: cluster.everywhere("pods", uses::may_have_one).await?,
                attachments: cluster.attachments().await?,
                nodes: cluster.nodes().await?,
            },
            volumes: cluster.all_volumes().await?,
            records: cluster.all_records().await?,
            csi_drivers: drivers.iter().map(ResourceExt::name_any).collect(),
        })
    }

    pub(super) fn volume(&self, name: &str) -> Option<&Object> {
        self.volumes.iter().find(|volume| volume.name() == name)
    }

    /// Whether an earlier run began it and did not end.
    pub(super) fn has_begun(&self, name: &str) -> bool {
        self.records.iter().any(|record| record.volume() == name)
    }

    /// The names of the volumes that were chosen, in their order.
    pub(super) fn chosen(&self, choice: &Choice, direction: Direction) -> Vec<String> {
        let is_meant = |class: &str| match choice {
            Choice::Named(_) => false,
            Choice::OfClass(name) => class == name,
            Choice::All => true,
        };
        let goes = |volume: &&Object| match direction {
            _ if volume.mark().is_some() => true,
            Direction::ToCsi => volume.flexvolume().is_some(),
            Direction::ToFlexVolume => volume.annotation(MIGRATED_FROM).is_some(),
        };
        let going = self
            .volumes
            .iter()
            .filter(goes)
            .filter(|volume| is_meant(volume.class()));
        // In the midst there is no volume, but what is written down of it.
        let begun = self
            .records
            .iter()
            .filter(|record| is_meant(record.class()));
        let mut names: BTreeSet<String> = going.map(Object::name).collect();
        names.extend(begun.map(|record| record.volume().to_owned()));
        if let Choice::Named(named) = choice {
            names.extend(named.iter().cloned());
        }
        names.into_iter().collect()
    }

    /// Volumes that another run left in the midst, or is at, and that were not chosen now.
    pub(super) fn begun_besides(&self, chosen: &[String]) -> Vec<String> {
        let marked = self.volumes.iter().filter(|volume| volume.mark().is_some());
        let mut names: BTreeSet<String> = marked.map(Object::name).collect();
        names.extend(self.records.iter().map(|record| record.volume().to_owned()));
        names.retain(|name| !chosen.contains(name));
        names.into_iter().collect()
    }
}

impl Survey {
    /// FlexVolumes in pods themselves and in what they are made of, a line each. Pods that something makes are not named.
    pub(super) async fn inline_volumes(
        &self,
        cluster: &Cluster,
        drivers: &Drivers,
    ) -> anyhow::Result<Vec<String>> {
        let of = |kind, object: &dyn Named, spec: Option<&PodSpec>| {
            inline::volumes_of(&object.author(kind), spec, drivers)
        };
        let is_made = |pod: &&Pod| {
            pod.owner_references()
                .iter()
                .any(|owner| owner.controller == Some(true))
        };
        let mut lines = Vec::new();
        for pod in self.users.pods.iter().filter(|pod| !is_made(pod)) {
            lines.extend(of("Pod", pod, pod.spec.as_ref()));
        }
        for object in &cluster
            .everywhere::<Deployment>("Deployments", |_| true)
            .await?
        {
            let template = object.spec.as_ref().map(|spec| &spec.template);
            lines.extend(of("Deployment", object, inline::spec_of(template)));
        }
        for object in &cluster
            .everywhere::<StatefulSet>("StatefulSets", |_| true)
            .await?
        {
            let template = object.spec.as_ref().map(|spec| &spec.template);
            lines.extend(of("StatefulSet", object, inline::spec_of(template)));
        }
        for object in &cluster
            .everywhere::<DaemonSet>("DaemonSets", |_| true)
            .await?
        {
            let template = object.spec.as_ref().map(|spec| &spec.template);
            lines.extend(of("DaemonSet", object, inline::spec_of(template)));
        }
        for object in &cluster.everywhere::<CronJob>("CronJobs", |_| true).await? {
            let job = object
                .spec
                .as_ref()
                .and_then(|spec| spec.job_template.spec.as_ref());
            lines.extend(of(
                "CronJob",
                object,
                inline::spec_of(job.map(|job| &job.template)),
            ));
        }
        Ok(lines)
    }
}

/// Something that a person finds by kind and name.
trait Named {
    fn author(&self, kind: &'static str) -> Author;
}

impl<K: Resource> Named for K {
    fn author(&self, kind: &'static str) -> Author {
        Author {
            kind,
            namespace: self.namespace().unwrap_or_default(),
            name: self.name_any(),
        }
    }
}
