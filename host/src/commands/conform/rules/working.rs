//! What a component exports works.

use drivebay::error::{Condition, DriverError};
use drivebay::store::Export;
use drivebay::volume::{CapacityRange, Parameters, VolumeSource};

use crate::commands::conform::bench::{Bench, reference};
use crate::commands::conform::expectation::{Checked, broken, same, succeeds, told};
use crate::commands::conform::rule::Rule;
use crate::commands::run::Caller;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "volume-is-made",
        asks: "create-volume makes a volume from the parameters given",
        why: "a claim waits until it does; most other rules need one",
        needs: &[Export::Controller],
        check: is_made,
    },
    Rule {
        name: "exports-work",
        asks: "no exported operation answers unsupported to a plain request",
        why: "CSI's capabilities follow from the exports: sidecars and users rely on what is there, and see it fail",
        needs: &[Export::Controller],
        check: exports_work,
    },
    Rule {
        name: "node-info-stays",
        asks: "get-info says the same each time",
        why: "the kubelet writes it into the CSINode object when it registers the driver, and volumes are attached by it for as long as the node lives",
        needs: &[Export::Node],
        check: node_info_stays,
    },
];

fn is_made(bench: &Bench) -> Checked {
    succeeds("create-volume", bench.create(&bench.request("made"))).map(drop)
}

fn exports_work(bench: &Bench) -> Checked {
    let volume = bench.volume("works")?;
    let volume = reference(&volume);
    if bench.exports(Export::Expansion) {
        let range = CapacityRange {
            required_bytes: Some(bench.subject.size_bytes),
            limit_bytes: None,
        };
        let session = bench.session();
        supported(
            "expand-volume",
            Caller(&session).expand_volume(&volume, range),
        )?;
    }
    if bench.exports(Export::VolumeListing) {
        supported("list-volumes", bench.session().list_volumes(0, None))?;
    }
    if bench.exports(Export::Capacity) {
        let parameters = Parameters::new(bench.subject.parameters.clone());
        let room = bench.session().available_capacity(&parameters, None);
        supported("available-capacity", room)?;
    }
    if bench.exports(Export::VolumeHealth) {
        supported(
            "get-volume-health",
            bench.session().volume_health(&volume.id),
        )?;
    }
    if bench.exports(Export::Snapshots) {
        supported("create-snapshot", bench.cut("works", &volume.id))?;
    }
    if bench.exports(Export::Cloning) {
        let clone = bench.request_from("works-copied", VolumeSource::Volume(volume.id.clone()));
        supported("clone-volume", bench.create(&clone))?;
    }
    if bench.exports(Export::Attachment) {
        supported("attach-volume", bench.attach(&volume))?;
    }
    Ok(())
}

fn supported<T>(what: &str, answer: Result<T, DriverError>) -> Checked {
    match answer {
        Err(error) if error.condition() == Condition::Unsupported => {
            Err(broken(format!("{what} failed with {}", told(&error))))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn node_info_stays(bench: &Bench) -> Checked {
    let info = || succeeds("get-info", bench.session().node_info(None));
    let (first, second) = (info()?, info()?);
    same("what get-info says", &first, &second)
}
