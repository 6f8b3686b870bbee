//! Where a component that is run by hand is heard: shown to people, as lines of JSON for programs, and on a tape.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use clap::Args;
use drivebay::driver::{Exchange, Listener, tape_head};
use serde_json::Value;

use crate::commands::json_output::{harmless, printed};

/// What is wanted.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// In a dry run: print each question with its answer as a line of JSON, and what came of the operation as the last one
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// Write what the component asks, and what it is answered, to this file: a tape for --replay
    #[arg(
        long,
        value_name = "FILE",
        requires = "component",
        conflicts_with = "replay"
    )]
    record: Option<PathBuf>,
    /// Answer what the component asks from a tape, and fail where it asks something else
    #[arg(long, value_name = "FILE", requires = "component", conflicts_with_all = ["dry_run", "driver_file"])]
    pub(super) replay: Option<PathBuf>,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What the guest logs.
    Log,
    /// And each question with its answer.
    Exchanges,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Outputs {
    detail: Detail,
    form: Form,
    tape: Option<Arc<TapeFile>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// On stderr, beside the answer.
    People,
    /// On stdout, before it.
    Programs,
}

impl OutputArguments {
    pub(super) fn open(&self, detail: Detail) -> anyhow::Result<Outputs> {
        let tape = self.record.as_deref().map(TapeFile::create).transpose()?;
        Ok(Outputs {
            detail,
            form: match self.json {
                true => Form::Programs,
                false => Form::People,
            },
            tape: tape.map(Arc::new),
        })
    }
}

impl Outputs {
    /// What came of the operation: `{"result": …}` or `{"error": …}`. Says whether that was all that is to be told of it.
    ///
    /// # Errors
    /// Where the tape is not whole.
    pub(super) fn end(&self, end: &Value) -> anyhow::Result<bool> {
        if let Some(tape) = &self.tape {
            tape.end(&end.to_string())?;
        }
        if self.form == Form::Programs {
            say!("{}", printed(end));
        }
        Ok(self.form == Form::Programs)
    }
}

impl Listener for Outputs {
    fn log(&self, level: &'static str, message: &str) {
        if self.form == Form::People {
            aside!("guest {level}: {message}");
        }
    }

    fn call(&self, line: &str) {
        if self.form == Form::Programs {
            say!("{line}");
        }
        if let Some(tape) = &self.tape {
            tape.write(line);
        }
    }

    fn exchange(&self, exchange: &Exchange<'_>) {
        match (self.form, self.detail) {
            (Form::Programs, _) => say!("{}", harmless(&exchange.line())),
            (Form::People, Detail::Log) => {}
            (Form::People, Detail::Exchanges) => {
                if let Some(words) = exchange.in_words() {
                    aside!("{words}");
                }
            }
        }
        if let Some(tape) = &self.tape {
            tape.write(&exchange.line());
        }
    }
}

/// A tape that is written. It has signatures, and what lay in files: nobody else may read it.
#[derive(Debug)]
struct TapeFile {
    path: PathBuf,
    written: Mutex<io::Result<File>>,
}

impl TapeFile {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let tape = Self {
            path: path.to_owned(),
            written: Mutex::new(Ok(file)),
        };
        tape.write(&tape_head());
        Ok(tape)
    }

    /// What does not get there is told at the end.
    fn write(&self, line: &str) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(file) = &mut *written
            && let Err(error) = writeln!(file, "{line}")
        {
            *written = Err(error);
        }
    }

    fn end(&self, line: &str) -> anyhow::Result<()> {
        self.write(line);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = std::mem::replace(&mut *written, Err(io::Error::other("it is closed")));
        lost.map(drop)
            .with_context(|| format!("not all was written to {}", self.path.display()))
    }
}
