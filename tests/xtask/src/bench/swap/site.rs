//! Nodes whose components come from ConfigMaps: one with both shipped drivers, one with `local` and volumes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drivebay_testbed::{Cloud, ConfigMap, Serving};
use serde_json::{Value, json};

use crate::bench::csi::{Caller, Site};
use crate::emulator;
use crate::version::{grown, version};
use crate::workspace::Workspace;

pub(super) const SHIPPED: [&str; 2] = ["nfs", "alicloud-disk"];

/// A large component takes longer than an operator allows by default.
const LIMITS: &str = "[limits]\ncompile-time = \"15m\"\ncompile-memory = \"4Gi\"\n";

/// One component in one version after the other.
struct Versions {
    driver: &'static str,
    built: Vec<u8>,
    last: usize,
    source: ConfigMap,
}

/// One of them.
pub(super) struct Version {
    number: String,
    pub(super) component: Vec<u8>,
}

/// Both shipped drivers, and the cloud that one of them needs.
pub(super) struct Shipped {
    versions: Vec<Versions>,
    serving: Serving,
    site: Site,
    _cloud: Cloud,
}

/// The example `local`, with a published volume for each caller.
pub(super) struct OfLocal {
    versions: Versions,
    serving: Serving,
    site: Site,
}

impl Shipped {
    pub(super) fn new(workspace: &Workspace, caller: &Caller) -> Result<Self> {
        let site = Site::empty(workspace)?;
        let cloud = emulator::cloud(workspace, &site.path("cloud"))?;
        site.grant("alicloud-disk", &cloud.grants(&cloud.key_in_files()?)?)?;
        let grants = fs::read_to_string(workspace.root().join("deploy/drivers.d/nfs.toml"))?;
        site.grant("nfs", &grants)?;
        let versions = SHIPPED.map(|driver| Versions::new(workspace, &site, driver));
        let versions: Vec<Versions> = versions.into_iter().collect::<Result<_>>()?;
        let sources: Vec<&ConfigMap> = versions.iter().map(|of| &of.source).collect();
        let mut shipped = Self {
            serving: site.serve_from(&SHIPPED, &sources)?,
            versions,
            site,
            _cloud: cloud,
        };
        for driver in SHIPPED {
            shipped.swap(driver, caller)?;
        }
        Ok(shipped)
    }

    /// Shows another version of a driver's component, and tells how long it was until that answered.
    pub(super) fn swap(&mut self, driver: &str, caller: &Caller) -> Result<Duration> {
        let call = json!({ "socket": self.site.socket(driver), "rpc": "NodeGetInfo" });
        let mut all = self.versions.iter_mut();
        let versions = all.find(|versions| versions.driver == driver);
        let versions = versions.context("no such driver is shipped")?;
        let next = versions.next()?;
        versions.swap(caller, &next, &call)
    }

    pub(super) fn process(&self) -> u32 {
        self.serving.id()
    }
}

impl OfLocal {
    /// With a volume for each of so many callers.
    pub(super) fn new(workspace: &Workspace, caller: &Caller, callers: usize) -> Result<Self> {
        let site = Site::with_local(workspace, callers)?;
        site.grant("local", &format!("{}{LIMITS}", site.local_grants()))?;
        let mut versions = Versions::new(workspace, &site, "local")?;
        versions.show_next()?;
        let serving = site.serve_from(&["local"], &[&versions.source])?;
        let calls = ["NodeStageVolume", "NodePublishVolume"].map(|rpc| site.call(rpc));
        caller.each(callers, &calls)?;
        Ok(Self {
            versions,
            serving,
            site,
        })
    }

    /// What callers call by turns: two run the guest, or may; one does not.
    pub(super) fn calls(&self) -> [Value; 3] {
        ["NodeGetInfo", "NodePublishVolume", "NodeGetVolumeStats"].map(|rpc| self.site.call(rpc))
    }

    /// The next version, not shown yet.
    pub(super) fn next(&mut self) -> Result<Version> {
        self.versions.next()
    }

    /// Shows a version, and tells how long it was until that answered.
    pub(super) fn swap(&mut self, caller: &Caller, to: &Version) -> Result<Duration> {
        let call = self.site.call("NodeGetInfo");
        self.versions.swap(caller, to, &call)
    }

    pub(super) fn process(&self) -> u32 {
        self.serving.id()
    }
}

impl Version {
    /// With so many bytes at least.
    pub(super) fn grown(self, bytes: usize) -> Result<Self> {
        Ok(Self {
            component: grown(&self.component, bytes)?,
            ..self
        })
    }
}

impl Versions {
    fn new(workspace: &Workspace, site: &Site, driver: &'static str) -> Result<Self> {
        let file = workspace.components().join(format!("{driver}.wasm"));
        let built = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self {
            driver,
            built,
            last: 0,
            source: ConfigMap::at(&site.path("sources").join(driver))?,
        })
    }

    fn next(&mut self) -> Result<Version> {
        self.last += 1;
        let [hundreds, tens, ones] = [self.last / 100, self.last / 10 % 10, self.last % 10];
        let number = format!("{}.{tens}.{ones}", hundreds + 1);
        Ok(Version {
            component: version(&self.built, &number)?,
            number,
        })
    }

    fn show_next(&mut self) -> Result<()> {
        let next = self.next()?;
        self.show(&next).map(drop)
    }

    fn show(&mut self, version: &Version) -> Result<Instant> {
        let file = format!("{}.wasm", self.driver);
        self.source.write(&[(&file, &version.component)])
    }

    /// Whoever waits for it is there before it comes.
    fn swap(&mut self, caller: &Caller, to: &Version, call: &Value) -> Result<Duration> {
        let mut waiting = caller.awaiting(&to.number, call);
        let mut waiting = waiting.spawn().context("cannot start who waits")?;
        let swapped = self.show(to)?;
        let ended = waiting.wait()?;
        ensure!(
            ended.success(),
            "version {} of {} did not come",
            to.number,
            self.driver
        );
        Ok(swapped.elapsed())
    }
}
