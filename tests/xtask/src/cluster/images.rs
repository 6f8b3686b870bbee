//! Images made of files alone: BusyBox for tests' pods, and one for each CSI sidecar, which has nothing but that program.
//!
//! No registry is asked for anything. Each is an archive as `docker save` writes it, made anew when its program is newer.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::namespaces::Namespaces;
use super::node::{BUSYBOX, PAUSE};
use super::packages;
use super::places::Places;
use super::programs::SIDECARS;
use crate::process::{self, Echo, answer, command};

/// An archive that containerd can import.
struct Archive {
    file: PathBuf,
    /// What it is made of, besides the code here.
    program: PathBuf,
    /// Each name, and the command that a container of it runs.
    images: Vec<(String, Vec<String>)>,
}

/// Makes those that are older than what they are made of.
pub(super) fn make(places: &Places) -> Result<()> {
    let busybox = busybox(places);
    busybox.make(|root| lay_out_busybox(&busybox.program, root))?;
    for name in SIDECARS {
        let sidecar = sidecar(places, name);
        sidecar.make(|root| put(&sidecar.program, &root.join(name)))?;
    }
    Ok(())
}

/// Gives them to containerd.
pub(super) fn import(places: &Places, namespaces: &Namespaces) -> Result<()> {
    let sidecars = SIDECARS.map(|name| sidecar(places, name));
    for archive in [busybox(places)].iter().chain(&sidecars) {
        load(namespaces, &archive.file)?;
    }
    Ok(())
}

/// Gives containerd an image that lies in a file, whatever it is called there, by a name.
pub(super) fn load_as(namespaces: &Namespaces, archive: &Path, name: &str) -> Result<()> {
    let said = load(namespaces, archive)?;
    let own = imported(&said);
    let own = own.with_context(|| format!("{} holds no image", archive.display()))?;
    if own == name {
        return Ok(());
    }
    rename(namespaces, own, name)
}

fn load(namespaces: &Namespaces, archive: &Path) -> Result<String> {
    let mut ctr = containers(namespaces, &["images", "import"]);
    process::run(ctr.arg(archive), Echo::Silent)
}

/// The name in `unpacking NAME (sha256:…)...done`.
fn imported(said: &str) -> Option<&str> {
    let mut lines = said.lines();
    let rest = lines.find_map(|line| line.trim().strip_prefix("unpacking "))?;
    rest.split(' ').next()
}

/// Lets sidecars go by the names that are asked for, of which each ends in a sidecar's own, with some version.
pub(super) fn name_sidecars(namespaces: &Namespaces, wanted: &[String]) -> Result<()> {
    for image in wanted {
        if let Some(name) = SIDECARS.into_iter().find(|name| is_called(image, name)) {
            rename(namespaces, &sidecar_image(name), image)?;
        }
    }
    Ok(())
}

/// Gives an image a further name.
fn rename(namespaces: &Namespaces, image: &str, name: &str) -> Result<()> {
    let mut ctr = containers(namespaces, &["images", "tag", "--force", image, name]);
    process::run(&mut ctr, Echo::Silent).map(drop)
}

/// `ctr` for what kubelet sees.
fn containers(namespaces: &Namespaces, words: &[&str]) -> std::process::Command {
    let mut ctr = namespaces.command("ctr");
    ctr.args(["--namespace", "k8s.io"]).args(words);
    ctr
}

/// Whether `registry/path/NAME:version` is NAME's.
fn is_called(image: &str, name: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split([':', '@']).next() == Some(name)
}

fn busybox(places: &Places) -> Archive {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    Archive {
        file: places.top().join("images/busybox.tar"),
        program: packages::busybox(places),
        images: vec![
            (BUSYBOX.to_owned(), words("sh")),
            (PAUSE.to_owned(), words("sleep 2147483647")),
        ],
    }
}

fn sidecar(places: &Places, name: &str) -> Archive {
    Archive {
        file: places.top().join(format!("images/{name}.tar")),
        program: places.programs().join(name),
        images: vec![(sidecar_image(name), vec![format!("/{name}")])],
    }
}

fn sidecar_image(name: &str) -> String {
    format!("cluster.local/{name}:1")
}

fn put(program: &Path, path: &Path) -> Result<()> {
    let copied = fs::copy(program, path);
    copied.with_context(|| format!("cannot copy {}", program.display()))?;
    Ok(())
}

/// BusyBox under each of its names, and the directories that a container is mounted upon.
fn lay_out_busybox(program: &Path, root: &Path) -> Result<()> {
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir(root.join(directory))?;
    }
    put(program, &root.join("bin/busybox"))?;
    for name in answer(command(program).arg("--list"))?.lines() {
        if name != "busybox" {
            symlink("busybox", root.join("bin").join(name))?;
        }
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    Ok(())
}

impl Archive {
    fn make(&self, lay_out: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if is_newer(&self.file, &self.program) {
            return Ok(());
        }
        let work = self.file.with_extension("partial");
        let root = work.join("root");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&root)?;
        lay_out(&root)?;
        self.write(&work, &root)
            .with_context(|| format!("cannot make {}", self.file.display()))
    }

    fn write(&self, work: &Path, root: &Path) -> Result<()> {
        let layer = work.join("layer.tar");
        let mut tar = command("tar");
        tar.args(["--owner=0", "--group=0", "--numeric-owner", "--sort=name"]);
        tar.arg("-C").arg(root).arg("-cf").arg(&layer).arg(".");
        process::run(&mut tar, Echo::Silent)?;
        let digest = answer(command("sha256sum").arg(&layer))?;
        let digest = digest.split(' ').next().unwrap_or_default();
        let mut manifest = Vec::new();
        for (number, (name, command)) in self.images.iter().enumerate() {
            let config = format!("{number}.json");
            let content = json!({
                "architecture": architecture(),
                "os": "linux",
                "config": { "Env": ["PATH=/bin"], "Entrypoint": command },
                "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
            });
            fs::write(work.join(&config), content.to_string())?;
            manifest.push(json!({ "Config": config, "RepoTags": [name], "Layers": ["layer.tar"] }));
        }
        fs::write(work.join("manifest.json"), json!(manifest).to_string())?;
        fs::remove_dir_all(root)?;
        let whole = self.file.with_extension("whole");
        let mut tar = command("tar");
        tar.arg("-C").arg(work).arg("-cf").arg(&whole).arg(".");
        process::run(&mut tar, Echo::Silent)?;
        fs::remove_dir_all(work)?;
        fs::rename(&whole, &self.file)?;
        Ok(())
    }
}

/// Go's word for this machine, which images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    matches!((changed(file), changed(than)), (Some(made), Some(from)) if made > from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_what_was_imported_is_found() {
        let said = "unpacking docker.io/library/drivebay:0.1.0 (sha256:00)...done\n";
        assert_eq!(imported(said), Some("docker.io/library/drivebay:0.1.0"));
        assert_eq!(imported(""), None);
    }

    #[test]
    fn a_sidecar_is_known_in_whatever_registry_and_version() {
        assert!(is_called(
            "registry.example.com/sig/csi-attacher:v4.12.0",
            "csi-attacher"
        ));
        assert!(is_called("csi-attacher@sha256:00", "csi-attacher"));
        assert!(!is_called(
            "registry.example.com/csi-attacher/other:1",
            "csi-attacher"
        ));
        assert!(!is_called(
            "registry.example.com:80/my-csi-attacher:1",
            "csi-attacher"
        ));
    }
}
