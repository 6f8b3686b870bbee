//! What a call brings: read from files, because a command line is everybody's to read.

use std::path::Path;

use anyhow::Context;
use drivebay::sys;
use drivebay::volume::{Secret, Secrets};

/// Each is its file's content, without blanks and line ends around it.
pub(in crate::commands) fn read(files: Vec<(String, String)>) -> anyhow::Result<Secrets> {
    let secrets = files.into_iter().map(|(name, file)| {
        let content = sys::read_key_file(Path::new(&file))
            .with_context(|| format!("cannot use {file} as secret {name:?}"))?;
        Ok((name, Secret::new(content.trim_ascii().to_vec())))
    });
    Ok(Secrets::bounded(secrets.collect::<anyhow::Result<_>>()?)?)
}
