//! What the documents say of the drivers is what the shipped components say of themselves.

use drivebay_tests::{Node, guest, read, repository};

const DRIVERS: [&str; 2] = ["alicloud-disk", "nfs"];

#[test]
fn the_drivers_tables_are_what_check_prints() {
    for driver in DRIVERS {
        let node = Node::empty();
        let file = repository().join(format!("deploy/drivers.d/{driver}.toml"));
        node.add_driver(driver, &read(&file));
        node.install(&[&guest(driver)]);
        let output = node
            .drivebay(&["check", "--markdown"])
            .output()
            .expect("drivebay runs");
        assert!(output.status.success());
        let printed = String::from_utf8(output.stdout).expect("text");
        let document = format!("guests/{driver}/README.md");
        assert!(
            read(&repository().join(&document)).contains(printed.trim()),
            "{document} lacks what `drivebay check --markdown` prints:\n{printed}"
        );
    }
}
