//! Volumes are attached to a node.

use drivebay::store::Export;
use drivebay::volume::NodeId;

use crate::commands::conform::bench::{Bench, reference};
use crate::commands::conform::expectation::{Checked, Stop, given, holds, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "attach-repeats",
        asks: "attach-volume to the node that has the volume succeeds, and says the same",
        why: "external-attacher and kubelet repeat the call, and the pod's node finds the volume by what it says",
        needs: &[Export::Controller, Export::Attachment],
        check: attach_repeats,
    },
    Rule {
        name: "detach-repeats",
        asks: "detach-volume of a volume that is not attached, or is gone, succeeds",
        why: "the VolumeAttachment stays until it does, and with it the volume: no other node gets it",
        needs: &[Export::Controller, Export::Attachment],
        check: detach_repeats,
    },
    Rule {
        name: "detach-is-from-everywhere",
        asks: "detach-volume without a node takes the volume from each node that has it",
        why: "CSI lets its caller name no node, which then deletes the volume or gives it to another node",
        needs: &[Export::Controller, Export::Attachment],
        check: from_everywhere,
    },
    Rule {
        name: "attachments-are-told",
        asks: "is-attached says what attach-volume and detach-volume have done",
        why: "volumes are deleted and given to other nodes by what it says",
        needs: &[Export::Controller, Export::Attachment],
        check: told,
    },
];

fn attach_repeats(bench: &Bench) -> Checked {
    let volume = reference(&bench.volume("attached-twice")?);
    let first = given("attach-volume", bench.attach(&volume))?;
    let second = succeeds("attach-volume for the second time", bench.attach(&volume))?;
    holds(first.same_as(&second), || {
        let (first, second) = (first.pairs(), second.pairs());
        format!("the publish context was {first:?} first, and {second:?} then")
    })
}

fn detach_repeats(bench: &Bench) -> Checked {
    let volume = reference(&bench.volume("detached-twice")?);
    let node = bench.subject.node.clone();
    given("attach-volume", bench.attach(&volume))?;
    given("detach-volume", bench.detach(&volume.key, &node))?;
    let again = bench.detach(&volume.key, &node);
    succeeds("detach-volume for the second time", again)?;
    let gone = bench.gone("detached-and-gone")?;
    let what = "detach-volume of a volume that is gone";
    succeeds(what, bench.detach(&gone.key, &node))
}

fn from_everywhere(bench: &Bench) -> Checked {
    let volume = reference(&bench.volume("detached-everywhere")?);
    if given("is-attached", bench.is_attached(&volume))? {
        let reason = "is-attached says that a new volume is attached, and so tells nothing";
        return Err(Stop::Untried(reason.to_owned()));
    }
    given("attach-volume", bench.attach(&volume))?;
    let detached = bench.detach(&volume.key, &NodeId(String::new()));
    succeeds("detach-volume without a node", detached)?;
    let is_attached = given("is-attached", bench.is_attached(&volume))?;
    holds(!is_attached, || {
        let node = &bench.subject.node.0;
        format!("after detach-volume without a node the volume is attached to {node:?} still")
    })
}

fn told(bench: &Bench) -> Checked {
    let volume = reference(&bench.volume("attachment-told")?);
    let is_attached = |when: &str, wanted: bool| {
        let said = succeeds("is-attached", bench.is_attached(&volume))?;
        holds(said == wanted, || format!("is-attached says {said} {when}"))
    };
    is_attached("before attach-volume", false)?;
    given("attach-volume", bench.attach(&volume))?;
    is_attached("after attach-volume", true)?;
    given(
        "detach-volume",
        bench.detach(&volume.key, &bench.subject.node),
    )?;
    is_attached("after detach-volume", false)
}
