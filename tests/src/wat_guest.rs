//! Guests as text: core WebAssembly of a dozen lines, made a component by the contract in `wit/`.
//!
//! Everything a test is not about is here: memory, an allocator, a name, and exports that answer. What a
//! test adds is what the guest does when it is asked to stage a volume, in the canonical ABI as it lies in
//! memory: results at [`RESULT`], strings where the test put them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId, WorldItem};

use crate::repository;
use crate::told_answer::Answers;

/// Where the result of `stage-volume` lies. A host function told to put its own result here passes its
/// error on: the layouts are the same.
pub const RESULT: u32 = 64;

/// A guest that does what the contract asks and nothing else, until told otherwise.
#[derive(Debug, Clone)]
pub struct WatGuest {
    name: String,
    version: String,
    contract: String,
    packages: String,
    imports: String,
    exports: String,
    core: String,
    describe: String,
    stage: String,
    changes: Vec<(String, String)>,
    answers: Vec<(String, Value)>,
    granted_answers: Vec<(String, Value)>,
    source: Option<PathBuf>,
}

/// Whether the endpoint `cloud` is granted, which a guest finds out by opening it.
const IS_GRANTED: &str = r#"
    (import "drivebay:driver/https@0.1.0" "open-endpoint" (func $open_endpoint (param i32 i32 i32)))
    (data (i32.const 480) "cloud")
    (func $is_granted (result i32)
        (call $open_endpoint (i32.const 480) (i32.const 5) (i32.const 256))
        (i32.eqz (i32.load8_u (i32.const 256))))
"#;

impl WatGuest {
    /// It says that volumes are in place, and mounts nothing.
    pub fn named(name: &str) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            name: text(name),
            version: text("1.0.0"),
            contract: text("0.1.0"),
            packages: String::new(),
            imports: String::new(),
            exports: text("identity node"),
            core: String::new(),
            describe: String::new(),
            stage: String::new(),
            changes: Vec::new(),
            answers: Vec::new(),
            granted_answers: Vec::new(),
            source: None,
        }
    }

    /// The guest's own version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Another version of the contract.
    #[must_use]
    pub fn contract(mut self, version: &str) -> Self {
        version.clone_into(&mut self.contract);
        self
    }

    /// The interfaces it exports, by their short names; `identity node` otherwise.
    #[must_use]
    pub fn exports(mut self, names: &str) -> Self {
        names.clone_into(&mut self.exports);
        self
    }

    /// An interface of the contract that it imports, by its short name.
    #[must_use]
    pub fn imports(mut self, name: &str) -> Self {
        self.imports
            .push_str(&format!("import drivebay:driver/{name}@VERSION;\n"));
        self
    }

    /// A foreign package in WIT, `package a:b@1.0.0 { … }`, and the interface of it that is imported.
    #[must_use]
    pub fn imports_foreign(mut self, package: &str, interface: &str) -> Self {
        self.packages.push_str(package);
        self.imports.push_str(&format!("import {interface};\n"));
        self
    }

    /// Adds to the core module: imports of host functions, data, globals, functions, a start function.
    #[must_use]
    pub fn core(mut self, text: &str) -> Self {
        self.core.push_str(text);
        self
    }

    /// A contract that is another one in that place of its text, which has to be there.
    #[must_use]
    pub fn changing(mut self, from: &str, to: &str) -> Self {
        self.changes.push((from.to_owned(), to.to_owned()));
        self
    }

    /// What `interface.function` answers: records as objects, lists and tuples as lists, an option's nothing as null, a
    /// case as its name or as an object with what it holds. What is exported and told no answer says `unsupported`.
    #[must_use]
    pub fn answers(mut self, function: &str, answer: Value) -> Self {
        self.answers.push((function.to_owned(), answer));
        self
    }

    /// What `interface.function` answers where the driver has been granted the endpoint `cloud`, and `unsupported` where
    /// it has not: a self-test, in which nothing is granted, hears no lie.
    #[must_use]
    pub fn answers_if_granted(mut self, function: &str, answer: Value) -> Self {
        if self.granted_answers.is_empty() {
            self = self.imports("https").core(IS_GRANTED);
        }
        self.granted_answers.push((function.to_owned(), answer));
        self
    }

    /// What `describe` does before it answers.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        text.clone_into(&mut self.describe);
        self
    }

    /// What `stage-volume` does. `$id` and `$id_length`, `$context` and `$context_length` are the volume's,
    /// `$target` is the handle, which is dropped afterwards; the answer is at [`RESULT`], success at first.
    #[must_use]
    pub fn stage(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stage);
        self
    }

    /// Carries the lines of its text with it, as those of a file of that name.
    #[must_use]
    pub fn source(mut self, file: &str) -> Self {
        self.source = Some(PathBuf::from(file));
        self
    }

    /// The line of its text that these words stand on.
    #[track_caller]
    pub fn line_of(&self, words: &str) -> usize {
        let (_, _, text) = self.text();
        let line = text.lines().position(|line| line.contains(words));
        line.expect("it says so") + 1
    }

    /// The component, written to a file of that name in a directory.
    pub fn write(&self, file: PathBuf) -> PathBuf {
        fs::write(&file, self.component()).expect("writable");
        file
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let (resolve, world, text) = self.text();
        let mut parser = wat::Parser::new();
        if self.source.is_some() {
            parser.generate_dwarf(wat::GenerateDwarf::Lines);
        }
        let module = parser.parse_str(self.source.as_deref(), &text);
        let mut module = module.unwrap_or_else(|error| panic!("{error}\n{text}"));
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("a module");
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder
            .validate(true)
            .module(&module)
            .expect("a module of this world");
        encoder
            .encode()
            .unwrap_or_else(|error| panic!("{error:?}\n{text}"))
    }

    fn text(&self) -> (Resolve, WorldId, String) {
        let mut resolve = Resolve::default();
        let package = resolve
            .push_str("hostile.wit", &self.wit())
            .expect("valid WIT");
        let world = resolve
            .select_world(&[package], Some("guest"))
            .expect("the world is there");
        let text = self.module(&resolve, world);
        (resolve, world, text)
    }

    /// The contract, the foreign packages, and the world of this guest, as one text.
    fn wit(&self) -> String {
        let files = fs::read_dir(repository().join("wit")).expect("the contract is there");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
        files.sort();
        let contract: String = files
            .iter()
            .map(|file| fs::read_to_string(file).expect("readable"))
            .collect();
        let contract = contract.replace("package drivebay:driver@0.1.0;", "");
        let contract = self.changes.iter().fold(contract, |contract, (from, to)| {
            assert!(contract.contains(from), "the contract has no {from:?}");
            contract.replace(from, to)
        });
        let Self {
            contract: version,
            packages,
            imports,
            exports,
            ..
        } = self;
        let exports = exports
            .split_whitespace()
            .map(|name| format!("export drivebay:driver/{name}@{version};\n"));
        let exports: String = exports.collect();
        let imports = imports.replace("@VERSION", &format!("@{version}"));
        format!(
            "package test:hostile;\npackage drivebay:driver@{version} {{\n{contract}\n}}\n{packages}\nworld guest {{\n{imports}{exports}}}\n"
        )
    }

    /// The functions that answer what they were told, and the data and pages of memory for that.
    fn told(&self, resolve: &Resolve, world: WorldId) -> (String, String, usize) {
        let mut answers = Answers::new(resolve);
        let mut functions = String::new();
        for item in resolve.worlds[world].exports.values() {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = &resolve.interfaces[*id];
            let short = interface.name.as_deref().expect("named");
            for function in interface.functions.values() {
                let name = format!("{short}.{}", function.name);
                let export = format!("drivebay:driver/{short}@0.1.0#{}", function.name);
                let mut granted = self.granted_answers.iter();
                if let Some((_, lie)) = granted.find(|(function, _)| *function == name) {
                    functions.push_str(&answers.choosing_function(
                        &export,
                        function,
                        "(call $is_granted)",
                        [lie, &unsupported()],
                    ));
                } else if let Some(answer) = self.answer(&name) {
                    functions.push_str(&answers.function(&export, function, &answer));
                }
            }
        }
        let (data, pages) = answers.data();
        (functions, data, pages)
    }

    /// None where the function is written out.
    fn answer(&self, name: &str) -> Option<Value> {
        let told = self.answers.iter().find(|(function, _)| function == name);
        if let Some((_, answer)) = told {
            return Some(answer.clone());
        }
        let function = name.split_once('.').map_or(name, |(_, function)| function);
        let is_written = name == "identity.describe"
            || name == "node.stage-volume"
            || self.core.contains(&format!("#{function}\""));
        (!is_written).then(unsupported)
    }

    fn module(&self, resolve: &Resolve, world: WorldId) -> String {
        let Self {
            name,
            version,
            core,
            describe,
            stage,
            ..
        } = self;
        let has = |interface: &str| {
            self.exports
                .split_whitespace()
                .any(|name| name == interface)
        };
        let identity = format!(
            r#"(func (export "drivebay:driver/identity@0.1.0#describe") (result i32) {describe} (i32.const 16))"#
        );
        let node = format!(
            r#"
            (import "drivebay:driver/mounts@0.1.0" "[resource-drop]target" (func $drop_target (param i32)))
            (func (export "drivebay:driver/node@0.1.0#stage-volume")
                (param $id i32) (param $id_length i32) (param $context i32) (param $context_length i32)
                (param i32 i32 i32 i32 i32 i32 i32 i32) (param $target i32) (result i32)
                {stage}
                (call $drop_target (local.get $target))
                (i32.const {RESULT}))
            "#
        );
        let is_described = self
            .answers
            .iter()
            .all(|(name, _)| name != "identity.describe");
        let (told, data, pages) = self.told(resolve, world);
        let pages = pages.max(4);
        // The text format wants all imports first.
        let parts = [
            core.as_str(),
            if has("identity") && is_described {
                &identity
            } else {
                ""
            },
            &told,
            if has("node") { &node } else { "" },
        ];
        let (imports, definitions) = split_imports(&parts.join("\n"));
        let (name_length, version_length) = (name.len(), version.len());
        let version_at = 512 + name_length;
        let module = format!(
            r#"(module
            {imports}
            (memory (export "memory") {pages})
            (global $free (mut i32) (i32.const 65536))
            (func $allocate (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get $size))))
            (data (i32.const 512) "{name}{version}")
            (data (i32.const 16) "{}")
            {data}
            {definitions})"#,
            words(&[
                512,
                name_length,
                version_at,
                version_length,
                512,
                name_length,
                0,
                0
            ])
        );
        module.replace("@0.1.0", &format!("@{}", self.contract))
    }
}

fn unsupported() -> Value {
    serde_json::json!({"err": {"unsupported": "it was told no answer"}})
}

/// Little-endian words, as they stand in a data segment.
fn words(values: &[usize]) -> String {
    let bytes = values
        .iter()
        .flat_map(|value| u32::try_from(*value).expect("small").to_le_bytes());
    bytes.map(|byte| format!("\\{byte:02x}")).collect()
}

/// Lines that begin with `(import` stand on one line each.
fn split_imports(text: &str) -> (String, String) {
    let (imports, definitions): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.trim_start().starts_with("(import"));
    (imports.join("\n"), definitions.join("\n"))
}

/// A core function that belongs to another interface: `attach`, `detach` and the like answer alike.
impl WatGuest {
    /// Exports `attachment` too; attaching returns nothing for the node, detaching does what the text says
    /// before it answers with what lies at [`RESULT`].
    #[must_use]
    pub fn attaches(self, detach: &str) -> Self {
        let functions = format!(
            r#"
            (func (export "drivebay:driver/attachment@0.1.0#attach-volume")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const {RESULT}))
            (func (export "drivebay:driver/attachment@0.1.0#detach-volume")
                (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {detach} (i32.const {RESULT}))
            (func (export "drivebay:driver/attachment@0.1.0#is-attached")
                (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const {RESULT}))
            "#
        );
        self.exports("identity attachment node").core(&functions)
    }

    /// Fails with the text at an address, as the contract's `error` of that number.
    pub fn failing(case: u32, address: u32, length: usize) -> String {
        let store = |offset: u32, value: usize| {
            format!(
                "(i32.store (i32.const {}) (i32.const {value})) ",
                RESULT + offset
            )
        };
        store(0, 1) + &store(4, case as usize) + &store(8, address as usize) + &store(12, length)
    }
}
