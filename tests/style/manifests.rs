//! The manifests of `deploy/` as text and as YAML: what needs no cluster to be wrong.
//!
//! Whether an API server takes them is for `tests/cluster/`. Here: each parses, what they name exists, and whatever they
//! ask for more than a plain pod has stands beside its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drivebay_tests::{Node, dist, files_beneath, read, repository};
use yaml_rust2::{Yaml, YamlLoader};

/// What a plain pod has not. A line with one of these says why, at its end or in the comment above it.
const PRIVILEGES: [&str; 15] = [
    "privileged: true",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPath:",
    "hostPort:",
    "mountPropagation: Bidirectional",
    "runAsUser: 0",
    "appArmorProfile:",
    "seLinuxOptions:",
    "Unconfined",
    "enforce: privileged",
    "priorityClassName:",
    "- apiGroups:",
    "tolerations: [{ operator: Exists }]",
];

/// What Kubernetes itself puts into each namespace.
const OF_KUBERNETES: &str = "kube-root-ca.crt";

#[test]
fn every_manifest_is_yaml() {
    let files = manifests();
    assert!(files.len() > 20, "found {files:?}");
    for file in &files {
        documents(file);
    }
}

#[test]
fn each_privilege_stands_beside_its_reason() {
    let bare: Vec<String> = manifests()
        .iter()
        .flat_map(|file| {
            let unexplained = unexplained(&read(file));
            unexplained
                .into_iter()
                .map(move |line| format!("{}: {line}", file.display()))
        })
        .collect();
    assert!(bare.is_empty(), "no reason beside: {bare:#?}");
}

#[test]
fn a_privilege_without_a_reason_is_found() {
    for sound in [
        "privileged: true   # mounts reach the node",
        "# Mounts reach the node.\nprivileged: true",
        "add:\n- SYS_ADMIN   # mount(2)\nname: x",
        "name: x",
        "- op: test   # nothing is asked for here\n  path: /spec/hostNetwork",
    ] {
        assert_eq!(unexplained(sound), [""; 0], "{sound}");
    }
    for bare in [
        "privileged: true",
        "hostNetwork: true",
        "# A reason.\nname: x\nhostPath: { path: /dev }",
        "- apiGroups: [\"\"]\n  verbs: [get]",
        "add:\n- SYS_ADMIN\n",
        "add: [SYS_ADMIN]",
    ] {
        assert_eq!(unexplained(bare).len(), 1, "{bare}");
    }
}

#[test]
fn each_flag_that_is_passed_exists() {
    let node = Node::empty();
    let mut passed = 0;
    for file in manifests() {
        for words in documents(&file).iter().flat_map(commands) {
            let [command, flags @ ..] = &words[..] else {
                continue;
            };
            let help = help(&node, command);
            for flag in flags {
                let name = flag.split('=').next().unwrap_or_default();
                let known = help
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .any(|word| word == name);
                assert!(
                    known,
                    "{}: drivebay {command} has no {name}",
                    file.display()
                );
                passed += 1;
            }
        }
    }
    assert!(passed > 15, "found only {passed} flags");
}

#[test]
fn each_flag_that_is_passed_to_what_asks_the_api_server_exists() {
    for (file, container, command, least) in [
        ("bases/provisioner", "provisioner", &[][..], 3),
        ("options/deliver", "deliver", &["deliver"][..], 2),
    ] {
        let file = repository().join(format!("deploy/{file}/deployment.yaml"));
        let help = Node::empty()
            .command(&dist("drivebay-provision"))
            .args(command)
            .arg("--help")
            .output();
        let help = String::from_utf8(help.expect("it runs").stdout).expect("text");
        let mut passed = 0;
        for document in documents(&file) {
            walk(&document, &mut |node| {
                if node["name"].as_str() != Some(container) {
                    return;
                }
                for flag in words(&node["args"]).unwrap_or_default() {
                    let name = flag.split('=').next().unwrap_or_default();
                    let mut known = help.split_whitespace();
                    assert!(known.any(|word| word == name), "there is no {name}");
                    passed += 1;
                }
            });
        }
        assert!(passed >= least, "found only {passed} flags");
    }
}

#[test]
fn each_config_map_that_is_mounted_is_made() {
    let files = manifests();
    let documents = || files.iter().flat_map(|file| documents(file));
    let made: BTreeSet<String> = documents()
        .flat_map(|document| names(&document["configMapGenerator"], "name"))
        .collect();
    let mounted: BTreeSet<String> = documents()
        .flat_map(|document| config_maps(&document))
        .collect();
    assert!(mounted.len() > 3, "found {mounted:?}");
    let missing: Vec<&String> = mounted
        .iter()
        .filter(|name| *name != OF_KUBERNETES && !made.contains(*name))
        .collect();
    assert!(missing.is_empty(), "nobody makes {missing:?}");
}

#[test]
fn no_pod_gets_a_token_unless_a_container_mounts_it() {
    let mut pods = 0;
    for file in manifests() {
        for document in documents(&file) {
            let is_ours = matches!(document["kind"].as_str(), Some("DaemonSet" | "Deployment"));
            let pod = &document["spec"]["template"]["spec"];
            if !is_ours || pod["serviceAccountName"].is_badvalue() {
                continue;
            }
            pods += 1;
            let (name, wanted) = (file.display(), Some(false));
            assert_eq!(
                pod["automountServiceAccountToken"].as_bool(),
                wanted,
                "{name}"
            );
            for container in pod["containers"].as_vec().into_iter().flatten() {
                let is_driver = container["name"].as_str() == Some("drivebay");
                let has_token = names(&container["volumeMounts"], "name").contains("token");
                assert_ne!(is_driver, has_token, "{name}: {:?}", container["name"]);
            }
        }
    }
    assert_eq!(
        pods, 7,
        "nodes, FlexVolume, two controllers, two provisioners, and who delivers"
    );
}

#[test]
fn the_guide_names_each_option_and_overlay() {
    let guide = read(&repository().join("deploy/README.md"));
    for directory in ["options", "overlays"] {
        let path = repository().join("deploy").join(directory);
        for entry in std::fs::read_dir(path).expect("readable") {
            let name = entry.expect("readable").file_name();
            let link = format!("]({directory}/{}/", name.to_string_lossy());
            assert!(guide.contains(&link), "deploy/README.md has no {link}…)");
        }
    }
}

/// Whoever meets one of these searches for it.
#[test]
fn the_guide_has_the_lines_that_people_meet() {
    let guide = read(&repository().join("deploy/README.md"));
    for line in [
        "no volume plugin matched",
        "unexpected end of JSON input",
        "AccessKeyId cannot be empty",
        "timed out waiting for the condition",
        "not found in the list of registered CSI drivers",
        "violates PodSecurity",
    ] {
        let row = guide
            .lines()
            .find(|row| row.starts_with("| `") && row.contains(line));
        let cells = row.map(|row| row.replace("\\|", "").matches('|').count());
        assert_eq!(
            cells,
            Some(4),
            "no row that explains {line:?}, and says what to look at"
        );
    }
}

#[test]
fn flexvolumes_grants_are_the_shipped_ones_but_for_the_key() {
    let of = |path: &str| read(&repository().join(path));
    let shipped = of("deploy/drivers.d/alicloud-disk.toml");
    let flexvolume = of("deploy/overlays/flexvolume/alicloud-disk.toml");
    assert!(flexvolume.contains("\nflexvolume-attach = \"on-mount\"\n"));
    let grants = |text: &str| {
        let from = text.find("[grants.mounts]").expect("the first grant");
        let to = text.find("\n[grants.signing").expect("the last one");
        let lines = text[from..to].lines().map(str::trim);
        let set = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        set.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(grants(&flexvolume), grants(&shipped));
}

fn manifests() -> Vec<PathBuf> {
    let is_yaml = |path: &Path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    };
    let mut files = files_beneath(&repository().join("deploy"), &is_yaml);
    files.sort();
    files
}

fn documents(file: &Path) -> Vec<Yaml> {
    let parsed = YamlLoader::load_from_str(&read(file));
    parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The lines that ask for a privilege and say no reason.
fn unexplained(text: &str) -> Vec<String> {
    let mut above = "";
    let mut adding = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let code = line.split(" #").next().unwrap_or_default().trim();
        let asks = PRIVILEGES.iter().any(|word| code.contains(word));
        let adds = (adding && code.starts_with("- ")) || code.starts_with("add: [");
        let explained = line.contains(" # ") || above.trim().starts_with("# ");
        let is_comment = line.trim().starts_with('#');
        if !is_comment && (asks || adds) && !is_path(code) && !explained {
            found.push(line.trim().to_owned());
        }
        adding = code == "add:" || (adding && code.starts_with("- "));
        above = line;
    }
    found
}

/// A JSON patch's path or a probe of it, which asks for nothing by itself.
fn is_path(code: &str) -> bool {
    code.starts_with("path: /")
}

/// What a document has drivebay run, as words without the program: arguments of its containers, probes, and arguments that
/// a patch adds.
fn commands(document: &Yaml) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    walk(document, &mut |node| {
        if node["name"].as_str() == Some("drivebay") {
            found.extend(words(&node["args"]).filter(|words| !words.is_empty()));
        }
        if let Some([program, rest @ ..]) = words(&node["command"]).as_deref()
            && program == "/usr/bin/drivebay"
        {
            found.push(rest.to_vec());
        }
        let is_argument = node["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("/containers/0/args/-"));
        if let (true, Some(flag)) = (is_argument, node["value"].as_str()) {
            found.push(vec!["serve".to_owned(), flag.to_owned()]);
        }
    });
    found
}

/// The ConfigMaps that volumes of a document name.
fn config_maps(document: &Yaml) -> Vec<String> {
    let mut found = Vec::new();
    walk(document, &mut |node| {
        found.extend(node["configMap"]["name"].as_str().map(str::to_owned));
    });
    found
}

fn walk(node: &Yaml, visit: &mut impl FnMut(&Yaml)) {
    visit(node);
    for (_, value) in node.as_hash().into_iter().flatten() {
        walk(value, visit);
    }
    for value in node.as_vec().into_iter().flatten() {
        walk(value, visit);
    }
}

fn words(list: &Yaml) -> Option<Vec<String>> {
    let list = list.as_vec()?;
    list.iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// One key of each entry of a list.
fn names(list: &Yaml, key: &str) -> BTreeSet<String> {
    let entries = list.as_vec().into_iter().flatten();
    entries
        .filter_map(|entry| entry[key].as_str().map(str::to_owned))
        .collect()
}

fn help(node: &Node, command: &str) -> String {
    let output = node.drivebay(&[command, "--help"]).output();
    let output = output.expect("drivebay runs");
    assert!(output.status.success(), "there is no drivebay {command}");
    String::from_utf8(output.stdout).expect("text")
}
