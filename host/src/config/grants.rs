//! `[grants]`: from text to [`Grants`].

mod block_devices;
mod https;
mod mount_options;
mod secrets;
mod signing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ConfigError;
use super::paths::is_plain_name;
use super::section::Section;
use crate::grant::{FilesGrant, Grants, MountsGrant};

pub use mount_options::misspelt_mount_options;

pub(super) fn grants(root: &mut Section<'_>) -> Result<Grants, ConfigError> {
    let Some(mut section) = root.section("grants")? else {
        return Ok(Grants::default());
    };
    let mounts = section.section("mounts")?.map(mounts_grant).transpose()?;
    let files = section.section("files")?.map(files_grant).transpose()?;
    let block_devices = section
        .section("block-devices")?
        .map(block_devices::grant)
        .transpose()?;
    let https = named(&mut section, "https", https::grant)?;
    let signing = named(&mut section, "signing", signing::grant)?;
    let uses = secrets::Uses {
        mounts: mounts.as_ref(),
        https: &https,
    };
    let secrets = named(&mut section, "secrets", |name, own| {
        secrets::grant(name, own, &uses)
    })?;
    section.finish()?;
    Ok(Grants {
        mounts,
        files,
        block_devices,
        https,
        signing,
        secrets,
    })
}

/// Grants under names of the operator's choosing. A name stands in paths of ours and in messages.
fn named<T>(
    section: &mut Section<'_>,
    key: &'static str,
    grant: impl Fn(&str, Section<'_>) -> Result<T, ConfigError>,
) -> Result<BTreeMap<String, T>, ConfigError> {
    let mut grants = BTreeMap::new();
    for (name, own) in section.sections(key)? {
        if !is_plain_name(name) {
            return Err(section.bad(&format!("{key}.{name}"), "is not a plain name".to_owned()));
        }
        grants.insert(name.to_owned(), grant(name, own)?);
    }
    Ok(grants)
}

fn mounts_grant(mut section: Section<'_>) -> Result<MountsGrant, ConfigError> {
    let owned = |list: Option<Vec<&str>>| {
        list.unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let filesystems = owned(section.strings("filesystems")?);
    let options = mount_options::granted(&mut section, "options")?;
    let sources = section.strings("sources")?.unwrap_or_default();
    let sources = sources
        .into_iter()
        .map(|text| {
            text.parse()
                .map_err(|error| section.bad("sources", format!("is wrong: {error}")))
        })
        .collect::<Result<_, _>>()?;
    let mut directories = BTreeMap::new();
    for (name, path) in section.named_strings("directories")? {
        if !path.starts_with('/') {
            return Err(section.bad(
                "directories",
                format!("has {name} = {path:?}, which is not an absolute path"),
            ));
        }
        directories.insert(name.to_owned(), PathBuf::from(path));
    }
    section.finish()?;
    Ok(MountsGrant {
        filesystems,
        sources,
        options,
        directories,
    })
}

fn files_grant(mut section: Section<'_>) -> Result<FilesGrant, ConfigError> {
    let grant = match section.string("access")? {
        Some("read-only") => FilesGrant::ReadOnly,
        Some("read-write") => FilesGrant::ReadWrite,
        None => return Err(section.missing("access")),
        Some(other) => {
            return Err(section.bad(
                "access",
                format!("is {other:?}, neither \"read-only\" nor \"read-write\""),
            ));
        }
    };
    section.finish()?;
    Ok(grant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Grants, ConfigError> {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        super::grants(&mut Section::root(std::path::Path::new("/x.toml"), &table))
    }

    #[track_caller]
    pub(super) fn grants(text: &str) -> Grants {
        parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    pub(super) fn refusal(text: &str) -> String {
        parse(text).expect_err("it makes no sense").to_string()
    }
}
