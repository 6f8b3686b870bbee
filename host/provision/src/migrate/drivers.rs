//! Which FlexVolume drivers' volumes become volumes of which CSI driver. Pure.

use std::fmt;
use std::str::FromStr;

use super::object::Object;

/// What a driver's volumes are, and so how their options are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Disks of Alibaba Cloud: attached, one pod's node at a time.
    Disk,
    /// Directories of NFS servers.
    Share,
}

/// A FlexVolume driver's name: `alicloud/disk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlexVolumeName(pub(super) String);

/// A CSI driver's name: `diskplugin.csi.alibabacloud.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CsiName(pub(super) String);

/// The two names that a driver has, one for each way to it: `alicloud/disk=diskplugin.csi.alibabacloud.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) flexvolume: FlexVolumeName,
    pub(super) csi: CsiName,
}

/// A driver that volumes are taken from, and given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Driver {
    pub(super) kind: Kind,
    pub(super) names: Names,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Drivers(Vec<Driver>);

impl Driver {
    /// Whether what CSI's driver deletes by a volume's id is the volume. A share that is mounted as it is has no such id.
    pub(super) fn deletes_by_id(&self) -> bool {
        self.kind == Kind::Disk
    }
}

impl Drivers {
    pub(super) fn new(disks: &[Names], shares: &[Names]) -> Self {
        let of = |kind| {
            move |names: &Names| Driver {
                kind,
                names: names.clone(),
            }
        };
        let disks = disks.iter().map(of(Kind::Disk));
        Self(disks.chain(shares.iter().map(of(Kind::Share))).collect())
    }

    /// What a volume is. One of a driver that is not known here is taken for a disk, which is the stricter.
    pub(super) fn kind_of(&self, object: &Object) -> Kind {
        let is_its = |driver: &&Driver| match (object.flexvolume(), object.csi()) {
            (Some(source), _) => driver.names.flexvolume.0 == source.driver,
            (None, Some(source)) => driver.names.csi.0 == source.driver,
            (None, None) => false,
        };
        let driver = self.0.iter().find(is_its);
        driver.map_or(Kind::Disk, |driver| driver.kind)
    }

    /// The one that FlexVolume knows by that name.
    pub(super) fn by_flexvolume(&self, name: &str) -> Option<&Driver> {
        let mut drivers = self.0.iter();
        drivers.find(|driver| driver.names.flexvolume.0 == name)
    }
}

impl fmt::Display for FlexVolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CsiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split_once('=');
        let (flexvolume, csi) =
            names.ok_or("write VENDOR/DRIVER=CSI-NAME, the two names in the driver's file")?;
        let is_flexvolumes = flexvolume
            .split_once('/')
            .is_some_and(|(vendor, driver)| !vendor.is_empty() && !driver.is_empty());
        if !is_flexvolumes || csi.is_empty() || csi.contains('/') {
            return Err(
                "write VENDOR/DRIVER before the = and the CSI driver's name after it".to_owned(),
            );
        }
        Ok(Self {
            flexvolume: FlexVolumeName(flexvolume.to_owned()),
            csi: CsiName(csi.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_found_by_the_name_that_volumes_have() {
        let names = |text: &str| text.parse::<Names>().expect(text);
        let drivers = Drivers::new(
            &[names("a/disk=d.csi")],
            &[names("a/nfs=n.csi"), names("b/nas=n.csi")],
        );
        let found = drivers.by_flexvolume("b/nas").expect("known");
        assert_eq!(
            (found.kind, found.names.csi.0.as_str()),
            (Kind::Share, "n.csi")
        );
        assert_eq!(
            drivers.by_flexvolume("a/disk").map(|driver| driver.kind),
            Some(Kind::Disk)
        );
        assert!(drivers.by_flexvolume("n.csi").is_none());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for text in [
            "a/disk",
            "disk=d.csi",
            "/disk=d.csi",
            "a/=d.csi",
            "a/disk=",
            "a/disk=b/disk",
        ] {
            assert!(text.parse::<Names>().is_err(), "{text}");
        }
    }
}
