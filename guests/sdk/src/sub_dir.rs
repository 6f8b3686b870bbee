//! The directory below a share that is a volume. Pure.

use crate::bindings::types::Error;
use crate::parameters::{Params, Text, malformed};
use crate::remote_path::RemotePath;

/// Where our own files are, on every share in which volumes are made.
pub const HIDDEN: &str = ".drivebay";

/// The claim's name, as Kubernetes' provisioner passes it on.
pub const PVC_NAME: Text = Text::new("csi.storage.k8s.io/pvc/name");

/// The namespace of the claim.
pub const PVC_NAMESPACE: Text = Text::new("csi.storage.k8s.io/pvc/namespace");

/// The name of the PersistentVolume.
pub const PV_NAME: Text = Text::new("csi.storage.k8s.io/pv/name");

/// What a template may ask for behind a dollar, and the parameter that has it.
const TEMPLATES: [(&str, Text); 3] = [
    ("{pvc.metadata.name}", PVC_NAME),
    ("{pvc.metadata.namespace}", PVC_NAMESPACE),
    ("{pv.metadata.name}", PV_NAME),
];

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

    /// Read what `option` holds, if it is there, with what it asks for filled in: `${pvc.metadata.name}`,
    /// `${pvc.metadata.namespace}` and `${pv.metadata.name}`, as classes of Kubernetes' own drivers for shares have it.
    pub fn from_template(option: Text, params: Params<'_>) -> Result<Option<Self>, Error> {
        let Some(written) = params.get(option) else {
            return Ok(None);
        };
        // At a character: the library's search for a text is 6 kB.
        let mut pieces = written.split('$');
        let mut filled = String::from(pieces.next().unwrap_or_default());
        for piece in pieces {
            let behind = |(template, parameter): (&'static str, Text)| {
                Some((template, parameter, piece.strip_prefix(template)?))
            };
            let Some((template, parameter, rest)) = TEMPLATES.into_iter().find_map(behind) else {
                filled.push('$');
                filled += piece;
                continue;
            };
            let Some(value) = params.get(parameter) else {
                bail!(InvalidArgument: "{option} asks for ${template}, and there is no {parameter}: have the \
                    provisioner pass it (--extra-create-metadata)");
            };
            filled += value;
            filled += rest;
        }
        Self::parse(option.name(), &filled).map(Some)
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
    use crate::fake::pairs;

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
        let out = filled("a/${pvc.metadata.name}", &[(PVC_NAME.name(), "../..")]);
        assert!(out.is_err());
    }

    fn filled(template: &str, parameters: &[(&str, &str)]) -> Result<Option<SubDir>, Error> {
        let all = [&[("subDir", template)], parameters].concat();
        SubDir::from_template(Text::new("subDir"), Params(&pairs(&all)))
    }

    #[test]
    fn templates_are_filled_in() {
        let metadata = [
            (PVC_NAMESPACE.name(), "shop"),
            (PVC_NAME.name(), "data"),
            (PV_NAME.name(), "pvc-1"),
        ];
        let template = "/${pvc.metadata.namespace}/${pvc.metadata.name}-${pv.metadata.name}/";
        let sub_dir = filled(template, &metadata).expect("good").expect("one");
        assert_eq!(sub_dir.as_str(), "shop/data-pvc-1");
        assert_eq!(sub_dir.first(), "shop");
        assert_eq!(sub_dir.parents().collect::<Vec<_>>(), ["shop"]);
        assert_eq!(sub_dir.archived(""), "archived-shop/data-pvc-1");
        assert_eq!(filled("", &metadata).expect("good"), None);
        let plain = filled("$5/${HOME}", &metadata).expect("good").expect("one");
        assert_eq!(plain.as_str(), "$5/${HOME}");
    }

    #[test]
    fn a_template_without_its_value_is_named() {
        let error = filled("${pvc.metadata.name}", &[]).expect_err("missing");
        assert!(matches!(error, Error::InvalidArgument(m) if m.contains(PVC_NAME.name())));
    }
}
