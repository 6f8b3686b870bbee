//! One call-out, shown: what is exec'd, what comes back, how long it took.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::steps::say;

/// Runs a call-out, prints it, and returns its answer, which has to be a success.
pub(super) fn run(mut command: Command, arguments: &[&str]) -> Result<Value> {
    let program = Path::new(command.get_program());
    let names = program.iter().rev().take(2).collect::<Vec<_>>();
    let names: Vec<_> = names
        .iter()
        .rev()
        .map(|name| name.to_string_lossy())
        .collect();
    let (first, rest) = arguments.split_first().context("a call-out has a name")?;
    say(format_args!("    exec  {} {first}", names.join("/")));
    for argument in rest {
        say(format_args!("            {argument}"));
    }
    let started = Instant::now();
    let output = command
        .args(arguments)
        .output()
        .context("cannot run the shim")?;
    let took = started.elapsed().as_secs_f64() * 1000.0;
    let text = String::from_utf8_lossy(&output.stdout);
    say(format_args!("          {}   ({took:.1} ms)", text.trim()));
    ensure!(
        output.status.success(),
        "the shim exited with {}",
        output.status
    );
    let answer: Value = serde_json::from_str(&text).context("the answer is not JSON")?;
    ensure!(answer["status"] == "Success", "the call-out failed");
    Ok(answer)
}

/// Options as kubelet writes them: its own and the volume's, sorted, all strings.
pub(super) fn options(readwrite: &str, volume: &[(&str, &str)]) -> String {
    let kubelets = [
        ("kubernetes.io/fsType", ""),
        ("kubernetes.io/pvOrVolumeName", "data"),
        ("kubernetes.io/readwrite", readwrite),
    ];
    let pairs = kubelets.iter().chain(volume);
    let object: Map<String, Value> = pairs
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
        .collect();
    Value::Object(object).to_string()
}
