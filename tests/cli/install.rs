//! What an operator types: `install` puts the shim before kubelet's eyes whole or not at all, `check` is a gate,
//! `inspect` tells what a stranger's component wants.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use drivebay_tests::{Node, WatGuest, copy_program, dist, guest, text};

const LOCAL: &str = "component = \"local\"\nflexvolume = \"drivebay/local\"\n[grants.mounts]\n[grants.files]\naccess = \"read-write\"\n";

/// Looks at a plugin directory as kubelet's watch does: every name without a dot in front is a driver, and a
/// driver's executable is run at once.
#[track_caller]
fn look(plugins: &Path, sizes: &[u64]) -> bool {
    for entry in fs::read_dir(plugins).expect("there") {
        let name = entry
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned();
        assert!(
            name.starts_with('.') || name == "drivebay~local",
            "kubelet would probe {name:?}"
        );
    }
    let driver = plugins.join("drivebay~local");
    let Ok(entries) = fs::read_dir(&driver) else {
        return false;
    };
    for entry in entries {
        let name = entry
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned();
        assert!(
            name.starts_with('.') || name == "local",
            "kubelet would see {name:?}"
        );
    }
    let shim = fs::metadata(driver.join("local")).expect("a driver's directory has its executable");
    assert!(
        sizes.contains(&shim.len()),
        "the executable is half written: {} bytes",
        shim.len()
    );
    assert_eq!(shim.permissions().mode() & 0o777, 0o755);
    true
}

/// Ends the watch also when the test fails before its end.
struct Watching<'a>(&'a AtomicBool);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn kubelet_never_sees_a_driver_half_installed() {
    let node = Node::empty();
    node.add_driver("local", LOCAL);
    // Two shims, as an upgrade brings another.
    let mut program = fs::read(dist("drivebay-shim")).expect("readable");
    let mut shims = Vec::new();
    for name in ["old-shim", "new-shim"] {
        program.push(0);
        let shim = node.path(name);
        fs::write(&shim, &program).expect("writable");
        shims.push((shim, program.len() as u64));
    }
    let sizes: Vec<u64> = shims.iter().map(|(_, size)| *size).collect();
    node.drivebay(&["install", text(&guest("local"))])
        .output()
        .expect("drivebay runs");
    let plugins = node.path("plugins");
    let watching = AtomicBool::new(true);
    let seen = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = 0;
            while watching.load(Ordering::Relaxed) {
                seen += usize::from(look(&plugins, &sizes));
            }
            seen
        });
        let until = Watching(&watching);
        for (shim, _) in shims.iter().cycle().take(20) {
            let to = [
                "install",
                "--plugin-dir",
                text(&plugins),
                "--shim",
                text(shim),
            ];
            let output = node.drivebay(&to).output().expect("drivebay runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{stderr}");
        }
        drop(until);
        watch.join().expect("kubelet saw nothing wrong")
    });
    assert!(seen > 100, "it looked only {seen} times");
    assert!(look(&plugins, &sizes));
}

#[test]
fn installing_the_same_shim_again_does_not_touch_it() {
    let node = Node::with_local("data");
    let shim = node.path("plugins/drivebay~local/local");
    let look = || {
        let metadata = fs::metadata(&shim).expect("installed");
        (
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime_nsec(),
        )
    };
    let before = look();
    node.install(&[&guest("local")]);
    assert_eq!(look(), before);
    let names: Vec<_> = fs::read_dir(node.path("plugins"))
        .expect("there")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(names, ["drivebay~local"]);
}

#[test]
fn an_install_that_was_interrupted_is_completed_by_the_next() {
    let node = Node::empty();
    node.add_driver("local", LOCAL);
    fs::create_dir_all(node.path("plugins/.drivebay~local")).expect("writable");
    fs::write(node.path("plugins/.drivebay~local/.local.new"), "half").expect("writable");
    node.install(&[&guest("local")]);
    node.call(&["init"]).succeeds();
    assert!(!node.path("plugins/.drivebay~local").exists());
}

#[test]
fn a_program_whose_file_was_replaced_meanwhile_installs_what_it_is() {
    let node = Node::empty();
    node.add_driver("local", LOCAL);
    let program = node.path("drivebay");
    copy_program(&dist("drivebay"), &program);
    let opened = fs::File::open(&program).expect("there");
    fs::remove_file(&program).expect("ours");
    fs::write(&program, "the next version").expect("writable");
    let itself = format!("/proc/{}/fd/{}", std::process::id(), opened.as_raw_fd());
    let mut install = node.command(Path::new(&itself));
    let install = install.args(["install", text(&guest("local"))]);
    let output = install.output().expect("drivebay runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let read = |path: &Path| fs::read(path).expect("readable");
    assert!(read(&node.path("state/bin/drivebay")) == read(&dist("drivebay")));
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn check_prints_what_each_driver_can_do_asks_for_and_was_granted() {
    let node = Node::with_local("data");
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "driver local",
        "  flexvolume drivebay/local",
        "  exports    identity controller volume-listing capacity cloning attachment expansion node",
        "  imports    mounts files log",
        "  granted    mounts files log",
        "1 of 1 drivers are sound",
    ] {
        assert!(
            said.lines().any(|other| other == line),
            "{line:?} is not in\n{said}"
        );
    }
}

#[test]
fn check_tells_where_granted_directories_lie_and_which_are_missing() {
    let node = Node::with_local("data");
    let pool = node.path("pool");
    let told = || said(&node.drivebay(&["check"]).output().expect("drivebay runs"));
    let line = format!("  directory  pool: {}", pool.display());
    let there = told();
    assert!(there.lines().any(|other| other == line), "{there}");
    fs::remove_dir_all(&pool).expect("ours");
    let gone = told();
    let line = format!("{line}, which is no directory here");
    assert!(gone.lines().any(|other| other == line), "{gone}");
}

#[test]
fn check_fails_for_any_driver_that_could_not_serve() {
    let node = Node::with_local("data");
    node.add_driver(
        "bare",
        "component = \"local\"\nflexvolume = \"drivebay/bare\"\n",
    );
    node.add_driver("lost", "component = \"lost\"\n");
    node.add_driver(
        "pinned",
        &format!(
            "component = \"local\"\nrequire = {{ sha256 = [\"{}\"] }}\n",
            "0".repeat(64)
        ),
    );
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "  problem    it imports mounts, which is not granted; if it may, add [grants.mounts] to the driver's grants file",
        "  problem    it imports files, which is not granted; if it may, add [grants.files] to the driver's grants file",
        "  problem    there is no component \"lost\" in ",
        ", which require.sha256 of driver",
        "1 of 4 drivers are sound",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
}

#[test]
fn check_names_the_file_and_key_that_cannot_be_read() {
    let node = Node::empty();
    node.add_driver(
        "typo",
        "component = \"local\"\n[grants.mounts]\noptoins = []\n",
    );
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("typo.toml: unknown key \"grants.mounts.optoins\"; did you mean \"grants.mounts.options\"?"), "{said}");
}

#[test]
fn inspect_tells_what_a_component_wants_before_anyone_grants_it() {
    let node = Node::empty();
    let local = [
        "exports  identity controller volume-listing capacity cloning attachment expansion node",
        "imports  mounts files log",
        "wasi     none",
        "[grants.mounts]",
        "[grants.files]",
    ];
    let nfs = [
        "exports  identity controller volume-health capacity cloning snapshots expansion node",
        "imports  mounts files log",
        "wasi     none",
        "[grants.mounts]",
        "[grants.files]",
    ];
    let disk = [
        "wasi     none",
        "[grants.mounts]",
        "[grants.block-devices]",
        "[grants.https.api]",
        "[grants.signing.key]",
    ];
    for (name, lines) in [("local", local), ("nfs", nfs), ("cloud-disk", disk)] {
        let output = node
            .drivebay(&["inspect", &guest(name).to_string_lossy()])
            .output()
            .expect("drivebay runs");
        let said = said(&output);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.starts_with(&format!("{name} ")), "{said}");
        for line in lines {
            assert!(
                said.lines().any(|other| other == line),
                "{line:?} is not in\n{said}"
            );
        }
    }
    assert!(
        !node.path("state").exists(),
        "inspecting left something behind"
    );
}

#[test]
fn the_drivers_file_that_inspect_prints_is_one() {
    for name in ["local", "nfs", "cloud-disk"] {
        let node = Node::empty();
        let component = guest(name);
        let output = node
            .drivebay(&["inspect", &component.to_string_lossy()])
            .output()
            .expect("drivebay runs");
        let said = said(&output);
        let first = said.find("# /etc/drivebay/drivers.d/").expect(&said);
        node.add_driver(name, &said[first..]);
        node.install(&[&component]);
        let checked = node.drivebay(&["check"]).output().expect("drivebay runs");
        let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(
            checked.contains(&format!("  csi        {name}.example.com")),
            "{checked}"
        );
        assert!(!checked.contains("which is not granted"), "{checked}");
    }
}

#[test]
fn inspect_prints_a_strangers_words_harmlessly() {
    let node = Node::empty();
    let file = WatGuest::named("bad\\1b[31m\\0aname").write(node.path("guest.wasm"));
    let output = node
        .drivebay(&["inspect", &file.to_string_lossy()])
        .output()
        .expect("drivebay runs");
    for stream in [&output.stdout, &output.stderr] {
        assert!(!stream.contains(&0x1b), "{}", stream.escape_ascii());
    }
    let refused = String::from_utf8_lossy(&output.stderr);
    assert!(refused.contains("wrong name: \"bad"), "{refused}");
}
