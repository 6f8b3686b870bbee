//! The provisioner's manifests, as an API server takes them.

use std::fs;

use drivebay_tests::{ControlPlane, files_beneath, repository};
use yaml_rust2::{Yaml, YamlLoader};

/// Its pod keeps all that Pod Security's `restricted` asks for, of which the API server would warn.
#[test]
fn an_api_server_takes_the_provisioners_manifests_and_warns_of_nothing() {
    let bases = repository().join("deploy/bases");
    let is_object = |path: &std::path::Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
    };
    let mut files = files_beneath(&bases.join("controller-namespace"), &is_object);
    let mut own = files_beneath(&bases.join("provisioner"), &is_object);
    // Namespaces before what is in them.
    own.sort_by_key(|file| !file.ends_with("namespace.yaml"));
    files.append(&mut own);
    assert!(files.len() > 5, "found only {files:?}");
    let plane = ControlPlane::get();
    for file in files {
        let said = plane.kubectl(&["apply", "-f", &file.to_string_lossy()]);
        assert!(!said.contains("Warning"), "{}: {said}", file.display());
        assert!(said.contains("created"), "{}: {said}", file.display());
    }
}

/// What kustomize makes of the provisioner and an option; without the components, which need not be built here.
fn rendered(option: &str) -> Vec<Yaml> {
    let place = repository().join("target/dist/tests");
    fs::create_dir_all(&place).expect("writable");
    let folder = tempfile::tempdir_in(place).expect("writable");
    let deploy = "../../../../deploy";
    let base = format!("{deploy}/bases/provisioner");
    let text = format!(
        "resources: [{base}/deployment.yaml, {base}/network-policy.yaml]\n\
         components: [{deploy}/options/{option}]\n"
    );
    fs::write(folder.path().join("kustomization.yaml"), text).expect("writable");
    let path = folder.path().to_string_lossy().into_owned();
    let anywhere = "--load-restrictor=LoadRestrictionsNone";
    let said = ControlPlane::get().kubectl(&["kustomize", anywhere, &path]);
    YamlLoader::load_from_str(&said).expect("YAML")
}

/// The provisioner's object of that kind.
#[track_caller]
fn object<'a>(objects: &'a [Yaml], kind: &str) -> &'a Yaml {
    let is_it = |object: &&Yaml| {
        object["kind"].as_str() == Some(kind)
            && object["metadata"]["name"].as_str() == Some("drivebay-alicloud-disk-provisioner")
    };
    objects.iter().find(is_it).expect("it is there")
}

#[test]
fn the_provisioner_reaches_the_metadata_service_for_its_zone_and_for_the_role_of_its_instance() {
    let objects = rendered("ram-role");
    let rules = object(&objects, "NetworkPolicy")["spec"]["egress"].as_vec();
    let reaches = |rule: &&Yaml| {
        rule["to"][0]["ipBlock"]["cidr"].as_str() == Some("100.100.100.200/32")
            && rule["ports"][0]["port"].as_i64() == Some(80)
    };
    assert_eq!(rules.expect("rules").iter().filter(reaches).count(), 1);
}

#[test]
fn the_provisioner_takes_the_token_of_the_option_rrsa() {
    let objects = rendered("rrsa");
    let pod = &object(&objects, "Deployment")["spec"]["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_vec();
    let is_it = |named: &Yaml| named["name"].as_str() == Some("rrsa");
    assert!(mounts.expect("mounts").iter().any(is_it));
    let volumes = pod["volumes"].as_vec().expect("volumes");
    let token = volumes
        .iter()
        .find(|volume| is_it(volume))
        .expect("it is there");
    let token = &token["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(token["audience"].as_str(), Some("sts.aliyuncs.com"));
}
