//! Alibaba Cloud's own SDKs as callers of the ECS emulator, which they hold to account.
//!
//! Each client gets an emulator of its own, in a network namespace where there is nothing but the two of them.

mod network;
mod packages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use self::network::Network;
pub(crate) use self::packages::{install, is_there, missing_packages};
use crate::golang;
use crate::process::{self, Echo};
use crate::python;
use crate::steps::say;
use crate::workspace::Workspace;

/// One program that calls the emulator by one SDK, in one way.
pub(crate) struct Client {
    about: &'static str,
    runtime: Runtime,
    /// The program in its directory, and its argument if it has one; for Go, whose program is one, its arguments.
    program: &'static [&'static str],
    trust: Trust,
}

#[derive(Clone, Copy)]
enum Runtime {
    Python,
    Node,
    Go,
}

/// How a client comes to trust the emulator.
#[derive(Clone, Copy)]
enum Trust {
    /// It hands the certificate to the SDK, or sees what happens if it does not.
    Own,
    /// By the environment: the SDKs' credentials packages have no setting for it.
    Environment,
}

/// All clients; the names of the signatures are the wire's.
pub(crate) const CLIENTS: [Client; 13] = [
    Client {
        about: "Python, first generation, signature v1",
        runtime: Runtime::Python,
        program: &["gen1.py"],
        trust: Trust::Own,
    },
    Client {
        about: "Python, second generation, signature v3",
        runtime: Runtime::Python,
        program: &["gen2.py"],
        trust: Trust::Own,
    },
    Client {
        about: "Python, second generation, signature v1",
        runtime: Runtime::Python,
        program: &["gen2.py", "v2"],
        trust: Trust::Own,
    },
    Client {
        about: "Python, temporary keys",
        runtime: Runtime::Python,
        program: &["roles.py"],
        trust: Trust::Environment,
    },
    Client {
        about: "Node, first generation, by GET",
        runtime: Runtime::Node,
        program: &["pop-core.js", "GET"],
        trust: Trust::Own,
    },
    Client {
        about: "Node, first generation, by POST with a form",
        runtime: Runtime::Node,
        program: &["pop-core.js", "POST"],
        trust: Trust::Own,
    },
    Client {
        about: "Node, second generation, signature v3",
        runtime: Runtime::Node,
        program: &["gen2.js"],
        trust: Trust::Own,
    },
    Client {
        about: "Node, second generation, signature v1",
        runtime: Runtime::Node,
        program: &["gen2.js", "v2"],
        trust: Trust::Own,
    },
    Client {
        about: "Node, temporary keys",
        runtime: Runtime::Node,
        program: &["roles.js"],
        trust: Trust::Environment,
    },
    Client {
        about: "Go, first generation, signature v1",
        runtime: Runtime::Go,
        program: &["gen1"],
        trust: Trust::Own,
    },
    Client {
        about: "Go, second generation, signature v3",
        runtime: Runtime::Go,
        program: &["gen2"],
        trust: Trust::Own,
    },
    Client {
        about: "Go, second generation, signature v1",
        runtime: Runtime::Go,
        program: &["gen2", "v2"],
        trust: Trust::Own,
    },
    Client {
        about: "Go, temporary keys",
        runtime: Runtime::Go,
        program: &["roles"],
        trust: Trust::Environment,
    },
];

impl Client {
    /// Runs the client against an emulator that nobody used before: its exit code and its output.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<(Option<i32>, String)> {
        say(format_args!("      {}", self.about));
        let state = workspace.sdks().join("state");
        remove(&state)?;
        fs::create_dir_all(&state).with_context(|| format!("cannot create {}", state.display()))?;
        let network = Network::start(workspace, &state)?;
        let outcome = process::finish(&mut self.command(workspace, &network)?, Echo::Live)?;
        network.stop()?;
        remove(&state)?;
        Ok(outcome)
    }

    fn command(&self, workspace: &Workspace, network: &Network) -> Result<Command> {
        let program = match self.runtime {
            Runtime::Python => python::sdks(workspace).python(),
            Runtime::Node => PathBuf::from("node"),
            // Nothing is built anew that was built before.
            Runtime::Go => golang::build_sdks(workspace)?,
        };
        let mut client = network.client();
        client
            .arg(program)
            .args(self.program)
            .current_dir(self.directory(workspace));
        client
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NODE_PATH", packages::node_modules(workspace));
        match self.trust {
            Trust::Own => {}
            Trust::Environment => {
                client
                    .env("SSL_CERT_FILE", network.ca()?)
                    .env("NODE_EXTRA_CA_CERTS", network.ca()?);
            }
        }
        Ok(client)
    }

    fn directory(&self, workspace: &Workspace) -> PathBuf {
        let name = match self.runtime {
            Runtime::Python => "python",
            Runtime::Node => "node",
            Runtime::Go => "go",
        };
        workspace.root().join("tests/sdk").join(name)
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_has_its_program() {
        let workspace = Workspace::find().unwrap();
        for client in &CLIENTS {
            let name = match client.runtime {
                Runtime::Python | Runtime::Node => client.program[0],
                Runtime::Go => "main.go",
            };
            let program = client.directory(&workspace).join(name);
            assert!(program.exists(), "{} is missing", program.display());
        }
    }
}
