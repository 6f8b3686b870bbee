//! A volume's parameters become a checked [`Share`]. Pure: nothing here calls the host.

use drivebay_guest::exports::node::StageRequest;
use drivebay_guest::mounts::{MountOption, RemoteSource};
use drivebay_guest::parameters::Text;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::{Export, parse_server};
use drivebay_guest::volume::filesystem;

use crate::mount_options::{Defaults, MountOptions, for_version, take_version};
use crate::parameter_names as names;
use crate::version::{self, NEWEST_FIRST, THREE_FIRST, Version, Versions};

/// For directories that are made without a `mode`; the same as Alibaba's driver gives them.
pub(crate) const DEFAULT_MODE: u32 = 0o755;

/// How a contradiction names the options of the claim itself.
const CLAIMS_OPTIONS: &str = "the volume's list of mount options";

/// A directory on a server, and how to mount it.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) server: String,
    pub(crate) path: RemotePath,
    /// The part of `path` that has to exist; what lies below may be made.
    pub(crate) base: RemotePath,
    /// For the volume's own directory. Absent also where the volume is read-only.
    pub(crate) mode: Option<u32>,
    pub(crate) versions: Versions,
    options: MountOptions,
    defaults: Defaults,
}

impl Share {
    /// What the request asks for; `invalid-argument` where it contradicts itself.
    pub(crate) fn requested(request: &StageRequest) -> Result<Self, Error> {
        let filesystem = filesystem("an NFS share", &request.kind)?;
        let params = ShareParams(Params(&request.volume.context));
        let (root, below) = params.root()?;
        let mut options = params.mount_options(filesystem)?;
        let versions = params.versions(&mut options, &filesystem.fs_type)?;
        let writable = request.access == Access::ReadWrite && !options.has("ro");
        let path = root.join(&below);
        let base = match (writable, params.creates()?) {
            (true, Creates::Everything) => RemotePath::root(),
            (true, Creates::SubPath) => root,
            (true, Creates::Nothing) | (false, _) => path.clone(),
        };
        Ok(Self {
            server: parse_server(names::SERVER.name(), params.0.required(names::SERVER)?)?,
            path,
            base,
            mode: params.mode()?.filter(|_| writable),
            versions,
            options,
            defaults: params.defaults(),
        })
    }

    /// The export beneath which volumes are made, with the mount options of their class.
    pub(crate) fn of_export(export: &Export, filesystem: &FilesystemAccess) -> Result<Self, Error> {
        let path = export.share.clone();
        let pairs = [(names::SHARE.into(), path.to_string())];
        let params = ShareParams(Params(&pairs));
        let mut options = params.mount_options(filesystem)?;
        let versions = params.versions(&mut options, &filesystem.fs_type)?;
        Ok(Self {
            server: export.server.clone(),
            base: path.clone(),
            path,
            mode: None,
            versions,
            options,
            defaults: params.defaults(),
        })
    }

    /// Whether a volume that is missing is made.
    pub(crate) fn may_create(&self) -> bool {
        self.path != self.base
    }

    /// A directory of the server, for the host to mount.
    pub(crate) fn source(&self, path: &RemotePath) -> RemoteSource {
        RemoteSource {
            fs_type: "nfs".into(),
            server: self.server.clone(),
            path: path.to_string(),
        }
    }

    /// The options to mount it with.
    pub(crate) fn mount_options(&self, version: Version) -> Vec<MountOption> {
        for_version(&self.options, version, self.defaults)
    }

    /// The error for a volume whose parents are missing too.
    pub(crate) fn nothing_to_create_in(&self) -> Error {
        error!(NotFound: "cannot make {} on {}: {} does not exist there either", self.path, self.server, self.base)
    }
}

/// What may be made on the server.
enum Creates {
    Nothing,
    /// The sub-directory, but not the share.
    SubPath,
    /// All of the path, as Alibaba's driver does.
    Everything,
}

/// What a volume's parameters say of its share.
struct ShareParams<'a>(Params<'a>);

impl<'a> ShareParams<'a> {
    /// A volume of Alibaba's driver, whose defaults it keeps.
    fn is_nas(&self) -> bool {
        self.0.get(names::SHARE).is_none()
    }

    /// The share, and the volume's place below it.
    fn root(&self) -> Result<(RemotePath, RemotePath), Error> {
        let below = self.below()?;
        let path = RemotePath::parse(
            names::PATH.name(),
            self.0.get(names::PATH).unwrap_or_default(),
        )?;
        let Some(written) = self.0.get(names::SHARE) else {
            return Ok((path, below));
        };
        let share = RemotePath::parse(names::SHARE.name(), written)?;
        if self.0.get(names::PATH).is_some() && path != share {
            bail!(InvalidArgument: "share says {share} and path says {path}: write one of them");
        }
        Ok((share, below))
    }

    /// `subPath` is ours; `subDir` is where the Kubernetes driver made a volume.
    fn below(&self) -> Result<RemotePath, Error> {
        let sub_dir = SubDir::from_template(names::SUB_DIR, self.0)?;
        match (sub_dir, self.0.get(names::SUB_PATH)) {
            (Some(_), Some(_)) => Err(Error::InvalidArgument(
                "subDir and subPath are both given: write one of them".into(),
            )),
            (Some(sub_dir), None) => RemotePath::parse(names::SUB_DIR.name(), sub_dir.as_str()),
            (None, written) => {
                RemotePath::parse(names::SUB_PATH.name(), written.unwrap_or_default())
            }
        }
    }

    fn creates(&self) -> Result<Creates, Error> {
        match (self.0.get(names::CREATE_SUB_PATH)?, self.is_nas()) {
            (Some(false), _) | (None, false) => Ok(Creates::Nothing),
            (_, true) => Ok(Creates::Everything),
            (Some(true), false) if self.0.get(names::SUB_PATH).is_some() => Ok(Creates::SubPath),
            (Some(true), false) => Err(Error::InvalidArgument(
                "createSubPath is true but subPath is missing: a share itself is never made".into(),
            )),
        }
    }

    fn mode(&self) -> Result<Option<u32>, Error> {
        let permissions = mount_permissions(self.0)?;
        let Some(written) = self.0.get(names::MODE) else {
            return Ok(permissions);
        };
        if permissions.is_some() {
            return Err(Error::InvalidArgument(
                "mode and mountPermissions are both given: write one of them".into(),
            ));
        }
        // Shorter ones are refused: `75` is more often a slip than rwx for the group alone.
        match octal(written).filter(|_| (3..=5).contains(&written.len())) {
            Some(mode) => Ok(Some(mode)),
            None => Err(malformed(
                names::MODE,
                written,
                "write octal permission bits, such as 0755",
            )),
        }
    }

    fn listed_options(&self) -> Result<Option<(&'static str, &'a str)>, Error> {
        match (self.0.get(names::MOUNT_OPTIONS), self.0.get(names::OPTIONS)) {
            (Some(_), Some(_)) => Err(Error::InvalidArgument(
                "mountOptions and options are both given: write one of them".into(),
            )),
            (Some(list), None) => Ok(Some((names::MOUNT_OPTIONS.name(), list))),
            (None, Some(list)) => Ok(Some((names::OPTIONS.name(), list))),
            (None, None) => Ok(None),
        }
    }

    fn clears_defaults(&self) -> bool {
        let says_none = |name: Text| {
            self.0
                .get(name)
                .is_some_and(|list| list.eq_ignore_ascii_case("none"))
        };
        says_none(names::MOUNT_OPTIONS) || says_none(names::OPTIONS)
    }

    fn defaults(&self) -> Defaults {
        match (self.clears_defaults(), self.is_nas()) {
            (true, _) => Defaults::None,
            (false, true) => Defaults::Nas,
            (false, false) => Defaults::Standard,
        }
    }

    /// All that was asked for, wherever it was written.
    fn mount_options(&self, filesystem: &FilesystemAccess) -> Result<MountOptions, Error> {
        let mut options = MountOptions::default();
        if self.0.get(names::READONLY)? == Some(true) {
            options.add(names::READONLY.name(), "ro")?;
        }
        if self.0.get(names::ATIME)? == Some(false) {
            options.add(names::ATIME.name(), "noatime")?;
        }
        if let Some(version) = self.0.get(names::VERS) {
            options.add(names::VERS.name(), &format!("vers={version}"))?;
        }
        if let Some(protocol) = self.protocol()? {
            options.add(names::PROTOCOL.name(), protocol)?;
        }
        if let Some((origin, list)) = self.listed_options()?
            && !self.clears_defaults()
        {
            options.add(origin, list)?;
        }
        for option in &filesystem.mount_options {
            options.add(CLAIMS_OPTIONS, option)?;
        }
        Ok(options)
    }

    fn protocol(&self) -> Result<Option<&'static str>, Error> {
        match self.0.get(names::PROTOCOL) {
            None => Ok(None),
            Some(written) if written.eq_ignore_ascii_case("tcp") => Ok(Some("tcp")),
            Some(written) if written.eq_ignore_ascii_case("udp") => Ok(Some("udp")),
            Some(written) => Err(malformed(names::PROTOCOL, written, "write tcp or udp")),
        }
    }

    /// The versions that suit everything that was said about them.
    ///
    /// Alibaba's driver mounts with NFS 3 unless told otherwise. That stays first for its volumes: a path
    /// can mean another directory in NFS 4, and making it there would hide the data that exists.
    fn versions(&self, options: &mut MountOptions, fs_type: &str) -> Result<Versions, Error> {
        if !["", "nfs", "nfs4"].contains(&fs_type) {
            let accepted = "write nfs, nfs4 or nothing";
            return Err(malformed("the filesystem type", fs_type, accepted));
        }
        let written = known_version(options)?;
        let suits = |version: &Version| {
            written
                .as_ref()
                .is_none_or(|(_, text)| version::means(text, version))
                && (version::is_4(version) || fs_type != "nfs4")
                && !(version::is_4(version) && options.has("proto=udp"))
        };
        let order = if self.is_nas() {
            THREE_FIRST
        } else {
            NEWEST_FIRST
        };
        let versions: Vec<Version> = order.into_iter().filter(suits).collect();
        if versions.is_empty() {
            let version = written.map_or(String::from("no version"), |(origin, text)| {
                format!("version {text} in {origin}")
            });
            bail!(InvalidArgument: "{version}, filesystem type \"{fs_type}\" and the protocol do not fit together: \
                nfs4 leaves out version 3, and udp is for version 3 only");
        }
        Ok(Versions::new(versions))
    }
}

/// `mountPermissions` is the Kubernetes driver's word for a mode, with 0 for leaving it alone.
pub(crate) fn mount_permissions(params: Params<'_>) -> Result<Option<u32>, Error> {
    let Some(written) = params.get(names::MOUNT_PERMISSIONS) else {
        return Ok(None);
    };
    match octal(written) {
        Some(mode) => Ok(Some(mode).filter(|mode| *mode != 0)),
        None => Err(malformed(
            names::MOUNT_PERMISSIONS,
            written,
            "write octal permission bits, such as 0770, or 0 to leave them alone",
        )),
    }
}

fn octal(written: &str) -> Option<u32> {
    let is_plain = written.bytes().all(|b| b.is_ascii_digit());
    let mode = u32::from_str_radix(written, 8).ok();
    mode.filter(|mode| is_plain && *mode <= 0o7777)
}

/// Take the version out of the options; `invalid-argument` if there is no such.
fn known_version(options: &mut MountOptions) -> Result<Option<(&'static str, String)>, Error> {
    let written = take_version(options)?;
    match &written {
        Some((origin, text)) if !version::is_known(text) => {
            let option = format!("NFS version in {origin}");
            let accepted = format!("write {}", version::ACCEPTED);
            Err(malformed(&option, text, &accepted))
        }
        _ => Ok(written),
    }
}

#[cfg(test)]
mod tests;
