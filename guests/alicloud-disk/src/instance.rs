//! Instances: which one a node is, and where.

use drivebay_guest::exports::node::NodeInfo;
use drivebay_guest::failure::{Failure, Kind};
use drivebay_guest::json::Json;
use drivebay_guest::log::Level;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::ecs::{Api, Cloud, Ecs};
use crate::id::InstanceId;
use crate::zone;

const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
const HOSTNAME: &str = "/latest/meta-data/hostname";

/// What the metadata service says about the instance this runs on.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) id: InstanceId<'static>,
    pub(crate) zone: &'static str,
    region: &'static str,
    pub(crate) instance_type: &'static str,
}

/// Ask which instance this is.
pub(crate) fn document(cloud: &dyn Cloud) -> Result<Document, Error> {
    let text = cloud.metadata(DOCUMENT)?;
    let nonsense = |reason: &str| error!(Internal: "the metadata service's document about this instance cannot be read: {reason}");
    let json = Json::read(text.as_bytes()).map_err(|reason| nonsense(&reason))?;
    let id = InstanceId::parse(json.text("instance-id"))
        .ok_or_else(|| nonsense("it names no instance"))?;
    let zone = json
        .some_text("zone-id")
        .ok_or_else(|| nonsense("it names no zone"))?;
    Ok(Document {
        id,
        zone,
        region: json.text("region-id"),
        instance_type: json.text("instance-type"),
    })
}

/// The instance that a node's name means: its id, as CSI has it from [`node_info`]; region and id, as Alibaba's
/// clusters name nodes; or the name of the host this runs on, which is all that kubelet knows for FlexVolume.
pub(crate) fn of_node<'a>(cloud: &dyn Cloud, node_id: &'a str) -> Result<InstanceId<'a>, Error> {
    if let Some(id) = InstanceId::parse(node_id) {
        return Ok(id);
    }
    if let Some((region, id)) = node_id.rsplit_once('.')
        && let Some(id) = InstanceId::parse(id)
    {
        let granted = cloud.region()?;
        return match region == granted {
            true => Ok(id),
            false => Err(
                error!(FailedPrecondition: "node {node_id} is in region {region}, and the driver's file \
                grants region {granted}"),
            ),
        };
    }
    let hostname = cloud.metadata(HOSTNAME).map_err(|error| {
        let Error::Denied(reason) = error else {
            return error;
        };
        error!(FailedPrecondition: "the name of node {node_id} does not tell which instance it is, as i-… or \
            REGION.i-… would; where the node itself attaches its disks, the metadata service can tell: {reason}")
    })?;
    if !is_same_host(hostname.trim_ascii(), node_id) {
        // Not found, and not for the first time: CSI wants that said of a node nobody knows.
        bail!(NotFound: "node {node_id} is not known: its name is no instance's id, and this host is {}; have kubelet \
            attach on the node itself, or name nodes REGION.i-…", hostname.trim_ascii());
    }
    document(cloud).map(|document| document.id)
}

/// Kubernetes may have a host's name with its domain or without.
fn is_same_host(hostname: &str, node: &str) -> bool {
    fn first_label(name: &str) -> &str {
        name.split_once('.').map_or(name, |(label, _)| label)
    }
    let is = |one: &str, other: &str| !one.is_empty() && one.eq_ignore_ascii_case(other);
    is(hostname, node) || is(first_label(hostname), node) || is(hostname, first_label(node))
}

/// How this node registers; how many disks it takes is another question.
#[inline(never)]
pub(crate) fn node_info(cloud: &dyn Cloud) -> Result<NodeInfo, Error> {
    let document = document(cloud)?;
    let granted = cloud.region()?;
    if document.region != granted {
        bail!(FailedPrecondition: "this node is in region {}, and the driver's file grants region {granted}: correct \
            [grants.https.ecs]", document.region);
    }
    Ok(NodeInfo {
        id: document.id.as_str().into(),
        max_volumes: 0,
    })
}

/// Where this node is, by every key that volumes and classes may ask for, and which disks it takes.
#[inline(never)]
pub(crate) fn place(ecs: Ecs<'_>) -> Result<Topology, Error> {
    let document = document(ecs.cloud)?;
    let mut place = zone::place(document.zone);
    for (key, value) in [
        (zone::STANDARD_ZONE, document.zone),
        (zone::REGION, document.region),
        (zone::INSTANCE, document.id.as_str()),
    ] {
        place.push((key.into(), value.into()));
    }
    // Zones have most categories, and the region those that are in all of its zones.
    for scope in [("ZoneId", document.zone), ("Scope", "region")] {
        match categories(ecs, &document, scope) {
            Ok(categories) => {
                for category in categories {
                    place.push((String::from(zone::TAKES) + category, "available".into()));
                }
            }
            // The node is no worse than one of which nobody knows.
            Err(failure) => {
                // Most nodes have no key, and are not meant to.
                let level = match failure.kind {
                    Kind::NotSent => Level::Debug,
                    Kind::Refused | Kind::Throttled | Kind::Lost => Level::Warn,
                };
                let error = Error::from(failure);
                if matches!(error, Error::Unavailable(_) | Error::InProgress(_)) {
                    return Err(error);
                }
                let (_, reason) = error.into_parts();
                let line = format!("which disks this node takes is not known: {reason}");
                ecs.host().note(level, &line);
                break;
            }
        }
    }
    Ok(place)
}

/// The categories whose disks can be attached to instances of this type, sold out or not.
fn categories(
    ecs: Ecs<'_>,
    document: &Document,
    (scope, within): (&str, &str),
) -> Result<Vec<&'static str>, Failure> {
    let name = document.instance_type;
    let subject = format!("instance type {name}");
    let call = Call::new(Action::DescribeAvailableResource, subject)
        .with("DestinationResource", "DataDisk")
        .with("ResourceType", "disk")
        .with("InstanceType", name)
        .with(scope, within);
    let region = ecs.cloud.region().map_err(Failure::not_sent)?;
    let answer = ecs.call(&call.with("RegionId", &region))?;
    let mut categories = Vec::new();
    for zone in answer.list("AvailableZones", "AvailableZone") {
        // What the whole region has is of no zone.
        if ![document.zone, ""].contains(&zone.text("ZoneId")) {
            continue;
        }
        for resource in zone.list("AvailableResources", "AvailableResource") {
            for one in resource.list("SupportedResources", "SupportedResource") {
                categories.extend(one.some_text("Value"));
            }
        }
    }
    Ok(categories)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    #[test]
    fn a_node_is_named_by_its_instance_with_or_without_the_region() {
        let cloud = FakeCloud::new();
        for node in ["i-1", "cn-test.i-1"] {
            assert_eq!(of_node(&cloud, node).expect("an instance").as_str(), "i-1");
        }
        assert!(matches!(
            of_node(&cloud, "cn-other.i-1"),
            Err(Error::FailedPrecondition(_))
        ));
    }

    #[test]
    fn a_hosts_name_means_this_instance_if_it_is_its_own() {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5.example.internal");
        for node in ["worker-5", "WORKER-5.example.internal"] {
            assert_eq!(of_node(&cloud, node).expect("this one").as_str(), "i-5");
        }
        for node in ["worker-6", "worker-5.example.com", ""] {
            assert!(
                matches!(of_node(&cloud, node), Err(Error::NotFound(m)) if m.contains("worker-5"))
            );
        }
    }

    #[test]
    fn without_metadata_a_hosts_name_is_explained() {
        let error = of_node(&FakeCloud::new(), "worker-5").expect_err("unknown");
        assert!(
            matches!(error, Error::FailedPrecondition(m) if m.contains("REGION.i-") && m.contains("grant"))
        );
    }

    #[test]
    fn a_node_registers_by_its_instance_without_any_key() {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5");
        let info = node_info(&cloud).expect("a node");
        assert_eq!((info.id.as_str(), info.max_volumes), ("i-5", 0));
        for action in [Action::DescribeInstanceTypes, Action::DescribeDisks] {
            assert_eq!(cloud.count(action), 0);
        }
    }

    #[test]
    fn a_node_says_its_place_by_every_key_and_which_disks_it_takes() {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5");
        let place = place(Ecs { cloud: &cloud }).expect("a place");
        let said: Vec<String> = place.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            said,
            [
                "topology.diskplugin.csi.alibabacloud.com/zone=cn-test-a",
                "topology.kubernetes.io/zone=cn-test-a",
                "topology.kubernetes.io/region=cn-test",
                "alibabacloud.com/ecs-instance-id=i-5",
                "node.csi.alibabacloud.com/disktype.cloud_essd=available",
                "node.csi.alibabacloud.com/disktype.cloud_regional_disk_auto=available",
            ]
        );
    }

    #[test]
    fn a_key_that_may_not_ask_leaves_open_which_disks_a_node_takes() {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5");
        let action = Action::DescribeAvailableResource;
        cloud.fault(action, Fault::Refuse("Forbidden.RAM"));
        let place = place(Ecs { cloud: &cloud }).expect("a place");
        assert!(!place.iter().any(|(key, _)| key.starts_with(zone::TAKES)));
        assert_eq!(cloud.count(action), 1);
        assert!(
            cloud
                .warnings()
                .iter()
                .any(|line| line.contains(action.name()))
        );
    }

    #[test]
    fn a_node_that_has_no_key_is_asked_once_and_warns_nobody() {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5");
        let action = Action::DescribeAvailableResource;
        cloud.fault(action, Fault::NoKey);
        let place = place(Ecs { cloud: &cloud }).expect("a place");
        assert!(!place.iter().any(|(key, _)| key.starts_with(zone::TAKES)));
        assert_eq!(cloud.count(action), 1);
        assert_eq!(cloud.warnings(), [""; 0]);
        assert_eq!(cloud.notes().len(), 1, "whoever looks closely is told");
    }

    #[test]
    fn without_metadata_a_node_cannot_register() {
        let error = node_info(&FakeCloud::new()).expect_err("no metadata");
        assert!(matches!(error, Error::Denied(_)));
    }
}
