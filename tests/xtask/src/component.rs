//! From a core module to a component: what `wasm-tools component new` does, without the tool.

use anyhow::Result;
use wasm_encoder::{RawSection, Section};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The custom sections in which wit-bindgen leaves the interfaces' types for the encoder.
const TYPES: &str = "component-type";

/// What both modules and components begin with: the magic number and the version.
const HEADER: usize = 8;

/// Turns a module built by wit-bindgen into a valid component, without names and other ballast.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    let module = slimmed(module, |section| section.starts_with(TYPES))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()?;
    slimmed(&component, |_| false)
}

/// A module or a component without those of its own custom sections that are not to be kept.
///
/// Such sections have no meaning to an engine; what is inside a component's modules stays as it is.
fn slimmed(binary: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
    let mut slim = binary.iter().take(HEADER).copied().collect();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(binary) {
        let payload = payload?;
        let is_ballast = matches!(&payload, Payload::CustomSection(custom) if !keep(custom.name()));
        if let Some((id, range)) = payload.as_section().filter(|_| depth == 1 && !is_ballast) {
            let data = &binary[usize::try_from(range.start)?..usize::try_from(range.end)?];
            RawSection { id, data }.append_to(&mut slim);
        }
        let (begins, ends) = (
            matches!(payload, Payload::Version { .. }),
            matches!(payload, Payload::End(_)),
        );
        depth += i32::from(begins) - i32::from(ends);
    }
    Ok(slim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{Component, CustomSection, Module, ModuleSection};

    fn module() -> Module {
        let mut module = Module::new();
        for name in ["name", "component-type:guest"] {
            module.section(&CustomSection {
                name: name.into(),
                data: b"data".into(),
            });
        }
        module
    }

    #[test]
    fn only_interface_types_survive_among_a_modules_custom_sections() {
        let slim = slimmed(&module().finish(), |name| name.starts_with(TYPES)).unwrap();
        let text = String::from_utf8_lossy(&slim);
        assert!(text.contains("component-type:guest") && !text.contains("name"));
    }

    #[test]
    fn modules_in_a_component_stay_as_they_are() {
        let mut component = Component::new();
        component.section(&ModuleSection(&module()));
        let lean = component.clone().finish();
        component.section(&CustomSection {
            name: "component-name".into(),
            data: b"data".into(),
        });
        assert_eq!(slimmed(&component.finish(), |_| false).unwrap(), lean);
    }
}
