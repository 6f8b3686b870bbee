//! An image as the OCI image format has it, in one tar: what `ctr images import`, skopeo and podman read.

use anyhow::Result;
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::layer::{Layer, digest};
use super::revision::Revision;
use crate::architecture::Architecture;

/// By which manifests know it; kustomize's `images` puts a registry before it.
pub(super) const NAME: &str = concat!("drivebay:", env!("CARGO_PKG_VERSION"));

/// The same as containerd spells it, and kubelet asks for it.
const FULL_NAME: &str = concat!("docker.io/library/drivebay:", env!("CARGO_PKG_VERSION"));

/// What a program is looked for in.
pub(super) const PATH: &str = "/usr/sbin:/usr/bin";

/// What runs where nothing else is asked for.
pub(super) const ENTRY_POINT: &str = "/usr/bin/drivebay";

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The image's own documents.
pub(super) struct Layout {
    config: Vec<u8>,
    manifest: Vec<u8>,
    manifest_digest: String,
    index: Vec<u8>,
}

impl Layout {
    pub(super) fn of(
        architecture: Architecture,
        layers: &[Layer],
        revision: &Revision,
    ) -> Result<Self> {
        let config = serde_json::to_vec(&config(architecture, layers, revision))?;
        let manifest = serde_json::to_vec(&manifest(&config, layers))?;
        let index = serde_json::to_vec(&index(architecture, &manifest))?;
        Ok(Self {
            manifest_digest: digest(&manifest),
            config,
            manifest,
            index,
        })
    }

    /// Of the manifest.
    pub(super) fn digest(&self) -> &str {
        &self.manifest_digest
    }

    /// Everything in one file.
    pub(super) fn tar(&self, layers: &[Layer]) -> Result<Vec<u8>> {
        let layout = serde_json::to_vec(&json!({ "imageLayoutVersion": "1.0.0" }))?;
        let mut blobs: Vec<&[u8]> = vec![&self.config, &self.manifest];
        blobs.extend(layers.iter().map(|layer| layer.compressed.as_slice()));
        let mut files = vec![
            ("oci-layout".to_owned(), layout.as_slice()),
            ("index.json".to_owned(), self.index.as_slice()),
        ];
        files.extend(
            blobs
                .into_iter()
                .map(|blob| (blob_path(&digest(blob)), blob)),
        );
        files.sort();
        let mut builder = Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content)?;
        }
        Ok(builder.into_inner()?)
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// No user is named: a pod says as whom each of them runs.
fn config(architecture: Architecture, layers: &[Layer], revision: &Revision) -> Value {
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    json!({
        "architecture": architecture.name(),
        "os": "linux",
        "created": revision.date,
        "config": {
            "Entrypoint": [ENTRY_POINT],
            "Env": [format!("PATH={PATH}")],
            "Labels": labels(revision),
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
}

fn labels(revision: &Revision) -> Value {
    let mut labels = json!({
        "org.opencontainers.image.title": "drivebay",
        "org.opencontainers.image.description": "A host that runs Kubernetes storage backends as WebAssembly components",
        "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        "org.opencontainers.image.created": revision.date,
    });
    if let Some(commit) = &revision.commit {
        labels["org.opencontainers.image.revision"] = json!(commit);
    }
    labels
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

fn manifest(config: &[u8], layers: &[Layer]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| descriptor(LAYER, &layer.compressed))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": layers,
    })
}

fn index(architecture: Architecture, manifest: &[u8]) -> Value {
    let mut image = descriptor(MANIFEST, manifest);
    image["platform"] = json!({ "architecture": architecture.name(), "os": "linux" });
    image["annotations"] = json!({
        "io.containerd.image.name": FULL_NAME,
        "org.opencontainers.image.ref.name": env!("CARGO_PKG_VERSION"),
    });
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [image] })
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn layout() -> (Layout, Vec<Layer>) {
        let mut tree = Tree::default();
        tree.file("usr/bin/drivebay", 0o755, "program");
        let layers = vec![Layer::of("binaries", &tree).unwrap()];
        let revision = Revision {
            commit: Some("c0ffee".to_owned()),
            date: "2026-11-29T00:00:00Z".to_owned(),
        };
        let layout = Layout::of(Architecture::Arm64, &layers, &revision).unwrap();
        (layout, layers)
    }

    #[test]
    fn everything_is_found_by_its_digest_from_the_index_on() {
        let (layout, layers) = layout();
        let tar = layout.tar(&layers).unwrap();
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        let json = |content: &[u8]| serde_json::from_slice::<Value>(content).unwrap();
        let blob = |descriptor: &Value| {
            let named = descriptor["digest"].as_str().unwrap();
            let content = &files[&blob_path(named)];
            assert_eq!(digest(content), named);
            assert_eq!(descriptor["size"], content.len());
            content
        };
        let image = &json(&files["index.json"])["manifests"][0];
        assert_eq!(image["platform"]["architecture"], "arm64");
        let manifest = json(blob(image));
        let config = json(blob(&manifest["config"]));
        assert_eq!(config["config"]["Entrypoint"], json!([ENTRY_POINT]));
        assert_eq!(config["rootfs"]["diff_ids"], json!([layers[0].diff_id]));
        assert_eq!(*blob(&manifest["layers"][0]), layers[0].compressed);
        assert_eq!(files.len(), 5);
    }

    #[test]
    fn the_same_layers_make_the_same_image() {
        let ((one, layers), (other, _)) = (layout(), layout());
        assert_eq!(one.digest(), other.digest());
        assert_eq!(one.tar(&layers).unwrap(), other.tar(&layers).unwrap());
    }
}
