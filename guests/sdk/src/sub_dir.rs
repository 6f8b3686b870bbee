//! The directory below a share that is a volume. Pure.

use crate::bindings::types::Error;
use crate::parameters::malformed;
use crate::remote_path::RemotePath;

/// Where our own files are, on every share in which volumes are made.
pub const HIDDEN: &str = ".drivebay";

/// One name or several, without slashes at the ends, and never the share itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SubDir(String);

impl SubDir {
    /// Read what `option` holds.
    pub fn parse(option: &str, written: &str) -> Result<Self, Error> {
        let path = RemotePath::parse(option, written)?.to_string();
        let path = path.trim_start_matches('/');
        let refused = |accepted| Err(malformed(option, written, accepted));
        match path.split('/').next().unwrap_or_default() {
            "" => refused("write a directory below the share"),
            // In any letters: a server may take them for the same.
            first if first.eq_ignore_ascii_case(HIDDEN) => {
                refused("that directory is the driver's own")
            }
            // It separates the parts of an id.
            _ if path.contains('#') => refused("# is not accepted"),
            _ => Ok(Self(path.into())),
        }
    }

    /// The path below the share.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first of its names.
    pub fn first(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The directories between the share and this one, the nearest first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0
            .rmatch_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
    }

    /// What remains of it when the volume is deleted and its content is not.
    pub fn archived(&self, suffix: &str) -> String {
        format!("archived-{}{suffix}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_apart() {
        let sub_dir = SubDir::parse("subDir", "/shop//data-pvc-1/").expect("good");
        assert_eq!(sub_dir.as_str(), "shop/data-pvc-1");
        assert_eq!(sub_dir.first(), "shop");
        assert_eq!(sub_dir.parents().collect::<Vec<_>>(), ["shop"]);
        assert_eq!(sub_dir.archived("-x"), "archived-shop/data-pvc-1-x");
    }

    #[test]
    fn what_is_not_below_the_share_is_refused() {
        for bad in [
            "..",
            "a/../../b",
            ".",
            "/",
            "",
            ".drivebay",
            ".drivebay/volumes",
            ".DriveBay/volumes",
            "a#b",
        ] {
            assert!(SubDir::parse("subDir", bad).is_err(), "{bad}");
        }
    }
}
