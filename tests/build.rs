//! CSI's messages and clients, and those of kubelet's plugin registration, from the host's transcription: callers of
//! their own, as every CSI caller has.

const PROTOS: [&str; 2] = [
    "../host/proto/csi.proto",
    "../host/proto/plugin_registration.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let files = protox::compile(PROTOS, ["../host/proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(files)?;
    Ok(())
}
