//! Crates, rooms and calls that are used in few places.

/// What may be named where: a path's beginning, the files that may hold it (a directory with everything in
/// it, or one file), and why.
pub(super) const CONFINED: [(&str, &[&str], &str); 39] = [
    (
        "wasmtime",
        &[
            "runtime",
            "bindings",
            "store/compile",
            // The one configuration of what compiles and what loads, and the door by which compiled code comes in.
            "store/engine.rs",
            "store/compiled.rs",
        ],
        "the engine is known where guests are compiled, loaded and called: above the line",
    ),
    (
        "crate::worker::client",
        &["broker", "driver", "store", "worker"],
        "who executes guest code starts no process",
    ),
    (
        "drivebay::worker::client",
        &[],
        "what the binaries do by workers, the library does",
    ),
    (
        "crate::worker::WorkerClient",
        &["broker", "driver", "worker"],
        "who executes guest code asks no worker",
    ),
    (
        "crate::broker::WorkerBroker",
        &["broker", "driver"],
        "who asks over the line does not know who answers",
    ),
    (
        "crate::broker::Target",
        &["broker", "driver"],
        "no path of the node is known where guest code is executed",
    ),
    (
        "wasmparser",
        &["store/contract", "store/source_lines.rs"],
        "types are compared before anything is compiled; modules have their source's lines with them",
    ),
    (
        "wit_bindgen_core",
        &["commands/bindings.rs"],
        "what an author's files become; nothing that reaches a node is read by it",
    ),
    (
        "gimli",
        &["store/source_lines.rs"],
        "what a stranger says of its source is read where the bounds are",
    ),
    (
        "nix",
        &["sys", "worker"],
        "sys and its workers are the one door to the kernel",
    ),
    (
        "rustix",
        &["sys", "worker"],
        "sys and its workers are the one door to the kernel",
    ),
    (
        "cap_std",
        &["sys", "worker"],
        "sys and its workers are the one door to the kernel",
    ),
    (
        "std::process::Command",
        &["worker/start.rs", "worker/client", "worker/server/device"],
        "workers are child processes, and the programs that they run",
    ),
    (
        "std::net::TcpStream",
        &[
            "worker/server/network",
            "worker/server/https",
            "commands/health.rs",
        ],
        "what speaks to the network has no privilege, but for a person who asks at an own address",
    ),
    (
        "std::net::UdpSocket",
        &["worker/server/network", "worker/server/https"],
        "what speaks to the network has no privilege",
    ),
    (
        "std::net::ToSocketAddrs",
        &["worker/server/network", "worker/server/https"],
        "what speaks to the network has no privilege",
    ),
    (
        "serde",
        &[
            "flexvolume",
            "journal",
            "store",
            "worker",
            "broker/ask.rs",
            "broker/answer.rs",
            "broker/handle.rs",
            "broker/private.rs",
            "broker/line.rs",
            "broker/encoding.rs",
            "broker/readable.rs",
            "broker/model/http_tape.rs",
            "broker/model/kept.rs",
            "broker/signing/answer.rs",
            "volume",
        ],
        "bytes are read and written at the edges",
    ),
    (
        "serde_json",
        &[
            "commands",
            "flexvolume",
            "journal",
            "store",
            "worker",
            "broker/encoding.rs",
            "broker/exchange.rs",
            "broker/readable.rs",
            "broker/replay.rs",
            "broker/tape.rs",
            "broker/model/http_tape.rs",
            "broker/model/kept.rs",
            "broker/signing/answer.rs",
        ],
        "bytes are read and written at the edges",
    ),
    (
        "flate2",
        &["store/decompress.rs", "worker/server/archive"],
        "what may be a bomb is unpacked where the bounds are",
    ),
    (
        "ruzstd",
        &["store/decompress.rs"],
        "what may be a bomb is unpacked where the bounds are",
    ),
    (
        "webpki",
        &["config/public_key.rs"],
        "a key is judged where the operator's files are read",
    ),
    (
        "rustls_pki_types",
        &["config/public_key.rs"],
        "a key is judged where the operator's files are read",
    ),
    ("tonic", &["csi"], "gRPC is spoken at the edge"),
    (
        "prost_types",
        &["csi", "commands/status/moment.rs"],
        "gRPC is spoken at the edge, and its moments print themselves as people and programs read them",
    ),
    ("tokio", &["csi"], "everything beneath the edge may block"),
    (
        "prometheus_client",
        &["csi/metrics"],
        "layers count in plain numbers, which are told in one place",
    ),
    (
        "hyper",
        &["csi/http2.rs", "csi/metrics/listener.rs"],
        "gRPC and a page of metrics are all that is served over HTTP",
    ),
    (
        "hyper_util",
        &["csi/http2.rs", "csi/metrics/listener.rs"],
        "gRPC and a page of metrics are all that is served over HTTP",
    ),
    (
        "ureq",
        &["worker/server/https"],
        "HTTP is spoken by a worker without privileges alone",
    ),
    (
        "rustls",
        &["worker/server/https"],
        "TLS is spoken by a worker without privileges alone",
    ),
    (
        "rustls_native_certs",
        &["worker/server/https"],
        "TLS is spoken by a worker without privileges alone",
    ),
    (
        "hmac",
        &["broker/signing"],
        "signatures are made where the keys are",
    ),
    (
        "sha1",
        &["broker/signing"],
        "signatures are made where the keys are",
    ),
    ("getrandom", &["sys"], "sys is the one door to the kernel"),
    (
        "toml",
        &["config"],
        "the operator's files are read by config",
    ),
    (
        "clap",
        &["main.rs", "commands"],
        "the command line is the binary's",
    ),
    (
        "anyhow",
        &["main.rs", "commands"],
        "the library's errors have types",
    ),
    (
        "tracing_subscriber",
        &["log_file.rs", "log_stream.rs"],
        "where log lines go is decided once",
    ),
    (
        "std::process::exit",
        &["shim.rs"],
        "only the panic hook of the shim may leave without returning",
    ),
];
