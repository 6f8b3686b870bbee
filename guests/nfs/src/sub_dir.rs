//! The parameter `subDir`, with what it asks for filled in. Pure.

use drivebay_guest::parameters::Text;
use drivebay_guest::prelude::*;

use crate::parameter_names as names;

/// What a template may ask for behind a dollar, and the parameter that has it.
const TEMPLATES: [(&str, Text); 3] = [
    ("{pvc.metadata.name}", names::PVC_NAME),
    ("{pvc.metadata.namespace}", names::PVC_NAMESPACE),
    ("{pv.metadata.name}", names::PV_NAME),
];

/// The directory below the share that was chosen, if one was.
pub(crate) fn chosen(params: Params<'_>) -> Result<Option<SubDir>, Error> {
    let Some(written) = params.get(names::SUB_DIR) else {
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
            bail!(InvalidArgument: "{} asks for ${template}, and there is no {parameter}: have the provisioner pass it \
                (--extra-create-metadata)", names::SUB_DIR);
        };
        filled += value;
        filled += rest;
    }
    SubDir::parse(names::SUB_DIR.name(), &filled).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sub_dir: &str, parameters: &[(&str, &str)]) -> Result<Option<SubDir>, Error> {
        let all = [&[(names::SUB_DIR.name(), sub_dir)], parameters].concat();
        let pairs: Vec<_> = all.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        chosen(Params(&pairs))
    }

    #[test]
    fn templates_are_filled_in() {
        let metadata = [
            (names::PVC_NAMESPACE.name(), "shop"),
            (names::PVC_NAME.name(), "data"),
            (names::PV_NAME.name(), "pvc-1"),
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
        assert!(matches!(error, Error::InvalidArgument(m) if m.contains(names::PVC_NAME.name())));
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
        let out = filled(
            "a/${pvc.metadata.name}",
            &[(names::PVC_NAME.name(), "../..")],
        );
        assert!(out.is_err());
    }
}
