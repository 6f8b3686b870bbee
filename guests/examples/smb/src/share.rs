//! What the volume's parameters say. Pure.

use drivebay_guest::mount_options::mount_option;
use drivebay_guest::mounts::{MountOption, RemoteSource};
use drivebay_guest::prelude::*;

drivebay_guest::parameters! {
    pub(crate) const OF_VOLUMES: "volume" = {
        SERVER: Written = "server", required = true => "Host name or address of the server.";
        SHARE: Written = "share", required = true => "Name of the share.";
        PATH: Written = "path" => "Directory on the share; all of it otherwise.";
        OPTIONS: Written = "mountOptions" => "Mount options, separated by commas: vers=3.1.1.";
    }
}

/// Which directory of which share.
pub(crate) fn source(params: Params<'_>) -> Result<RemoteSource, Error> {
    let share = params.get(SHARE).unwrap_or_default().trim_matches('/');
    ensure!(!share.is_empty() && !share.contains('/'), InvalidArgument: "{SHARE} {share:?} is not the name of one \
        share; what is beneath it goes into {PATH}");
    let path = params.get(PATH).unwrap_or_default().trim_matches('/');
    Ok(RemoteSource {
        fs_type: "cifs".into(),
        server: params.get(SERVER).unwrap_or_default().into(),
        path: match path {
            "" => format!("/{share}"),
            path => format!("/{share}/{path}"),
        },
    })
}

/// Those of the volume, and those of whoever mounts it.
pub(crate) fn options(params: Params<'_>, given: &[String]) -> Vec<MountOption> {
    let own = params.get(OPTIONS).unwrap_or_default().split(',');
    let all = own.chain(given.iter().map(String::as_str));
    let words = all.map(str::trim).filter(|word| !word.is_empty());
    words.map(mount_option).collect()
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::pairs;

    use super::*;

    #[test]
    fn a_share_is_one_name_and_the_rest_is_a_path_on_it() {
        let path =
            |written: &[(&str, &str)]| source(Params(&pairs(written))).map(|source| source.path);
        assert!(matches!(path(&[("share", "data")]), Ok(path) if path == "/data"));
        let beneath = [("share", "/data/"), ("path", "a/b/")];
        assert!(matches!(path(&beneath), Ok(path) if path == "/data/a/b"));
        assert!(path(&[("share", "data/a")]).is_err());
        assert!(path(&[]).is_err());
    }

    #[test]
    fn options_are_the_volumes_and_then_the_mounters() {
        let context = pairs(&[("mountOptions", "vers=3.0, seal")]);
        let texts: Vec<String> = options(Params(&context), &["uid=5".to_owned()])
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.unwrap_or_default()))
            .collect();
        assert_eq!(texts, ["vers=3.0", "seal=", "uid=5"]);
    }
}
