//! What the README says of the drivers is what the shipped components say of themselves.

use std::fs;

use drivebay_tests::{Node, guest, repository};

const DRIVERS: [&str; 2] = ["alicloud-disk", "nfs"];

#[test]
fn the_drivers_tables_are_what_check_prints() {
    let node = Node::empty();
    for driver in DRIVERS {
        let file = repository().join(format!("deploy/drivers.d/{driver}.toml"));
        node.add_driver(driver, &fs::read_to_string(file).expect("shipped"));
    }
    node.install(
        &DRIVERS
            .map(guest)
            .each_ref()
            .map(std::path::PathBuf::as_path),
    );
    let output = node
        .drivebay(&["check", "--markdown"])
        .output()
        .expect("drivebay runs");
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).expect("text");
    let readme = fs::read_to_string(repository().join("README.md")).expect("there");
    assert!(
        readme.contains(printed.trim()),
        "README.md lacks what `drivebay check --markdown` prints:\n{printed}"
    );
}
