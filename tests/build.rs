//! CSI's messages and clients, from the host's transcription: callers of their own, as every CSI caller has.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../host/proto/csi.proto");
    let files = protox::compile(["../host/proto/csi.proto"], ["../host/proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(files)?;
    Ok(())
}
