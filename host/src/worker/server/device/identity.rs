//! Who a disk says it is, from sysfs.
//!
//! Never from the name of a link: udev makes links late, from old data, or not at all, and anyone with a
//! shell can make one.

use std::fs;
use std::path::Path;

/// What a disk says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) serial: String,
    /// The name that udev's rules give it in /dev/disk/by-id.
    pub(super) name: String,
}

impl Identity {
    /// From the disk's directory in sysfs; none for what does not say who it is.
    pub(super) fn read(sysfs: &Path) -> Option<Self> {
        match transport(sysfs)? {
            Transport::Loop => Self::of_loop(sysfs),
            Transport::Virtio => Self::named("virtio", attribute(&sysfs.join("serial"))?),
            Transport::Nvme => {
                let model = attribute(&sysfs.join("device/model"))?.replace(' ', "_");
                let serial = attribute(&sysfs.join("device/serial"))?;
                Some(Self {
                    name: format!("nvme-{model}_{serial}"),
                    serial,
                })
            }
        }
    }

    /// A loop device has no serial of its own: the name of its file stands in.
    fn of_loop(sysfs: &Path) -> Option<Self> {
        let file = attribute(&sysfs.join("loop/backing_file"))?;
        let name = Path::new(&file).file_name()?.to_str()?;
        Self::named("loop", name.to_owned())
    }

    fn named(kind: &str, serial: String) -> Option<Self> {
        (!serial.is_empty()).then(|| Self {
            name: format!("{kind}-{serial}"),
            serial,
        })
    }
}

enum Transport {
    Loop,
    Virtio,
    Nvme,
}

fn transport(sysfs: &Path) -> Option<Transport> {
    if sysfs.join("loop/backing_file").exists() {
        return Some(Transport::Loop);
    }
    let subsystem = fs::read_link(sysfs.join("device/subsystem")).ok()?;
    match subsystem.file_name()?.to_str()? {
        "virtio" => Some(Transport::Virtio),
        // The second where the kernel joins the paths to one disk (nvme_core.multipath).
        "nvme" | "nvme-subsystem" => Some(Transport::Nvme),
        _ => None,
    }
}

/// Whether the kernel shows it only as a part of something: one path of a multipath NVMe disk.
pub(super) fn is_hidden(sysfs: &Path) -> bool {
    attribute(&sysfs.join("hidden")).is_some_and(|value| value == "1")
}

/// Serials are padded with spaces (NVMe) or NULs (virtio, 20 bytes: VIRTIO_BLK_ID_BYTES).
fn attribute(file: &Path) -> Option<String> {
    let text = String::from_utf8(fs::read(file).ok()?).ok()?;
    let padding = |c: char| c == '\0' || c.is_whitespace();
    Some(text.trim_matches(padding).to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sysfs(files: &[(&str, &str)], subsystem: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, content).expect("written");
        }
        if let Some(subsystem) = subsystem {
            fs::create_dir_all(root.path().join("device")).expect("made");
            symlink(
                format!("../../bus/{subsystem}"),
                root.path().join("device/subsystem"),
            )
            .expect("linked");
        }
        root
    }

    fn read(files: &[(&str, &str)], subsystem: Option<&str>) -> Option<(String, String)> {
        Identity::read(sysfs(files, subsystem).path()).map(|found| (found.serial, found.name))
    }

    #[test]
    fn a_virtio_disk_is_known_by_its_serial_without_padding() {
        assert_eq!(
            read(&[("serial", "2ze0abc\0\0\n")], Some("virtio")),
            Some(("2ze0abc".into(), "virtio-2ze0abc".into()))
        );
        assert_eq!(read(&[("serial", "\n")], Some("virtio")), None);
    }

    #[test]
    fn an_nvme_disk_is_named_by_model_and_serial() {
        let files = [
            (
                "device/model",
                "Alibaba Cloud Elastic Block Storage             \n",
            ),
            ("device/serial", "2ze0abc             \n"),
        ];
        let expected = (
            "2ze0abc".to_owned(),
            "nvme-Alibaba_Cloud_Elastic_Block_Storage_2ze0abc".to_owned(),
        );
        assert_eq!(read(&files, Some("nvme")), Some(expected.clone()));
        assert_eq!(read(&files, Some("nvme-subsystem")), Some(expected));
    }

    #[test]
    fn a_loop_device_is_never_taken_for_a_disk() {
        let files = [("loop/backing_file", "/tmp/2ze0abc\n"), ("serial", "other")];
        assert_eq!(
            read(&files, Some("virtio")),
            Some(("2ze0abc".into(), "loop-2ze0abc".into()))
        );
    }

    #[test]
    fn what_does_not_say_who_it_is_has_no_identity() {
        assert_eq!(read(&[("serial", "abcd")], None), None);
        assert_eq!(read(&[("serial", "abcd")], Some("scsi")), None);
        assert_eq!(read(&[], Some("nvme")), None);
    }
}
