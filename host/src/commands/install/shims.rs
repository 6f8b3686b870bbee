//! The shim in kubelet's plugin directory, of each driver whose `init` would go well.
//!
//! kubelet watches the directory and probes on every change of a name that does not begin with a dot: a new driver
//! appears by one rename of a whole directory, a new shim by one rename over the old one. While `init` fails, kubelet
//! knows no such driver ("no volume plugin matched") and calls it again at each look-up of any plugin; one that starts
//! meanwhile does not, until something changes there. So what `init` asks for has to be there first: the driver's file
//! where the shim looks, and a component that is ready. A shim that lies there stays, whatever becomes of either.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use drivebay::config::{self, FlexVolumeName, Paths};
use drivebay::driver::{Driver, Readiness};
use drivebay::volume::DriverName;

use super::program;

/// Those that one process puts in place.
#[derive(Debug)]
pub(super) struct Shims {
    plugin_dir: PathBuf,
    program: PathBuf,
    /// With the configuration that the shim reads, which is not that of a pod.
    node: Paths,
    put: BTreeMap<DriverName, PathBuf>,
    /// What shims wait for, as it was said last.
    waiting: BTreeMap<DriverName, String>,
}

impl Shims {
    pub(super) fn new(plugin_dir: PathBuf, program: PathBuf, node: Paths) -> Self {
        Self {
            plugin_dir,
            program,
            node,
            put: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Puts the shim in place of each driver that is ready and has none from this process, and says what others wait for.
    ///
    /// # Errors
    /// The first one that cannot be put; all others are.
    pub(super) fn put(&mut self, configured: &Paths) -> anyhow::Result<()> {
        let mut failed = None;
        for (driver, file) in config::load_each_driver(configured)? {
            if self.is_in_place(&driver) || file.is_ok_and(|file| file.flexvolume.is_none()) {
                continue;
            }
            match self.probed(&driver) {
                Err(reason) => self.wait(&driver, format!("{reason:#}")),
                Ok(name) => {
                    self.waiting.remove(&driver);
                    if let Err(error) = self.put_one(&driver, &name) {
                        failed.get_or_insert(error);
                    }
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// It stays then, whatever is wrong by now.
    fn is_in_place(&self, driver: &DriverName) -> bool {
        let shim = self.put.get(driver);
        shim.is_some_and(|shim| fs::symlink_metadata(shim).is_ok())
    }

    /// What kubelet is to call the driver.
    ///
    /// # Errors
    /// Why its `init` would fail.
    fn probed(&self, driver: &DriverName) -> anyhow::Result<FlexVolumeName> {
        let drivers = self.node.drivers();
        let Some(found) = config::find_driver(&self.node, driver)? else {
            bail!("its file does not lie in {} yet", drivers.display());
        };
        let Some(name) = found.flexvolume.clone() else {
            bail!("its file in {} names no flexvolume", drivers.display());
        };
        // Another file may serve that name, too.
        config::find_flexvolume_driver(&self.node, &name)?;
        match Driver::new(found, self.node.clone()).readiness() {
            Readiness::Ready => Ok(name),
            Readiness::NotYet(error) | Readiness::Unable(error) => Err(anyhow!(error.chain())),
        }
    }

    fn wait(&mut self, driver: &DriverName, reason: String) {
        if self.waiting.get(driver) != Some(&reason) {
            say!("driver {driver}: its shim waits: {reason}");
            self.waiting.insert(driver.clone(), reason);
        }
    }

    fn put_one(&mut self, driver: &DriverName, name: &FlexVolumeName) -> anyhow::Result<()> {
        let directory = self.plugin_dir.join(name.directory());
        let shim = directory.join(&name.driver);
        match directory.is_dir() {
            true => program::replace(&self.program, &shim)?,
            false => self.create(&directory, name)?,
        }
        say!("driver {driver}: shim at {}", shim.display());
        self.put.insert(driver.clone(), shim);
        Ok(())
    }

    /// The directory appears with the executable in it.
    fn create(&self, directory: &Path, name: &FlexVolumeName) -> anyhow::Result<()> {
        let hidden = self.plugin_dir.join(format!(".{}", name.directory()));
        program::make_directory(&hidden)?;
        program::replace(&self.program, &hidden.join(&name.driver))?;
        fs::rename(&hidden, directory)
            .with_context(|| format!("cannot create {}", directory.display()))
    }
}
