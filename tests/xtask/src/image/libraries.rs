//! The libraries of an image: what its programs name, and what those name in turn.
//!
//! Nothing here is run or asked of ldd, so that another processor's programs can be gone through, too. What a program
//! loads by dlopen it does not name; none of those here does.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::gathered::Gathered;
use super::tree::merged;
use crate::architecture::Architecture;
use crate::elf::Elf;

/// Takes all that the programs load.
pub(super) fn gather(
    gathered: &mut Gathered<'_>,
    programs: Vec<String>,
    architecture: Architecture,
) -> Result<()> {
    let (mut waiting, mut seen) = (programs, BTreeSet::new());
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        for library in loaded_by(&path, gathered, architecture)? {
            let needs = || format!("{path} needs {library}");
            gathered.copy(&library).with_context(needs)?;
            waiting.push(library);
        }
    }
    Ok(())
}

/// Paths of what loads it, and of what it names.
fn loaded_by(
    path: &str,
    gathered: &Gathered<'_>,
    architecture: Architecture,
) -> Result<Vec<String>> {
    let elf = Elf::read(gathered.read(path)?).with_context(|| format!("cannot read {path}"))?;
    let elf = elf.with_context(|| format!("{path} is a script, and an image has no shell"))?;
    ensure!(
        elf.architecture == Some(architecture),
        "{path} is not for {}",
        architecture.name()
    );
    let directory = format!("usr/lib/{}", architecture.triplet());
    let libraries = elf.needed.iter().map(|name| format!("{directory}/{name}"));
    let interpreter = elf.interpreter.iter().map(|path| merged(path));
    Ok(libraries.chain(interpreter).collect())
}

#[cfg(test)]
mod tests {
    use super::super::archives::Package;
    use super::*;

    /// This program, with or without the libraries of this machine.
    fn package(libraries: &[&str]) -> Package {
        let mut package = Package::empty("all");
        let this = std::fs::read("/proc/self/exe").unwrap();
        package.files.file("usr/bin/this", 0o755, this);
        let triplet = Architecture::here().unwrap().triplet();
        for name in libraries {
            let content = std::fs::read(format!("/usr/lib/{triplet}/{name}")).unwrap();
            let path = format!("usr/lib/{triplet}/{name}");
            package.files.file(&path, 0o644, content);
        }
        let loader = "usr/lib64/ld-linux-x86-64.so.2";
        package
            .files
            .link(loader, &format!("usr/lib/{triplet}/ld-linux-x86-64.so.2"));
        package
    }

    fn gathered(package: Package) -> Result<Vec<String>> {
        let packages = [package];
        let mut all = Gathered::of(&packages);
        let program = all.program("this", "all")?;
        gather(&mut all, vec![program], Architecture::here()?)?;
        let tree = all.into_tree();
        Ok(tree.iter().map(|(path, _)| path.to_owned()).collect())
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_is_loaded_is_taken_and_what_is_missing_is_named() {
        let all = [
            "ld-linux-x86-64.so.2",
            "libc.so.6",
            "libgcc_s.so.1",
            "libm.so.6",
        ];
        let paths = gathered(package(&all)).unwrap();
        for name in ["libc.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1"] {
            assert!(paths.iter().any(|path| path.ends_with(name)), "{paths:?}");
        }
        let missing = gathered(package(&["libc.so.6"])).unwrap_err();
        let missing = format!("{missing:#}");
        assert!(missing.contains("needs usr/lib"), "{missing}");
    }

    #[test]
    fn a_script_is_refused() {
        let mut package = package(&[]);
        package.files.file("usr/bin/this", 0o755, "#!/bin/sh\n");
        let refused = format!("{:#}", gathered(package).unwrap_err());
        assert!(refused.contains("no shell"), "{refused}");
    }
}
