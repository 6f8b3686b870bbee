//! The directory below a share that is a volume. Pure.

use crate::bindings::drivebay::driver::types::Error;
use crate::parameter_names as names;
use crate::params::Params;
use crate::remote_path::{RemotePath, malformed};

/// Where our own files are, on every share in which volumes are made.
pub(crate) const HIDDEN: &str = ".drivebay";

/// What a template may ask for, and the parameter that has it.
const TEMPLATES: [(&str, &str); 3] = [
    ("${pvc.metadata.name}", names::PVC_NAME),
    ("${pvc.metadata.namespace}", names::PVC_NAMESPACE),
    ("${pv.metadata.name}", names::PV_NAME),
];

/// One name or several, without slashes at the ends, and never the share itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubDir(String);

impl SubDir {
    /// Read what `option` holds.
    pub(crate) fn parse(option: &str, written: &str) -> Result<Self, Error> {
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

    /// The parameter `subDir`, with what it asks for filled in.
    pub(crate) fn from_params(params: &Params<'_>) -> Result<Option<Self>, Error> {
        let Some(written) = params.get(names::SUB_DIR) else {
            return Ok(None);
        };
        let mut filled = String::from(written);
        for (template, parameter) in TEMPLATES
            .into_iter()
            .filter(|(template, _)| written.contains(template))
        {
            let value = params.get(parameter).ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "{} asks for {template}, and there is no {parameter}: have the provisioner pass it \
                     (--extra-create-metadata)",
                    names::SUB_DIR
                ))
            })?;
            filled = filled.replace(template, value);
        }
        Self::parse(names::SUB_DIR, &filled).map(Some)
    }

    /// The path below the share.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first of its names.
    pub(crate) fn first(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The directories between the share and this one, the nearest first.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.0
            .rmatch_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
    }

    /// What remains of it when the volume is deleted and its content is not.
    pub(crate) fn archived(&self, suffix: &str) -> String {
        format!("archived-{}{suffix}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sub_dir: &str, parameters: &[(&str, &str)]) -> Result<Option<SubDir>, Error> {
        let all = [&[(names::SUB_DIR, sub_dir)], parameters].concat();
        let pairs: Vec<_> = all.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        SubDir::from_params(&Params(&pairs))
    }

    #[test]
    fn templates_are_filled_in() {
        let metadata = [
            (names::PVC_NAMESPACE, "shop"),
            (names::PVC_NAME, "data"),
            (names::PV_NAME, "pvc-1"),
        ];
        let template = "/${pvc.metadata.namespace}/${pvc.metadata.name}-${pv.metadata.name}/";
        let sub_dir = filled(template, &metadata).expect("good").expect("one");
        assert_eq!(sub_dir.as_str(), "shop/data-pvc-1");
        assert_eq!(sub_dir.first(), "shop");
        assert_eq!(sub_dir.parents().collect::<Vec<_>>(), ["shop"]);
        assert_eq!(sub_dir.archived(""), "archived-shop/data-pvc-1");
        assert_eq!(filled("", &metadata).expect("good"), None);
    }

    #[test]
    fn a_template_without_its_value_is_named() {
        let error = filled("${pvc.metadata.name}", &[]).expect_err("missing");
        assert!(matches!(error, Error::InvalidArgument(m) if m.contains(names::PVC_NAME)));
    }

    #[test]
    fn what_is_not_below_the_share_is_refused() {
        for bad in [
            "..",
            "a/../../b",
            ".",
            "/",
            ".drivebay",
            ".drivebay/volumes",
            ".DriveBay/volumes",
            "a#b",
        ] {
            assert!(SubDir::parse("subDir", bad).is_err(), "{bad}");
        }
        let out = filled("a/${pvc.metadata.name}", &[(names::PVC_NAME, "../..")]);
        assert!(out.is_err());
    }
}
