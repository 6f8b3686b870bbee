//! What the volume's parameters say.

use crate::bindings::drivebay::driver::mounts::{MountOption, RemoteSource};
use crate::bindings::drivebay::driver::types::Error;

pub(crate) const SERVER: &str = "server";
pub(crate) const SHARE: &str = "share";
pub(crate) const PATH: &str = "path";
pub(crate) const OPTIONS: &str = "mountOptions";

type Pairs = [(String, String)];

/// Which directory of which share.
pub(crate) fn source(context: &Pairs) -> Result<RemoteSource, Error> {
    let share = get(context, SHARE).unwrap_or_default().trim_matches('/');
    if share.is_empty() || share.contains('/') {
        return Err(Error::InvalidArgument(format!(
            "{SHARE} {share:?} is not the name of one share; what is beneath it goes into {PATH}"
        )));
    }
    let path = get(context, PATH).unwrap_or_default().trim_matches('/');
    Ok(RemoteSource {
        fs_type: "cifs".into(),
        server: get(context, SERVER).unwrap_or_default().into(),
        path: match path {
            "" => format!("/{share}"),
            path => format!("/{share}/{path}"),
        },
    })
}

/// Those of the volume, and those of whoever mounts it.
pub(crate) fn options(context: &Pairs, given: &[String]) -> Vec<MountOption> {
    let own = get(context, OPTIONS).unwrap_or_default().split(',');
    let all = own.chain(given.iter().map(String::as_str));
    let words = all.map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (name.into(), Some(value.into())),
            None => (word.into(), None),
        })
        .collect()
}

fn get<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    Some(value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_share_is_one_name_and_the_rest_is_a_path_on_it() {
        let path = |pairs: &[(&str, &str)]| source(&context(pairs)).map(|source| source.path);
        assert!(matches!(path(&[("share", "data")]), Ok(path) if path == "/data"));
        let beneath = [("share", "/data/"), ("path", "a/b/")];
        assert!(matches!(path(&beneath), Ok(path) if path == "/data/a/b"));
        assert!(path(&[("share", "data/a")]).is_err());
        assert!(path(&[]).is_err());
    }

    #[test]
    fn options_are_the_volumes_and_then_the_mounters() {
        let context = context(&[("mountOptions", "vers=3.0, seal")]);
        let texts: Vec<String> = options(&context, &["uid=5".to_owned()])
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.unwrap_or_default()))
            .collect();
        assert_eq!(texts, ["vers=3.0", "seal=", "uid=5"]);
    }
}
