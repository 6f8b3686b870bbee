//! A peer: csi-driver-nfs, whose binary somebody else built.
//!
//! Without an NFS server it can be asked all that changes nothing. A tmpfs stands where its volumes would be
//! mounted, because it tells a mount point by its device.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use drivebay_testbed::Serving;
use serde_json::{Value, json};

use super::site::Site;
use crate::process::{self, Echo, command};

/// Said to whoever did not name one.
pub(in crate::bench) const HOW: &str = "no peer was measured: build csi-driver-nfs (`go build ./cmd/nfsplugin` in its checkout) and name the binary, `cargo xtask bench --peer PATH`";

/// Its process, and what it takes for volumes.
pub(super) struct Peer {
    _serving: Serving,
    socket: PathBuf,
    volumes: PathBuf,
}

impl Peer {
    /// Starts it with so many volumes mounted.
    pub(super) fn start(program: &Path, site: &Site, volumes: usize) -> Result<Self> {
        let (pool, pods) = (site.path("peer/pool"), site.path("peer/pods"));
        fs::create_dir_all(&pool)?;
        let mut mount = command("mount");
        mount.args(["-t", "tmpfs", "drivebay-bench"]).arg(&pool);
        process::run(&mut mount, Echo::Silent)?;
        for volume in 0..volumes {
            let (volume, pod) = (pool.join(volume.to_string()), pods.join(volume.to_string()));
            fs::create_dir(&volume)?;
            fs::create_dir_all(&pod)?;
            let mut bind = command("mount");
            bind.arg("--bind").arg(volume).arg(pod);
            process::run(&mut bind, Echo::Silent)?;
        }
        let socket = site.path("sockets/peer.sock");
        let mut serve = command(program);
        serve.arg("--endpoint");
        serve.arg(format!("unix://{}", socket.display()));
        serve.args(["--nodeid", "bench", "--drivername", "nfs.csi.k8s.io"]);
        let log = site.path("peer.log");
        let serving = Serving::start(serve, &log, std::slice::from_ref(&socket));
        Ok(Self {
            _serving: serving.with_context(|| format!("cannot use {}", program.display()))?,
            socket,
            volumes: pods,
        })
    }

    /// The call of that name, for a volume of that id.
    pub(super) fn call(&self, rpc: &str, id: &str) -> Value {
        json!({
            "socket": self.socket,
            "rpc": rpc,
            "volume": id,
            "path": self.volumes.join("{n}"),
            "context": { "server": "127.0.0.1", "share": "/" },
        })
    }
}
