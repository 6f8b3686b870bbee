//! Each language's skeleton, by the guide: made, tested, built, tried, and delivered to a node.

use drivebay_tests::text;

use crate::author::Author;
use crate::guide;

/// What all of them ask for.
const IMPORTS: &str = "mounts files log";

/// What all of them can do.
const EXPORTS: &str = "identity controller node";

fn by_the_guide(section: &str) -> Author {
    let author = Author::new();
    author.types(&guide::commands(section));
    assert_eq!(author.inspected("exports"), EXPORTS);
    assert_eq!(author.inspected("imports"), IMPORTS);
    author.conforms(&[]);
    author.delivers(|grants| grants);
    author.volumes_live();
    author.mistakes_are_explained();
    author
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn rust_by_the_guide_and_its_other_kinds() {
    let author = by_the_guide("Rust");
    assert_eq!(author.inspected("wasi"), "none");
    rust_share(&author.with_another_project());
    rust_disk(&author.with_another_project());
}

/// What Go's runtime asks for, and the host answers with nothing but clocks and randomness.
#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn go_by_the_guide() {
    let author = by_the_guide("Go");
    assert_ne!(author.inspected("wasi"), "none");
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn c_by_the_guide() {
    let author = by_the_guide("C");
    assert_eq!(author.inspected("wasi"), "none");
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn js_by_the_guide() {
    let author = by_the_guide("JavaScript");
    assert_eq!(author.inspected("wasi"), "none");
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn python_by_the_guide() {
    let author = by_the_guide("Python");
    assert_eq!(author.inspected("wasi"), "none");
}

fn rust_share(author: &Author) {
    author
        .types("drivebay new shelf --language rust --kind share; cd shelf; ./test.sh; ./build.sh");
    assert_eq!(author.inspected("exports"), "identity node");
    assert_eq!(author.inspected("imports"), IMPORTS);
    let example = "filer.example.com:/exports/**";
    author.delivers(|grants| grants.replace(example, "127.0.0.1:/exports/**"));
    let pod = author.pod();
    let publish = ["publish-volume", "music", "--path", text(&pod)];
    let share = ["--parameter", "share=/exports/music", "--parameter"];
    let from = |server| [&publish[..], &share, &[server]].concat();
    author.refuses(&publish, "invalid-argument: ");
    author.refuses(&from("server=127.0.0.2"), "denied: ");
    // Nobody serves here; what the host says of that is its own business, and no refusal.
    author.refuses(&from("server=127.0.0.1"), "127.0.0.1");
}

/// On a loop device: `try.sh` makes a filesystem there and writes to it.
fn rust_disk(author: &Author) {
    author.types(
        "drivebay new shelf --language rust --kind disk; cd shelf; ./test.sh; ./build.sh; ./try.sh",
    );
    assert_eq!(author.inspected("exports"), "identity node");
    assert_eq!(author.inspected("imports"), "mounts block-devices log");
}
