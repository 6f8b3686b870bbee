//! What a volume's parameters say: which share, and how it is mounted. Pure, so that it is tested without a server.

use drivebay_guest::mount_options::{Dialect, MountOptions};
use drivebay_guest::mounts::RemoteSource;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::parse_server;

/// The kernel's name of the filesystem, which the operator grants. SMB is `cifs`, with a path `/SHARE/DIRECTORY`.
const FILESYSTEM: &str = "nfs";

drivebay_guest::parameters! {
    pub(crate) const OF_VOLUMES: "volume" = {
        SERVER: Word = "server", required = true => "Host name or address of the server.";
        SHARE: Text = "share", required = true => "Path of the share on the server.";
        OPTIONS: Text = "mountOptions" => "Mount options, separated by commas.";
    }
}

/// Which option contradicts which, as most filesystems have it.
#[derive(Debug)]
pub(crate) struct Common;

impl Dialect for Common {}

/// Where the volume is.
pub(crate) fn source(volume: &Volume) -> Result<RemoteSource, Error> {
    let params = Params(&volume.context);
    let Some(server) = params.get(SERVER) else {
        bail!(InvalidArgument: "{SERVER} is missing");
    };
    Ok(RemoteSource {
        fs_type: FILESYSTEM.into(),
        server: parse_server(SERVER.name(), server)?,
        path: RemotePath::parse(SHARE.name(), params.required(SHARE)?)?.to_string(),
    })
}

/// What the volume says, and what the pod's PersistentVolume says; which may be used, the grant decides.
pub(crate) fn options(volume: &Volume, given: &[String]) -> Result<MountOptions<Common>, Error> {
    let mut options = MountOptions::default();
    if let Some(list) = Params(&volume.context).get(OPTIONS) {
        options.add(OPTIONS.name(), list)?;
    }
    options.add("the PersistentVolume", &given.join(","))?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::volume;

    use super::*;

    #[test]
    fn a_share_is_a_path_on_a_server() {
        let found = source(&volume(
            "music",
            &[("server", "filer"), ("share", "/srv//music/")],
        ));
        let found = found.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(found.server, "filer");
        assert_eq!(found.path, "/srv/music");
    }

    #[test]
    fn what_is_missing_or_leads_elsewhere_is_named() {
        for (context, named) in [
            (&[("share", "/srv")][..], "server"),
            (&[("server", "filer")], "share"),
            (&[("server", "filer"), ("share", "/srv/../etc")], ".."),
        ] {
            let refused = source(&volume("music", context));
            let Err(Error::InvalidArgument(said)) = refused else {
                panic!("{context:?}: {refused:?}");
            };
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn options_of_both_places_count_and_may_not_contradict_each_other() {
        let volume = volume("music", &[("mountOptions", "vers=4.2,noatime")]);
        let both = options(&volume, &["hard".into()]).unwrap_or_else(|error| panic!("{error:?}"));
        let names: Vec<String> = both.to_list().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["vers", "noatime", "hard"]);
        let refused = options(&volume, &["vers=3".into()]);
        assert!(
            matches!(refused, Err(Error::InvalidArgument(_))),
            "{refused:?}"
        );
    }
}
