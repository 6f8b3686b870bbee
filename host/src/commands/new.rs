//! `drivebay new NAME --language LANGUAGE`: the skeleton of a backend, in a folder of its name.
//!
//! What it is made of is in this program: neither a network nor a checkout is needed. Nothing that is there already is
//! touched.

mod language;
mod skeleton;
mod versions;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;

use language::{Kind, Language};
use skeleton::{Files, Skeleton};

/// Make the skeleton of a storage backend, in a folder of its name: it builds, mounts something, and explains itself.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the driver, its component and the folder are called: small ASCII letters, digits, '-' and '.'
    name: String,
    /// What it is written in
    #[arg(long, value_enum)]
    language: Language,
    /// What its volumes are
    #[arg(long, value_enum, default_value_t = Kind::Directory)]
    kind: Kind,
}

impl New {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            name,
            language,
            kind,
        } = self;
        check(&name)?;
        let Some(skeleton) = Skeleton::find(language, kind) else {
            bail!("cannot make {name}: {}", not_offered(language, kind));
        };
        let files = skeleton.files(&name);
        let folder = PathBuf::from(&name);
        claim(&folder)?;
        write(&folder, &files)?;
        if let Some(bindings) = language.bindings() {
            bindings.write_for(&folder)?;
        }
        say!("{name}/ has the skeleton of a backend in {language}, of kind {kind}. In it:");
        for (script, does) in SCRIPTS {
            if files.contains_key(script) {
                say!("  ./{script:<10} {does}");
            }
        }
        say!("README.md says the rest.");
        Ok(ExitCode::SUCCESS)
    }
}

/// What an author runs, in this order.
const SCRIPTS: [(&str, &str); 3] = [
    ("test.sh", "tests it, without a host"),
    ("build.sh", "builds the component"),
    ("try.sh", "mounts a volume of it"),
];

/// What its driver's file calls it by CSI, after its own name.
const DOMAIN: &str = ".example.com";

/// Bytes that CSI leaves for a name, with that domain.
const LONGEST: usize = 63 - DOMAIN.len();

/// By CSI it is the name of an object of Kubernetes, a CSIDriver, so that it is a DNS subdomain.
fn check(name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| {
        let inner = label.trim_matches('-');
        !label.is_empty() && inner == label && label.chars().all(plain)
    };
    ensure!(
        name.len() <= LONGEST && name.split('.').all(is_label),
        "cannot call a driver {name:?}: Kubernetes takes small ASCII letters, digits, '-' and '.', a letter or digit first \
         and last, and with {DOMAIN:?} there is room for {LONGEST}"
    );
    Ok(())
}

/// What there is instead: of this language, and of this kind.
fn not_offered(language: Language, kind: Kind) -> String {
    let kinds = Kind::ALL
        .into_iter()
        .filter(|kind| Skeleton::find(language, *kind).is_some());
    let languages = Language::ALL
        .into_iter()
        .filter(|language| Skeleton::find(*language, kind).is_some());
    format!(
        "there is no skeleton of kind {kind} in {language}; in {language} there is {}, and kind {kind} is there in {}",
        words(kinds.map(Kind::name)),
        words(languages.map(Language::name))
    )
}

fn words(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The folder is new, or has nothing in it.
fn claim(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut entries =
                fs::read_dir(folder).with_context(|| format!("cannot look into {shown}"))?;
            ensure!(
                entries.next().is_none(),
                "{shown} is there already and has something in it; choose another name, or another place"
            );
            Ok(())
        }
        made => made.with_context(|| format!("cannot make {shown}")),
    }
}

fn write(folder: &Path, files: &Files) -> anyhow::Result<()> {
    for (name, text) in files {
        let file = folder.join(name);
        write_file(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn write_file(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    // What the umask leaves of it.
    let mode = if text.starts_with("#!") { 0o777 } else { 0o666 };
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create_new(true).mode(mode).open(file)?;
    opened.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn names_are_those_of_drivers() {
        for name in ["shelf", "shelf-2", "9p", "a.b-c", &"a".repeat(LONGEST)] {
            check(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in [
            "",
            "Host Dir!",
            "Shelf",
            "a_b",
            ".shelf",
            "shelf.",
            "a.-b",
            "-x",
            "x-",
            "a/b",
            "..",
            "käse",
            "a\n",
            &"a".repeat(LONGEST + 1),
        ] {
            let error = check(name).expect_err(name).to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn a_folder_that_has_something_in_it_is_left_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let (folder, file) = (root.path().join("shelf"), root.path().join("file"));
        claim(&folder).expect("new");
        claim(&folder).expect("empty");
        fs::write(folder.join(".hidden"), "").expect("writable");
        claim(&folder).expect_err("not empty");
        fs::write(&file, "").expect("writable");
        claim(&file).expect_err("no folder");
    }

    #[test]
    fn scripts_can_be_run_and_nothing_is_overwritten() {
        let root = tempfile::tempdir().expect("a directory");
        let texts = [("a/build.sh", "#!/bin/sh\n"), ("a/text", "text\n")];
        let files: Files = texts.map(|(name, text)| (name.into(), text.into())).into();
        write(root.path(), &files).expect("writable");
        let mode = |name| {
            let found = fs::metadata(root.path().join(name)).expect("written");
            found.permissions().mode() & 0o100
        };
        assert_eq!([mode("a/build.sh"), mode("a/text")], [0o100, 0]);
        write(root.path(), &files).expect_err("there already");
    }

    #[test]
    fn what_there_is_instead_is_said() {
        for (language, kind) in Language::ALL
            .into_iter()
            .flat_map(|language| Kind::ALL.map(|kind| (language, kind)))
            .filter(|(language, kind)| Skeleton::find(*language, *kind).is_none())
        {
            let said = not_offered(language, kind);
            assert!(said.contains("there is directory"), "{said}");
            assert!(said.contains("is there in rust"), "{said}");
        }
    }
}
