//! The image is one as OCI has it, and the Containerfile makes the same one.

use std::fs;

use drivebay_tests::{Node, ShippedImage, digest, read, repository, text};
use serde_json::json;

#[test]
fn kubelet_finds_it_by_the_name_that_manifests_have() {
    let index = ShippedImage::unpacked().index();
    let version = env!("CARGO_PKG_VERSION");
    // Without a registry containerd puts its default one before a name.
    let name = format!("docker.io/library/drivebay:{version}");
    assert_eq!(
        index["annotations"]["io.containerd.image.name"],
        json!(name)
    );
    assert_eq!(
        index["annotations"]["org.opencontainers.image.ref.name"],
        json!(version)
    );
}

#[test]
fn it_starts_the_host_and_leaves_the_user_to_the_pod() {
    let config = ShippedImage::unpacked().config();
    assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/drivebay"]));
    assert_eq!(config["config"]["Env"], json!(["PATH=/usr/sbin:/usr/bin"]));
    assert!(config["config"]["User"].is_null(), "{config}");
    assert_eq!(config["os"], "linux");
    let labels = &config["config"]["Labels"];
    assert_eq!(
        labels["org.opencontainers.image.version"],
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn debians_files_the_binaries_and_the_components_are_layers_of_their_own() {
    let image = ShippedImage::unpacked();
    let files = |layer: &std::path::Path| {
        let list = Node::run("tar", &["-tf", text(layer)]);
        let list = String::from_utf8(list.stdout).expect("text");
        let files = list.lines().filter(|path| !path.ends_with('/'));
        files.map(str::to_owned).collect::<Vec<_>>()
    };
    let layers = image.layers();
    let [tools, binaries, components] = layers.as_slice() else {
        panic!("{layers:?}");
    };
    assert!(files(tools).contains(&"usr/sbin/mkfs.xfs".to_owned()));
    let expected = ["drivebay", "drivebay-provision", "drivebay-shim"];
    assert_eq!(files(binaries), expected.map(|it| format!("usr/bin/{it}")));
    let components_directory = "usr/share/drivebay/components";
    let expected = ["alicloud-disk", "nfs"].map(|it| format!("{components_directory}/{it}.wasm"));
    assert_eq!(files(components), expected);
}

#[test]
fn every_layer_is_what_its_digests_say() {
    let image = ShippedImage::unpacked();
    let (manifest, config) = (image.manifest(), image.config());
    for (number, layer) in image.layers().iter().enumerate() {
        let compressed = fs::read(layer).expect("readable");
        let named = &manifest["layers"][number];
        assert_eq!(
            named["digest"],
            json!(format!("sha256:{}", digest(&compressed)))
        );
        assert_eq!(named["size"], json!(compressed.len()));
        let unpacked = Node::run("gzip", &["-dc", text(layer)]);
        let diff_id = format!("sha256:{}", digest(&unpacked.stdout));
        assert_eq!(config["rootfs"]["diff_ids"][number], json!(diff_id));
    }
}

#[test]
fn the_containerfile_has_its_contents_from_the_same_task() {
    let file = read(&repository().join("deploy/image/Containerfile"));
    let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    let value = |word: &str| {
        let mut values = lines.iter().filter_map(|line| line.strip_prefix(word));
        values.next().map(str::trim).expect(word).to_owned()
    };
    let root = "/image";
    assert_eq!(value("RUN"), format!("cargo xtask image --root {root}"));
    assert_eq!(value("COPY --from=build"), format!("{root} /"));
    let config = &ShippedImage::unpacked().config()["config"];
    assert_eq!(json!([value("ENV")]), config["Env"]);
    let entry_point: serde_json::Value = serde_json::from_str(&value("ENTRYPOINT")).expect("JSON");
    assert_eq!(entry_point, config["Entrypoint"]);
    // Whatever else it did would be in that image, and not in this one.
    let steps: Vec<&str> = lines.iter().filter_map(|it| it.split(' ').next()).collect();
    let steps: Vec<&str> = steps.into_iter().filter(|word| !word.is_empty()).collect();
    let expected = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "FROM",
        "COPY",
        "ENV",
        "ENTRYPOINT",
    ];
    assert_eq!(steps, expected);
}
