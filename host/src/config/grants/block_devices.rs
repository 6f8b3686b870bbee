//! `[grants.block-devices]`, read.

use std::fmt::Display;
use std::str::FromStr;

use super::mount_options;
use crate::config::ConfigError;
use crate::config::section::Section;
use crate::grant::{BlockDevicesGrant, FILESYSTEMS};

pub(super) fn grant(mut section: Section<'_>) -> Result<BlockDevicesGrant, ConfigError> {
    let devices = parsed(&mut section, "devices")?;
    if devices.is_empty() {
        return Err(section.bad(
            "devices",
            "is missing or empty: it names the devices that may be seen, such as \"virtio-*\""
                .to_owned(),
        ));
    }
    let grant = BlockDevicesGrant {
        devices,
        filesystems: filesystems(&mut section)?,
        format_options: parsed(&mut section, "format-options")?,
        mount_options: mount_options::granted(&mut section, "mount-options")?,
    };
    section.finish()?;
    Ok(grant)
}

fn filesystems(section: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    let filesystems = owned(section.strings("filesystems")?);
    let unknown = filesystems
        .iter()
        .find(|name| !FILESYSTEMS.contains(&name.as_str()));
    match unknown {
        None => Ok(filesystems),
        Some(name) => {
            let reason = format!("has {name:?}; this host knows {}", FILESYSTEMS.join(", "));
            Err(section.bad("filesystems", reason))
        }
    }
}

fn parsed<T>(section: &mut Section<'_>, key: &'static str) -> Result<Vec<T>, ConfigError>
where
    T: FromStr,
    T::Err: Display,
{
    let texts = section.strings(key)?.unwrap_or_default();
    let parse = |text: &str| {
        text.parse()
            .map_err(|error| section.bad(key, format!("is wrong: {error}")))
    };
    texts.into_iter().map(parse).collect()
}

fn owned(list: Option<Vec<&str>>) -> Vec<String> {
    let list = list.unwrap_or_default().into_iter();
    list.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<BlockDevicesGrant, String> {
        let table = text.parse().expect("toml");
        grant(Section::root(Path::new("/drivers.d/disk.toml"), &table))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_grant_is_read() {
        let grant = read(
            r#"
            devices = ["virtio-*", "nvme-Alibaba_Cloud_Elastic_Block_Storage_*"]
            filesystems = ["ext4", "xfs"]
            format-options = ["-b", "4096"]
            mount-options = ["noatime", "nouuid", "discard"]
            "#,
        )
        .expect("sound");
        assert_eq!(grant.devices.len(), 2);
        assert_eq!(grant.allows_filesystem("xfs"), Ok(()));
        assert_eq!(grant.allows_mount_option("nouuid", None), Ok(()));
    }

    #[test]
    fn only_devices_are_required() {
        let grant = read("devices = [\"virtio-*\"]").expect("sound");
        assert!(grant.allows_filesystem("ext4").is_err());
        assert!(
            grant
                .allows_format_options("ext4", &["-b".to_owned()])
                .is_err()
        );
    }

    #[test]
    fn mistakes_name_the_key() {
        for (text, expected) in [
            ("", "devices is missing or empty"),
            ("devices = []", "devices is missing or empty"),
            ("devices = [\"*\"]", "\"*\" is not a pattern"),
            (
                "devices = [\"virtio-*\"]\nfilesystems = [\"ntfs\"]",
                "filesystems has \"ntfs\"; this host knows ext2, ext3, ext4, xfs",
            ),
            (
                "devices = [\"virtio-*\"]\nformat-options = [\"a b\"]",
                "format-options is wrong",
            ),
            (
                "devices = [\"virtio-*\"]\nformat-option = []",
                "did you mean \"format-options\"",
            ),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
