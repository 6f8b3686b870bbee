//! What a skeleton is put together of. Pure: nothing is written here.
//!
//! Its own files lie in `guests/templates`, in the folders of its language and its kind and of all languages and all
//! kinds. What a file of one name says in several of them comes one after the other. `{{name}}` in a name or a text is
//! the driver's name, `{{package}}` what cargo calls it, and the others are versions of tools.

use std::collections::BTreeMap;

use super::language::{Kind, Language};
use super::versions::versions;

/// Texts by their paths in the skeleton.
pub(super) type Files = BTreeMap<String, String>;

/// All that skeletons are made of; `build.rs` lists it.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/skeletons.rs"));

const EVERY_LANGUAGE: &str = "every-language";
const EVERY_KIND: &str = "every-kind";

/// Packages beside the driver's in a skeleton in Rust.
const OTHER_PACKAGES: [&str; 2] = ["componentize", "drivebay-guest"];

/// One that there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skeleton {
    language: Language,
    kind: Kind,
}

impl Skeleton {
    /// A language has a kind where it has a folder for it.
    pub(super) fn find(language: Language, kind: Kind) -> Option<Self> {
        let own = folder(language.name(), kind.name());
        beneath(&own)
            .next()
            .is_some()
            .then_some(Self { language, kind })
    }

    /// As they are written.
    pub(super) fn files(self, name: &str) -> Files {
        let mut files = Files::new();
        for folder in self.folders() {
            for (path, text) in beneath(&folder) {
                let path = filled(path, name);
                files.entry(path).or_default().push_str(&filled(text, name));
            }
        }
        files.extend(self.ours());
        files
    }

    /// In the order in which their texts follow each other.
    fn folders(self) -> [String; 4] {
        let (language, kind) = (self.language.name(), self.kind.name());
        [
            folder(EVERY_LANGUAGE, kind),
            folder(language, kind),
            folder(language, EVERY_KIND),
            folder(EVERY_LANGUAGE, EVERY_KIND),
        ]
    }

    /// What is not the author's to change: the contract, and in Rust the SDK, as they are, with their licence.
    fn ours(self) -> impl Iterator<Item = (String, String)> {
        let contract = match self.language {
            // Where the SDK looks for it.
            Language::Rust => "wit/",
            Language::C | Language::Go | Language::Js | Language::Python => "wit/deps/drivebay/",
        };
        let sdk: &[(&str, &str)] = match self.language {
            Language::Rust => &[
                ("sdk/Cargo.toml", "vendor/drivebay-guest/Cargo.toml"),
                ("sdk/src/", "vendor/drivebay-guest/src/"),
                ("sdk/wit/", "vendor/drivebay-guest/wit/"),
                ("LICENSE", "vendor/drivebay-guest/LICENSE"),
                // With which the SDK is tested. cargo leaves out what nobody needs.
                ("Cargo.lock", "Cargo.lock"),
            ],
            Language::C | Language::Go | Language::Js | Language::Python => &[],
        };
        let licence = format!("{contract}LICENSE");
        copied("wit/", contract)
            .chain(copied("LICENSE", &licence))
            .chain(sdk.iter().flat_map(|(from, to)| copied(from, to)))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn folder(language: &str, kind: &str) -> String {
    format!("templates/{language}/{kind}/")
}

/// What lies there, by its name from there.
fn beneath(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED
        .iter()
        .filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, *text)))
}

/// A file, or what lies beneath a folder, in another place.
fn copied(from: &str, to: &str) -> impl Iterator<Item = (String, String)> {
    beneath(from).map(move |(rest, text)| (format!("{to}{rest}"), text.to_owned()))
}

/// With the values in the place of their names.
fn filled(text: &str, name: &str) -> String {
    let own = [("name", name), ("package", &package(name))];
    let text = own.into_iter().fold(text.to_owned(), put);
    let tools = beneath("templates/versions").flat_map(|(_, text)| versions(text));
    tools.fold(text, put)
}

fn put(text: String, (word, value): (&str, &str)) -> String {
    text.replace(&format!("{{{{{word}}}}}"), value)
}

/// What cargo takes for a package's name, and no other package here has.
fn package(name: &str) -> String {
    let plain = name.replace('.', "-");
    let begins = plain.starts_with(|c: char| c.is_ascii_alphabetic());
    match begins && !OTHER_PACKAGES.contains(&&*plain) {
        true => plain,
        false => format!("backend-{plain}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use drivebay::config::parse_driver;

    use super::*;

    fn all() -> impl Iterator<Item = Skeleton> {
        let kinds = |language| {
            Kind::ALL
                .into_iter()
                .filter_map(move |kind| Skeleton::find(language, kind))
        };
        Language::ALL.into_iter().flat_map(kinds)
    }

    /// Words in double braces; languages have braces of their own.
    fn unfilled(text: &str) -> Option<&str> {
        text.split("{{")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once("}}")?.0))
            .find(|word| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    }

    #[test]
    fn every_language_has_directories() {
        for language in Language::ALL {
            assert!(
                Skeleton::find(language, Kind::Directory).is_some(),
                "{language}"
            );
        }
    }

    #[test]
    fn each_builds_by_one_command_and_explains_itself() {
        for skeleton in all() {
            let files = skeleton.files("shelf");
            for file in [
                "build.sh",
                "test.sh",
                "README.md",
                "shelf.toml",
                ".gitignore",
            ] {
                assert!(files.contains_key(file), "{skeleton:?} has no {file}");
            }
            let page = files["README.md"].lines().count();
            assert!(page <= 70, "{skeleton:?}: README.md has {page} lines");
        }
    }

    #[test]
    fn all_names_are_filled_in() {
        for skeleton in all() {
            for (path, text) in skeleton.files("shelf") {
                assert_eq!(unfilled(&text), None, "{skeleton:?}: {path}");
                assert_eq!(unfilled(&path), None, "{skeleton:?}");
            }
        }
    }

    #[test]
    fn every_version_is_somebodys() {
        let texts: Vec<&str> = beneath("templates/").map(|(_, text)| text).collect();
        for (tool, _) in beneath("templates/versions").flat_map(|(_, text)| versions(text)) {
            let word = format!("{{{{{tool}}}}}");
            assert!(
                texts.iter().any(|text| text.contains(&word)),
                "nobody asks for {tool}"
            );
        }
    }

    #[test]
    fn a_drivers_file_is_valid_and_for_the_component_that_is_built() {
        for skeleton in all() {
            let files = skeleton.files("shelf");
            let driver = parse_driver(Path::new("shelf.toml"), &files["shelf.toml"])
                .unwrap_or_else(|error| panic!("{skeleton:?}: {error}"));
            assert_eq!(driver.component, "shelf");
            assert!(files["build.sh"].contains("shelf.wasm"), "{skeleton:?}");
        }
    }

    #[test]
    fn the_sdk_and_its_tools_are_those_that_are_tested_here() {
        let guests = include_str!("../../../../guests/Cargo.toml");
        let lock = include_str!("../../../../guests/Cargo.lock");
        let tool = |name: &str| {
            let mut all = beneath("templates/versions").flat_map(|(_, text)| versions(text));
            let (_, version) = all.find(|(tool, _)| *tool == name).expect("listed");
            version
        };
        let bindgen = format!("wit-bindgen = {{ version = \"{}\"", tool("wit-bindgen"));
        assert!(guests.contains(&bindgen), "{bindgen}");
        let component = format!(
            "name = \"wit-component\"\nversion = \"{}.",
            tool("wit-component")
        );
        assert!(lock.contains(&component), "{component}");
        let rust = format!("rust-version = \"{}\"", tool("rust"));
        assert!(guests.contains(&rust), "{rust}");
        let lock = Skeleton::find(Language::Js, Kind::Directory).expect("there");
        let lock = &lock.files("shelf")["package-lock.json"];
        for package in ["componentize-js", "jco"] {
            let line = format!(
                "node_modules/@bytecodealliance/{package}\": {{\n      \"version\": \"{}\"",
                tool(package)
            );
            assert!(lock.contains(&line), "{line}");
        }
    }

    #[test]
    fn bindings_in_go_are_of_the_runtime_that_is_fetched() {
        let go = Skeleton::find(Language::Go, Kind::Directory).expect("there");
        let required = &go.files("shelf")["go.mod"];
        let runtime = wit_bindgen_go::remote_pkg_version();
        assert!(required.contains(&runtime), "{required} lacks {runtime}");
    }

    #[test]
    fn cargo_takes_every_name() {
        for (name, is) in [
            ("shelf", "shelf"),
            ("a.b", "a-b"),
            ("9p", "backend-9p"),
            ("drivebay-guest", "backend-drivebay-guest"),
        ] {
            assert_eq!(package(name), is);
        }
    }
}
