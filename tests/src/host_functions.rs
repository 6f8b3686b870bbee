//! Everything that a guest can call: the contract's interfaces and what is real of WASI, as core imports.

use std::collections::BTreeSet;
use std::fs;

use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, TypeDefKind};

use crate::{WatGuest, repository};

/// Of the contract, those that a host has functions in.
const CONTRACT: [&str; 10] = [
    "block-devices",
    "files",
    "https",
    "log",
    "mounts",
    "secret-keys",
    "secret-mounts",
    "secret-requests",
    "secrets",
    "signing",
];

/// The version of the interfaces in `wasi.wit`.
const WASI_VERSION: &str = "0.2.6";

/// One function, as a core module imports it.
#[derive(Debug)]
pub struct HostFunction {
    /// `wasi:io/poll [method]pollable.block`, `https sleep`.
    pub name: String,
    import: String,
}

/// All of them, with how a text calls each: `$poll/pollable.block`, `$https/sleep`, `$poll/drop-pollable`.
pub fn host_functions() -> Vec<HostFunction> {
    let (contract, wasi) = (contract(), wasi_packages());
    let names = CONTRACT.map(|name| (name, format!("drivebay:driver/{name}@0.1.0")));
    let contract = names
        .iter()
        .flat_map(|(name, module)| of_interface(&contract, name, module));
    let names = interfaces_of_wasi();
    let names = names
        .iter()
        .map(|name| (name, format!("{name}@{WASI_VERSION}")));
    let wasi = names.flat_map(|(name, module)| of_interface(&wasi, name, &module));
    contract.chain(wasi).collect()
}

/// A guest that imports all of them.
pub fn guest_that_imports_all(name: &str) -> WatGuest {
    let guest = CONTRACT
        .into_iter()
        .fold(WatGuest::named(name), WatGuest::imports);
    let mut packages = wasi_text();
    let guest = interfaces_of_wasi().iter().fold(guest, |guest, interface| {
        // Once for all of them.
        let packages = std::mem::take(&mut packages);
        guest.imports_foreign(&packages, &format!("{interface}@{WASI_VERSION}"))
    });
    let imports: Vec<String> = host_functions()
        .into_iter()
        // Every guest has it already.
        .filter(|function| function.name != "mounts [resource-drop]target")
        .map(|function| function.import)
        .collect();
    guest.core(&imports.join("\n"))
}

/// What the host links of WASI, as its own tests hold it against what it defines.
pub fn linked_of_wasi() -> BTreeSet<String> {
    let list = repository().join("host/src/runtime/wasi/functions.txt");
    let list = fs::read_to_string(list).expect("readable");
    list.lines().map(str::to_owned).collect()
}

/// Those of WASI that are no stand-ins.
fn interfaces_of_wasi() -> BTreeSet<String> {
    let linked = linked_of_wasi();
    let interfaces = linked.iter().filter_map(|name| name.split_once(' '));
    interfaces
        .map(|(interface, _)| interface.to_owned())
        .collect()
}

fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(repository().join("wit"))
        .expect("valid WIT");
    resolve
}

fn wasi_text() -> String {
    fs::read_to_string(repository().join("tests/wasi.wit")).expect("readable")
}

fn wasi_packages() -> Resolve {
    let mut resolve = Resolve::default();
    let text = format!("package test:all;\n{}", wasi_text());
    resolve.push_str("wasi.wit", &text).expect("valid WIT");
    resolve
}

fn of_interface(resolve: &Resolve, name: &str, module: &str) -> Vec<HostFunction> {
    let short = name.rsplit('/').next().expect("a name");
    let (_, interface) = resolve
        .interfaces
        .iter()
        .find(|(id, _)| resolve.id_of(*id).as_deref() == Some(module))
        .unwrap_or_else(|| panic!("{module} is not in the WIT"));
    let function = |function: &str, alias: &str, signature: &str| HostFunction {
        name: format!("{name} {function}"),
        import: format!(r#"(import "{module}" "{function}" (func ${short}/{alias} {signature}))"#),
    };
    let drops = interface
        .types
        .iter()
        .filter(|(_, id)| matches!(resolve.types[**id].kind, TypeDefKind::Resource))
        .map(|(resource, _)| {
            let alias = format!("drop-{resource}");
            function(&format!("[resource-drop]{resource}"), &alias, "(param i32)")
        });
    let functions = interface.functions.iter().map(|(name, declared)| {
        let signature = resolve.wasm_signature(AbiVariant::GuestImport, declared);
        let words = |types: &[WasmType]| -> String { types.iter().map(word).collect() };
        let signature = format!(
            "(param{}) (result{})",
            words(&signature.params),
            words(&signature.results)
        );
        function(name, name.trim_start_matches("[method]"), &signature)
    });
    drops.chain(functions).collect()
}

fn word(kind: &WasmType) -> &'static str {
    match kind {
        WasmType::I64 | WasmType::PointerOrI64 => " i64",
        WasmType::F32 => " f32",
        WasmType::F64 => " f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
    }
}
