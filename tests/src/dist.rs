//! The shipped files.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// A shipped binary: `drivebay` or `drivebay-shim`.
pub fn dist(binary: &str) -> PathBuf {
    existing(repository().join("target/dist/bin").join(binary))
}

/// A shipped or example guest's component.
pub fn guest(name: &str) -> PathBuf {
    existing(
        repository()
            .join("target/dist/guests")
            .join(format!("{name}.wasm")),
    )
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.exists(),
        "{} is missing; run `cargo xtask build` first",
        path.display()
    );
    path
}
