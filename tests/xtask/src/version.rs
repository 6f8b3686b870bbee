//! Other versions of a component that was built: what a hot swap is shown and measured with.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use wasm_encoder::{CodeSection, ComponentSectionId, FunctionSection, RawSection, Section};
use wasmparser::{Parser, Payload};

/// What both modules and components begin with: the magic number and the version.
const HEADER: usize = 8;

/// What every guest of this repository says of itself.
const BUILT: &str = env!("CARGO_PKG_VERSION");

/// The component as it would be if it had been built as that version, which has to be as long as the one it was built as.
pub(crate) fn version(component: &[u8], version: &str) -> Result<Vec<u8>> {
    ensure!(
        version.len() == BUILT.len(),
        "{version:?} is not as long as {BUILT:?}"
    );
    let mut other = component.to_vec();
    let place = place_of_version(component).context("the component does not say its version")?;
    other[place..place + version.len()].copy_from_slice(version.as_bytes());
    Ok(other)
}

/// That of an interface comes after an @ instead.
fn place_of_version(component: &[u8]) -> Option<usize> {
    let mut windows = component.windows(BUILT.len() + 1);
    let found = windows.position(|bytes| bytes[0] != b'@' && &bytes[1..] == BUILT.as_bytes())?;
    Some(found + 1)
}

/// The component with its functions over and over again, until it has at least so many bytes. Nobody calls them, and all
/// of them have to be checked and compiled.
pub(crate) fn grown(component: &[u8], bytes: usize) -> Result<Vec<u8>> {
    let grow = |module: &mut Functions<'_>| {
        let size: usize = module.bodies.iter().map(|body| body.len()).sum();
        let times = bytes.div_ceil(size.max(1));
        module.types = module.types.repeat(times);
        module.bodies = module.bodies.repeat(times);
    };
    with_functions(component, grow)
}

/// The component, whose every function ends in a trap.
pub(crate) fn trapping(component: &[u8]) -> Result<Vec<u8>> {
    /// No locals, `unreachable`, `end`.
    const TRAP: &[u8] = &[0x00, 0x00, 0x0b];
    with_functions(component, |module| module.bodies.fill(TRAP))
}

/// What a module defines: each function's type, and its code.
#[derive(Default)]
struct Functions<'a> {
    types: Vec<u32>,
    bodies: Vec<&'a [u8]>,
}

/// With other functions in its first module, which is the guest; those behind it are glue.
fn with_functions(component: &[u8], change: impl Fn(&mut Functions<'_>)) -> Result<Vec<u8>> {
    let mut other = component[..HEADER].to_vec();
    let (mut depth, mut is_done) = (0, false);
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        if let Some((id, range)) = payload.as_section().filter(|_| depth == 1) {
            let mut data = part(component, &range)?.to_vec();
            if id == u8::from(ComponentSectionId::CoreModule) && !is_done {
                data = module_with_functions(&data, &change)?;
                is_done = true;
            }
            RawSection { id, data: &data }.append_to(&mut other);
        }
        let (begins, ends) = (
            matches!(payload, Payload::Version { .. }),
            matches!(payload, Payload::End(_)),
        );
        depth += i32::from(begins) - i32::from(ends);
    }
    ensure!(is_done, "the component has no module");
    Ok(other)
}

fn module_with_functions(module: &[u8], change: impl Fn(&mut Functions<'_>)) -> Result<Vec<u8>> {
    let mut defined = Functions::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::FunctionSection(functions) = payload {
            defined.types = functions.into_iter().collect::<Result<_, _>>()?;
        } else if let Payload::CodeSectionEntry(body) = payload {
            defined.bodies.push(part(module, &body.range())?);
        }
    }
    change(&mut defined);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for (index, body) in defined.types.iter().zip(defined.bodies) {
        functions.function(*index);
        code.raw(body);
    }
    let mut other = module[..HEADER].to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if matches!(payload, Payload::FunctionSection(_)) {
            functions.append_to(&mut other);
        } else if matches!(payload, Payload::CodeSectionStart { .. }) {
            code.append_to(&mut other);
        } else if let Some((id, range)) = payload.as_section() {
            let data = part(module, &range)?;
            RawSection { id, data }.append_to(&mut other);
        }
    }
    Ok(other)
}

fn part<'a>(binary: &'a [u8], range: &Range<u64>) -> Result<&'a [u8]> {
    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
    binary
        .get(range)
        .context("a section is not where it should be")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        Component, Function, Instruction, Module, ModuleSection, TypeSection, ValType,
    };

    fn component() -> Vec<u8> {
        let (mut types, mut functions, mut code) = (
            TypeSection::new(),
            FunctionSection::new(),
            CodeSection::new(),
        );
        types.ty().function([], [ValType::I64]);
        functions.function(0);
        let mut body = Function::new([]);
        body.instruction(&Instruction::I64Const(i64::MAX));
        body.instruction(&Instruction::End);
        code.function(&body);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        component.finish()
    }

    #[test]
    fn a_grown_component_is_valid_and_as_large_as_was_asked_for() {
        let grown = grown(&component(), 100_000).expect("it has a function");
        assert!((100_000..200_000).contains(&grown.len()), "{}", grown.len());
        wasmparser::Validator::new()
            .validate_all(&grown)
            .expect("valid");
    }

    #[test]
    fn a_trapping_component_is_valid() {
        let built = component();
        let trapping = trapping(&built).expect("it has a function");
        assert!(trapping.len() < built.len());
        wasmparser::Validator::new()
            .validate_all(&trapping)
            .expect("valid");
    }

    #[test]
    fn another_version_differs_in_its_own_version_alone() {
        let built = format!("drivebay:driver/log@{BUILT}local{BUILT}mounts");
        let other = version(built.as_bytes(), "7.8.9").expect("there");
        let expected = format!("drivebay:driver/log@{BUILT}local7.8.9mounts");
        assert_eq!(String::from_utf8(other).expect("text"), expected);
        version(built.as_bytes(), "10.0.0").expect_err("it would move what lies behind");
        version(b"log@0.1.0", "7.8.9").expect_err("that is an interface's");
    }
}
