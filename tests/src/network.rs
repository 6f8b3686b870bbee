//! Workers of the host that speak to the network, seen from outside.

use std::fs;

use nix::unistd::Pid;

use crate::Node;

impl Node {
    /// Those that run this node's own copy of `drivebay`.
    pub fn network_workers(&self) -> Vec<Pid> {
        let program = self.path("state/bin/drivebay");
        let entries = fs::read_dir("/proc").expect("mounted").flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = |id: &i32| {
            fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program)
                && fs::read(format!("/proc/{id}/cmdline"))
                    .is_ok_and(|line| line.starts_with(b"drivebay-worker\0network\0"))
        };
        ids.filter(ours).map(Pid::from_raw).collect()
    }
}
