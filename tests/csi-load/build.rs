//! CSI's messages and clients, from the host's transcription.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../../host/proto/csi.proto");
    let files = protox::compile(["../../host/proto/csi.proto"], ["../../host/proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(files)?;
    Ok(())
}
