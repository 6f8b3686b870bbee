//! Hands the target's architecture to the code, as the host's own does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    println!("cargo::rustc-env=DRIVEBAY_TARGET_ARCH={arch}");
}
