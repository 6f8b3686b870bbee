//! Which version serves a site, and what `status` tells of it.

use std::thread;
use std::time::{Duration, Instant};

use drivebay_tests::{Answer, PATIENCE, csi_proto as proto, options, text};

use crate::backend::{WHO, this_is};
use crate::site::{Kind, SHIM, Site};
use crate::status::Status;

impl Site {
    /// What the shim answers for the volume that tells the version.
    #[track_caller]
    pub(crate) fn ask(&self) -> Answer {
        let target = text(&self.node.pod(WHO)).to_owned();
        let json = options(WHO, &[]);
        match self.kind {
            Kind::Mounted => self.node.call_driver(SHIM, &["mount", &target, &json]),
            Kind::Attached => self
                .node
                .call_driver(SHIM, &["mountdevice", &target, "", &json]),
        }
    }

    /// The version that a call through the shim meets; empty where it meets none.
    #[track_caller]
    pub(crate) fn version(&self) -> String {
        let answer = self.ask();
        named_in(answer.message()).unwrap_or_default().to_owned()
    }

    /// The version that CSI's callers meet.
    pub(crate) fn csi_version(&self) -> Option<String> {
        let info = self.csi()?.get_plugin_info(proto::GetPluginInfoRequest {});
        info.ok()?.manifest.remove("component-version")
    }

    fn meets(&self, version: &str) -> bool {
        let of_csi = self.csi_version();
        self.version() == version
            && (self.csi().is_none() || of_csi.is_some_and(|of_csi| of_csi == version))
    }

    /// In the end that version serves, wherever one asks, and `status` says so.
    #[track_caller]
    pub(crate) fn serves(&self, version: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.meets(version) {
            let now = || format!("{:?}, {:?}", self.ask(), self.status());
            assert!(
                Instant::now() < until,
                "{version} does not serve: {}\n{}",
                now(),
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.status();
        assert_eq!(status.active_version(), Some(version), "{status:?}");
    }

    /// That version serves now, wherever one asks.
    #[track_caller]
    pub(crate) fn keeps(&self, version: &str) {
        let answer = self.ask();
        let expected = this_is(version);
        let answer = answer.fails_with(&expected);
        assert!(self.meets(version), "{answer:?}, {:?}", self.csi_version());
    }

    /// Of the driver, now.
    #[track_caller]
    pub(crate) fn status(&self) -> Status {
        Status::of(&self.node)
    }

    /// Waits until `status` says that; it shows what it says instead.
    #[track_caller]
    pub(crate) fn tells(&self, what: &str, is_said: impl Fn(&Status) -> bool) -> Status {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if is_said(&status) {
                return status;
            }
            assert!(
                Instant::now() < until,
                "{what} is not told: {status:#?}\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the source shows is refused at that step for a reason with these words, `version` serves, and nothing is
    /// left half done.
    #[track_caller]
    pub(crate) fn refuses(&self, step: &str, words: &str, version: &str) {
        let what = format!("a refusal at {step} with {words:?}");
        self.tells(&what, |status| status.refused(step, words));
        self.keeps(version);
        self.is_whole();
    }
}

/// The version that names itself in a text.
pub(crate) fn named_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("this is version ")?;
    Some(rest.split_once('!')?.0)
}
