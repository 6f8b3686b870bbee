//! `drivers.d/<driver>.toml`: from text to [`DriverConfig`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Table;

use super::attach_limits::attach_limits;
use super::grants::grants;
use super::limits::limits;
use super::paths::is_plain_name;
use super::requirement::requirement;
use super::section::Section;
use super::version_rules::version_rules;
use super::{ConfigError, DriverConfig, FlexVolumeAttach, FlexVolumeName, Paths};
use crate::sys;
use crate::volume::DriverName;

/// All drivers, in the order of their names.
///
/// # Errors
/// The first file that is unreadable, untrusted or wrong, or two that serve one name.
pub fn load_drivers(paths: &Paths) -> Result<Vec<DriverConfig>, ConfigError> {
    let files = driver_files(paths)?;
    let drivers = files
        .iter()
        .map(|file| load_driver(file))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_duplicates(&files, &drivers)?;
    Ok(drivers)
}

/// What one driver's file says, or what is wrong with it.
pub type DriverFile = Result<DriverConfig, ConfigError>;

/// Each driver's file by itself, in the order of their names: a wrong one says nothing of the others.
///
/// # Errors
/// Where the directory cannot be read or believed.
pub fn load_each_driver(paths: &Paths) -> Result<Vec<(DriverName, DriverFile)>, ConfigError> {
    let name = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default();
        DriverName(stem.to_string_lossy().into_owned())
    };
    let files = driver_files(paths)?;
    Ok(files
        .iter()
        .map(|file| (name(file), load_driver(file)))
        .collect())
}

/// The driver that FlexVolume callers know by that name, if any. A wrong file of another driver does not
/// stand in its way: one typo must not stop every volume of a node.
///
/// # Errors
/// Two files that serve the name; where none does, the first one that is unreadable, untrusted or wrong.
pub fn find_flexvolume_driver(
    paths: &Paths,
    name: &FlexVolumeName,
) -> Result<Option<DriverConfig>, ConfigError> {
    let mut serving: Option<(PathBuf, DriverConfig)> = None;
    let mut wrong = None;
    for file in driver_files(paths)? {
        match (load_driver(&file), &serving) {
            (Ok(driver), _) if driver.flexvolume.as_ref() != Some(name) => {}
            (Ok(_), Some((first, _))) => {
                let name = format!("FlexVolume {}/{}", name.vendor, name.driver);
                return Err(ConfigError::Duplicate {
                    first: first.clone(),
                    second: file,
                    name,
                });
            }
            (Ok(driver), None) => serving = Some((file, driver)),
            (Err(error), _) => wrong = wrong.or(Some(error)),
        }
    }
    match (serving, wrong) {
        (Some((_, driver)), _) => Ok(Some(driver)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// The driver of that name, if it has a file. Files of other drivers are not looked at.
///
/// # Errors
/// Its file is unreadable, untrusted or wrong.
pub fn find_driver(paths: &Paths, name: &DriverName) -> Result<Option<DriverConfig>, ConfigError> {
    let file = driver_files(paths)?
        .into_iter()
        .find(|file| file.file_stem().is_some_and(|stem| *stem == *name.0));
    file.map(|file| load_driver(&file)).transpose()
}

fn driver_files(paths: &Paths) -> Result<Vec<PathBuf>, ConfigError> {
    let directory = paths.drivers();
    let unreadable = |source| ConfigError::Unreadable {
        file: directory.clone(),
        source,
    };
    let entries = std::fs::read_dir(&directory).map_err(unreadable)?;
    sys::check_directory(&directory).map_err(|error| untrusted(&directory, error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    Ok(files)
}

/// One driver from its file, which has to be root's alone to write.
fn load_driver(file: &Path) -> Result<DriverConfig, ConfigError> {
    let bytes = sys::read_trusted(file).map_err(|error| untrusted(file, error))?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::Syntax {
        file: file.to_owned(),
        reason: "it is not UTF-8".to_owned(),
    })?;
    parse_driver(file, &text)
}

fn untrusted(file: &Path, error: sys::TrustError) -> ConfigError {
    let file = file.to_owned();
    match error {
        sys::TrustError::Io(source) => ConfigError::Unreadable { file, source },
        sys::TrustError::Untrusted(reason) => ConfigError::Untrusted { file, reason },
    }
}

/// One driver from text; the file gives it its name.
///
/// # Errors
/// The first thing that is wrong, with the key.
pub fn parse_driver(file: &Path, text: &str) -> Result<DriverConfig, ConfigError> {
    let name = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    if !is_plain_name(&name) {
        return Err(ConfigError::Name {
            file: file.to_owned(),
        });
    }
    let table: Table = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        reason: error.to_string().trim().replace('\n', " "),
    })?;
    let mut root = Section::root(file, &table);
    let component = root
        .string("component")?
        .ok_or_else(|| root.missing("component"))?;
    if !is_plain_name(component) {
        return Err(root.bad(
            "component",
            format!("is {component:?}, which is not a plain name"),
        ));
    }
    let config = DriverConfig {
        name: DriverName(name),
        text: text.to_owned(),
        component: component.to_owned(),
        csi_name: csi_name(&mut root)?,
        flexvolume: flexvolume_name(&mut root)?,
        flexvolume_attach: flexvolume_attach(&mut root)?,
        require: requirement(&mut root)?,
        versions: version_rules(&mut root)?,
        attach_limits: attach_limits(&mut root)?,
        grants: grants(&mut root)?,
        limits: limits(&mut root)?,
    };
    refuse_unreachable(&root, &config)?;
    root.finish()?;
    Ok(config)
}

/// A version that is to serve and that nothing would let serve.
fn refuse_unreachable(root: &Section<'_>, config: &DriverConfig) -> Result<(), ConfigError> {
    let (Some(active), true) = (
        &config.versions.active,
        config.require.public_keys.is_empty(),
    ) else {
        return Ok(());
    };
    match config.require.allows_digest(active) {
        true => Ok(()),
        false => Err(root.bad(
            "versions.active",
            format!(
                "is {active}, which require.sha256 does not list, so that it could never serve"
            ),
        )),
    }
}

/// Of CSI's plugins, in bytes.
const MAX_CSI_NAME: usize = 63;

/// CSI's rule for a plugin's name (GetPluginInfo), which kubelet and the API server hold it to as well.
fn csi_name(root: &mut Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(name) = root.string("csi-name")? else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let mut characters = name.chars();
    let ends_well = ends_well(characters.next()) && ends_well(name.chars().last());
    if name.len() <= MAX_CSI_NAME && ends_well && name.chars().all(plain) {
        return Ok(Some(name.to_owned()));
    }
    Err(root.bad(
        "csi-name",
        format!(
            "is {name:?}; CSI takes up to {MAX_CSI_NAME} ASCII letters, digits, '-' and '.', a letter or digit first and last"
        ),
    ))
}

fn flexvolume_name(root: &mut Section<'_>) -> Result<Option<FlexVolumeName>, ConfigError> {
    let Some(text) = root.string("flexvolume")? else {
        return Ok(None);
    };
    match text.split_once('/') {
        Some((vendor, driver)) if is_plain_name(vendor) && is_plain_name(driver) => {
            Ok(Some(FlexVolumeName {
                vendor: vendor.to_owned(),
                driver: driver.to_owned(),
            }))
        }
        _ => Err(root.bad(
            "flexvolume",
            format!("is {text:?}, which is not of the form \"vendor/driver\""),
        )),
    }
}

fn flexvolume_attach(root: &mut Section<'_>) -> Result<FlexVolumeAttach, ConfigError> {
    match root.string("flexvolume-attach")? {
        None => Ok(FlexVolumeAttach::default()),
        Some("by-kubelet") => Ok(FlexVolumeAttach::ByKubelet),
        Some("on-mount") => Ok(FlexVolumeAttach::OnMount),
        Some(other) => Err(root.bad(
            "flexvolume-attach",
            format!("is {other:?}, which is neither \"by-kubelet\" nor \"on-mount\""),
        )),
    }
}

fn refuse_duplicates(files: &[PathBuf], drivers: &[DriverConfig]) -> Result<(), ConfigError> {
    let names = |driver: &DriverConfig| {
        let flexvolume = driver
            .flexvolume
            .as_ref()
            .map(|name| format!("FlexVolume {}/{}", name.vendor, name.driver));
        let csi = driver.csi_name.as_ref().map(|name| format!("CSI {name}"));
        flexvolume.into_iter().chain(csi).collect::<Vec<_>>()
    };
    let mut seen: BTreeMap<String, &PathBuf> = BTreeMap::new();
    for (file, driver) in files.iter().zip(drivers) {
        for name in names(driver) {
            if let Some(first) = seen.insert(name.clone(), file) {
                return Err(ConfigError::Duplicate {
                    first: first.clone(),
                    second: file.clone(),
                    name,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, VersionRules};
    use super::*;
    use crate::grant::FilesGrant;
    use std::time::Duration;

    fn parse(text: &str) -> Result<DriverConfig, String> {
        parse_driver(Path::new("/etc/drivebay/drivers.d/nfs.toml"), text)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_complete_file_is_understood() {
        let config = parse(
            r#"
            component = "nfs"
            csi-name = "nfs.csi.k8s.io"
            flexvolume = "k8s/nfs"
            [grants.mounts]
            filesystems = ["nfs"]
            sources = ["10.0.0.0/8:/**"]
            options = ["vers", "hard"]
            directories = { pool = "/srv/pool" }
            [grants.files]
            access = "read-write"
            [limits]
            memory = "32MiB"
            cpu = "500ms"
            deadline = "90s"
            log-lines = 7
            "#,
        )
        .expect("valid");
        assert_eq!(config.name.0, "nfs");
        assert_eq!(config.flexvolume.expect("named").directory(), "k8s~nfs");
        assert_eq!(config.limits.memory_bytes, 32 << 20);
        assert_eq!(config.limits.deadline, Duration::from_secs(90));
        assert_eq!(config.grants.files, Some(FilesGrant::ReadWrite));
    }

    #[test]
    fn a_name_that_csi_does_not_take_is_refused() {
        let file = |name: &str| format!("component = \"x\"\ncsi-name = \"{name}\"\n");
        for name in ["nfs.csi.k8s.io", "9p", &"a".repeat(MAX_CSI_NAME)] {
            parse(&file(name)).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in ["", "my_driver", "-x", "x.", "a/b", "käse", &"a".repeat(64)] {
            let error = parse(&file(name)).expect_err(name);
            assert!(
                error.contains("csi-name is ") && error.contains(name),
                "{error}"
            );
        }
    }

    #[test]
    fn the_operators_guide_shows_keys_that_exist_and_the_limits_as_they_are() {
        let guide = include_str!("../../../deploy/drivers-file.md");
        let example = guide.split("```toml\n").nth(1).expect("an example");
        let example = example.split("```").next().expect("its end");
        let config = parse(example).expect("valid");
        let (shown, ours) = (config.limits, Limits::default());
        assert_eq!(format!("{shown:?}"), format!("{ours:?}"));
        assert_eq!(config.versions, VersionRules::default());
    }

    #[test]
    fn the_operators_guide_shows_each_rule_for_versions() {
        let guide = include_str!("../../../deploy/drivers-file.md");
        let example = guide.split("```toml\n").nth(1).expect("an example");
        let example = example.split("```").next().expect("its end");
        let digest = "1".repeat(64);
        let shown = example
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .filter(|line| !line.starts_with("require") && !line.starts_with("session"))
            .collect::<Vec<_>>()
            .join("\n")
            .replacen("…", &digest, 1)
            .replacen("…", &"2".repeat(64), 1)
            .replacen("…", &"3".repeat(64), 1);
        let config = parse(&shown).expect("valid");
        assert_eq!(config.versions.active, Some(digest));
        assert_eq!(
            (config.versions.rejected.len(), config.versions.held.len()),
            (1, 1)
        );
    }

    #[test]
    fn a_file_by_a_name_of_its_own_lies_beside_the_drivers_file() {
        let file = |name: &str| {
            let text = format!(
                "component = \"x\"\n[grants.https.api]\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\nca = {name:?}"
            );
            let config = parse(&text)?;
            Ok::<_, String>(config.grants.https["api"].ca.clone().expect("named"))
        };
        for (name, path) in [
            ("ca.pem", "/etc/drivebay/drivers.d/ca.pem"),
            ("ca/site.pem", "/etc/drivebay/drivers.d/ca/site.pem"),
            ("/etc/ssl/site.pem", "/etc/ssl/site.pem"),
        ] {
            assert_eq!(file(name), Ok(PathBuf::from(path)));
        }
        for name in ["", ".", "./ca.pem", "../ca.pem", "ca/../../ca.pem"] {
            let error = file(name).expect_err(name);
            assert!(
                error.contains("beneath the directory of this file"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_the_nearest_known_one() {
        let error = parse("component = \"nfs\"\n[grants.mounts]\noptoins = []").expect_err("typo");
        assert_eq!(
            error,
            "/etc/drivebay/drivers.d/nfs.toml: unknown key \"grants.mounts.optoins\"; did you mean \"grants.mounts.options\"?"
        );
    }

    #[test]
    fn kubelet_attaches_unless_the_operator_says_otherwise() {
        let attach = |line: &str| {
            parse(&format!("component = \"x\"\n{line}"))
                .expect("valid")
                .flexvolume_attach
        };
        assert_eq!(attach(""), FlexVolumeAttach::ByKubelet);
        assert_eq!(
            attach("flexvolume-attach = \"by-kubelet\""),
            FlexVolumeAttach::ByKubelet
        );
        assert_eq!(
            attach("flexvolume-attach = \"on-mount\""),
            FlexVolumeAttach::OnMount
        );
    }

    #[test]
    fn a_file_that_cannot_name_a_driver_is_an_error_whatever_it_says() {
        for name in ["Host Dir!.toml", ".nfs.toml", "n\u{e9}s.toml"] {
            let file = Path::new("/etc/drivebay/drivers.d").join(name);
            let error = parse_driver(&file, "component = \"nfs\"").expect_err(name);
            assert!(
                error.to_string().contains("cannot name a driver"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_unknown_grant_is_an_error() {
        let error = parse("component = \"nfs\"\n[grants.mount]\nx = 1").expect_err("typo");
        assert!(
            error.contains("unknown key \"grants.mount\"; did you mean \"grants.mounts\"?"),
            "{error}"
        );
    }

    #[test]
    fn wrong_types_and_values_are_explained() {
        for (text, part) in [
            ("", "component is missing"),
            ("component = 7", "component must be a string, not integer"),
            ("component = \"../x\"", "not a plain name"),
            ("component = \"x\"\nflexvolume = \"nfs\"", "vendor/driver"),
            (
                "component = \"x\"\nflexvolume-attach = \"onmount\"",
                "flexvolume-attach is \"onmount\", which is neither \"by-kubelet\" nor \"on-mount\"",
            ),
            (
                "component = \"x\"\n[require]\nsha256 = [\"abc\"]",
                "64 lower-case hex digits",
            ),
            (
                "component = \"x\"\nrequire = { sha256 = [\"DIGEST\"] }\nversions = { active = \"OTHER\" }",
                "which require.sha256 does not list, so that it could never serve",
            ),
            (
                "component = \"x\"\n[grants.mounts]\nsources = [\"x\"]",
                "examples",
            ),
            (
                "component = \"x\"\n[grants.files]",
                "grants.files.access is missing",
            ),
            ("component = \"x\"\n[limits]\ncpu = \"5\"", "not a duration"),
            (
                "component = \"x\"\n[limits]\nmemory = \"0MiB\"",
                "not a size",
            ),
            ("component =", "is not valid TOML"),
        ] {
            let text = &text
                .replace("DIGEST", &"1".repeat(64))
                .replace("OTHER", &"2".repeat(64));
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text:?} gave {error:?}");
        }
    }
}
