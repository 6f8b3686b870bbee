//! Hands the target's architecture to the code, for the name of compiled components, turns the transcribed
//! messages of CSI and of kubelet's plugin registration into Rust, and lists the files of which `drivebay new` makes
//! skeletons.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    println!("cargo::rustc-env=DRIVEBAY_TARGET_ARCH={arch}");
    #[cfg(feature = "csi")]
    csi::generate()?;
    #[cfg(feature = "compiler")]
    skeletons::list()?;
    Ok(())
}

/// Listed by their names alone: what is in them the compiler reads, and only where `drivebay` includes the list.
#[cfg(feature = "compiler")]
mod skeletons {
    use std::fmt::Write;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    /// What they are called in the list, and where they lie beside the host.
    const ROOTS: [(&str, &str); 5] = [
        ("templates", "../guests/templates"),
        ("sdk", "../guests/sdk"),
        ("wit", "../wit"),
        ("Cargo.lock", "../guests/Cargo.lock"),
        ("LICENSE", "../LICENSE"),
    ];

    /// What a build leaves behind, where somebody tried one in its place.
    const BUILT: [&str; 5] = [".tools", "__pycache__", "node_modules", "target", "try"];

    pub(super) fn list() -> io::Result<()> {
        let mut list = String::from("&[\n");
        for (name, path) in ROOTS {
            println!("cargo::rerun-if-changed={path}");
            add(&mut list, name, &fs::canonicalize(path)?)?;
        }
        list.push(']');
        let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
        fs::write(out.join("skeletons.rs"), list)
    }

    /// In the order of their names, so that the same files make the same program.
    fn add(list: &mut String, name: &str, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            return writeln!(list, "    ({name:?}, include_str!({path:?})),")
                .map_err(io::Error::other);
        }
        let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            let own = path.file_name().unwrap_or_default().to_string_lossy();
            if !BUILT.contains(&&*own) {
                add(list, &format!("{name}/{own}"), &path)?;
            }
        }
        Ok(())
    }
}

/// No protoc: the machine that builds this needs a Rust toolchain and nothing else.
#[cfg(feature = "csi")]
mod csi {
    use std::error::Error;
    use std::fmt::Write;
    use std::path::PathBuf;

    pub(super) fn generate() -> Result<(), Box<dyn Error>> {
        let protos = ["proto/csi.proto", "proto/plugin_registration.proto"];
        for proto in protos {
            println!("cargo::rerun-if-changed={proto}");
        }
        let files = protox::compile(protos, ["proto"])?;
        let csi = files.file.iter().filter(|file| file.package() == "csi.v1");
        let (mut secretive, mut secrets) = (Vec::new(), String::new());
        for message in csi.flat_map(|file| &file.message_type) {
            let name = message.name();
            let has_secrets = message.field.iter().any(|field| field.name() == "secrets");
            if name.ends_with("Request") {
                let taken = match has_secrets {
                    true => "::std::mem::take(&mut self.secrets)",
                    false => "::std::default::Default::default()",
                };
                write!(
                    secrets,
                    "impl crate::csi::secrets::BringsSecrets for {name} {{\n    \
                     fn take_secrets(&mut self) -> ::std::collections::BTreeMap<String, String> {{\n        \
                     {taken}\n    }}\n}}\n"
                )?;
            }
            if has_secrets {
                secretive.push(name);
            }
        }
        for name in &secretive {
            write!(
                secrets,
                "impl ::std::fmt::Debug for {name} {{\n    \
                 fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {{\n        \
                 f.write_str(\"{name}(***)\")\n    }}\n}}\n"
            )?;
        }
        let out = PathBuf::from(std::env::var("OUT_DIR")?);
        std::fs::write(out.join("secretive.rs"), secrets)?;
        let paths = secretive.iter().map(|name| format!(".csi.v1.{name}"));
        tonic_prost_build::configure()
            .build_client(false)
            .build_transport(false)
            .codec_path("crate::csi::codec::SmallMessages")
            .btree_map(".")
            .skip_debug(paths)
            .compile_fds(files)?;
        Ok(())
    }
}
