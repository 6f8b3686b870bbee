//! Which crates are linked into what an image holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::components::SHIPPED;
use crate::architecture::Architecture;
use crate::build;
use crate::guests;
use crate::process::{answer, command};
use crate::workspace::Workspace;

/// A binary or a component, and what cargo linked into it.
pub(super) struct Linked {
    pub(super) name: &'static str,
    pub(super) crates: Vec<Crate>,
}

/// As Cargo.lock has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// An expression of SPDX; some old crates have a slash for its OR.
    pub(super) licence: String,
    /// SHA-256 of its archive; none where it is this repository's own.
    pub(super) checksum: Option<String>,
}

/// Of everything, in a fixed order.
pub(super) fn all(workspace: &Workspace, architecture: Architecture) -> Result<Vec<Linked>> {
    let (host, target) = (workspace.root(), architecture.target());
    let locked = checksums(&host.join("Cargo.lock"))?;
    let mut all = Vec::new();
    let library = standard_library(answer(command("rustc").arg("--version"))?.trim())?;
    for binary in build::shipped() {
        let arguments = [&["--target", target][..], &binary.chosen].concat();
        let mut crates = tree(host, binary.package, &arguments, &locked)?;
        crates.push(library.clone());
        all.push(Linked {
            name: binary.name,
            crates,
        });
    }
    let locked = checksums(&workspace.guests().join("Cargo.lock"))?;
    for name in SHIPPED {
        let arguments = ["--package", name, "--target", guests::TARGET];
        let mut crates = tree(&workspace.guests(), name, &arguments, &locked)?;
        crates.push(standard_library(&guests::compiler()?)?);
        all.push(Linked { name, crates });
    }
    Ok(all)
}

/// Rust's own, which no lock has, from `rustc 1.95.0 (…)`.
fn standard_library(rustc: &str) -> Result<Crate> {
    let version = rustc.split(' ').nth(1);
    Ok(Crate {
        name: "std".to_owned(),
        version: version
            .context("rustc does not say its version")?
            .to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        checksum: None,
    })
}

/// What is compiled into one of the packages that are chosen; procedural macros, and what they are made of, run in the
/// compiler alone.
fn tree(
    directory: &Path,
    package: &str,
    arguments: &[&str],
    locked: &Checksums,
) -> Result<Vec<Crate>> {
    let mut cargo = command("cargo");
    cargo
        .current_dir(directory)
        .args(["tree", "--edges", "normal,no-proc-macro", "--no-dedupe"])
        .args(["--prefix", "none", "--format", "{p}\t{l}"])
        .args(arguments);
    let trees = answer(&mut cargo)?;
    crates(tree_of(package, &trees)?, locked)
}

/// The one of cargo's trees, which an empty line parts, that begins with that package.
fn tree_of<'a>(package: &str, trees: &'a str) -> Result<&'a str> {
    let begins = |tree: &&str| tree.split(' ').next() == Some(package);
    let tree = trees.split("\n\n").find(begins);
    tree.with_context(|| format!("cargo has no tree of {package}"))
}

/// From lines such as `serde v1.0.1 (a path)<TAB>MIT OR Apache-2.0`, each crate once.
fn crates(lines: &str, locked: &Checksums) -> Result<Vec<Crate>> {
    let mut crates = Vec::new();
    for line in lines.lines() {
        let unread = || format!("cannot read cargo's line {line:?}");
        let (package, licence) = line.split_once('\t').with_context(unread)?;
        let mut words = package.split(' ');
        let (name, version) = words.next().zip(words.next()).with_context(unread)?;
        let version = version.strip_prefix('v').with_context(unread)?;
        let key = (name.to_owned(), version.to_owned());
        crates.push(Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.replace('/', " OR "),
            checksum: locked.get(&key).cloned(),
        });
    }
    crates.sort();
    crates.dedup();
    Ok(crates)
}

type Checksums = BTreeMap<(String, String), String>;

fn checksums(lock: &Path) -> Result<Checksums> {
    let text =
        fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    Ok(text.split("[[package]]").filter_map(checksum).collect())
}

fn checksum(package: &str) -> Option<((String, String), String)> {
    let value = |key: &str| {
        let mut lines = package.lines();
        let quoted = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(quoted.trim_matches('"').to_owned())
    };
    Some(((value("name")?, value("version")?), value("checksum")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_is_told_once_with_its_checksum() {
        let lock = "version = 4\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nchecksum = \"c0ffee\"\n\n\
                    [[package]]\nname = \"drivebay\"\nversion = \"0.1.0\"\n";
        let locked: Checksums = lock.split("[[package]]").filter_map(checksum).collect();
        let lines = "drivebay v0.1.0 (/src/host)\tApache-2.0\nserde v1.0.1\tMIT/Apache-2.0\n\
                     serde v1.0.1\tMIT/Apache-2.0\n";
        let crates = crates(lines, &locked).unwrap();
        let [own, serde] = crates.as_slice() else {
            panic!("{crates:?}");
        };
        assert_eq!(
            (own.name.as_str(), own.checksum.as_deref()),
            ("drivebay", None)
        );
        assert_eq!(serde.licence, "MIT OR Apache-2.0");
        assert_eq!(serde.checksum.as_deref(), Some("c0ffee"));
    }

    #[test]
    fn of_several_trees_that_of_the_package_is_taken() {
        let trees = "drivebay v0.1.0\nserde v1.0.1\n\ndrivebay-provision v0.1.0\ndrivebay v0.1.0\n";
        assert_eq!(
            tree_of("drivebay", trees).unwrap(),
            "drivebay v0.1.0\nserde v1.0.1"
        );
        assert!(tree_of("serde", trees).is_err());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        assert!(crates("serde 1.0.1\tMIT", &Checksums::new()).is_err());
    }
}
