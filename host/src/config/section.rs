//! A TOML table that must be read completely.
//!
//! Each getter remembers its key; `finish` refuses whatever was not asked for. So the set of known keys
//! is the set of keys the code reads, and the two cannot drift apart.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use super::ConfigError;
use super::units::{bytes, duration};

pub(super) struct Section<'a> {
    file: &'a Path,
    prefix: String,
    table: &'a Table,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn root(file: &'a Path, table: &'a Table) -> Self {
        Self {
            file,
            prefix: String::new(),
            table,
            known: Vec::new(),
        }
    }

    pub(super) fn section(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Section<'a>>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Section {
                file: self.file,
                prefix: self.full(key) + ".",
                table,
                known: Vec::new(),
            })),
            Some(other) => Err(self.wrong_type(key, "a table", other)),
        }
    }

    /// Tables under keys of the operator's choosing.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(&'a str, Section<'a>)>, ConfigError> {
        let prefix = self.full(key);
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Value::Table(sections) = value else {
            return Err(self.wrong_type(key, "a table of tables", value));
        };
        let section = |(name, value): (&'a String, &'a Value)| {
            let Value::Table(table) = value else {
                return Err(self.wrong_type(&format!("{key}.{name}"), "a table", value));
            };
            let section = Section {
                file: self.file,
                prefix: format!("{prefix}.{name}."),
                table,
                known: Vec::new(),
            };
            Ok((name.as_str(), section))
        };
        sections.iter().map(section).collect()
    }

    pub(super) fn string(&mut self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(key, "a string", other)),
        }
    }

    pub(super) fn strings(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Vec<&'a str>>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let Value::Array(items) = value else {
            return Err(self.wrong_type(key, "a list of strings", value));
        };
        let text = |item: &'a Value| {
            item.as_str()
                .ok_or_else(|| self.wrong_type(key, "a list of strings only", item))
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A table of strings under keys of the operator's choosing.
    pub(super) fn named_strings(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(&'a str, &'a str)>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Value::Table(table) = value else {
            return Err(self.wrong_type(key, "a table of strings", value));
        };
        let pair = |(name, value): (&'a String, &'a Value)| match value.as_str() {
            Some(text) => Ok((name.as_str(), text)),
            None => Err(self.wrong_type(&format!("{key}.{name}"), "a string", value)),
        };
        table.iter().map(pair).collect()
    }

    /// A table of numbers under keys of the operator's choosing.
    pub(super) fn named_counts(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(&'a str, u32)>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Value::Table(table) = value else {
            return Err(self.wrong_type(key, "a table of numbers", value));
        };
        let pair = |(name, value): (&'a String, &'a Value)| match as_count(value) {
            Some(count) => Ok((name.as_str(), count)),
            None => Err(self.wrong_type(&format!("{key}.{name:?}"), "a whole number", value)),
        };
        table.iter().map(pair).collect()
    }

    /// A file, by a path that means the same wherever the host was started: an absolute one, or one beneath the
    /// directory of the driver's file, which may be copied with it to another place.
    pub(super) fn file(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        let found = self.file_named(text);
        let found = found.map_err(|reason| self.bad(key, format!("is {text:?}, which {reason}")));
        found.map(Some)
    }

    /// The same of what was written somewhere; else why it is none, as the end of a sentence.
    pub(super) fn file_named(&self, text: &str) -> Result<PathBuf, String> {
        let named = Path::new(text);
        if named.is_absolute() {
            return Ok(named.to_owned());
        }
        let is_name = |part| matches!(part, Component::Normal(_));
        if text.is_empty() || !named.components().all(is_name) {
            return Err(
                "is neither an absolute path nor one beneath the directory of this file".to_owned(),
            );
        }
        let beside = self.file.parent().unwrap_or(Path::new("/")).join(named);
        std::path::absolute(beside).map_err(|error| format!("leads nowhere: {error}"))
    }

    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<u32>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        as_count(value)
            .map(Some)
            .ok_or_else(|| self.wrong_type(key, "a whole number", value))
    }

    /// `"100s"`, `"500ms"`, `"2m"`.
    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        duration(text)
            .map(Some)
            .map_err(|reason| self.bad(key, format!("is {reason}")))
    }

    /// `"64Mi"`, `"512Ki"`.
    pub(super) fn bytes(&mut self, key: &'static str) -> Result<Option<usize>, ConfigError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        bytes(text)
            .map(Some)
            .map_err(|reason| self.bad(key, format!("is {reason}")))
    }

    /// Refuses the first key that nobody asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some(key) = self
            .table
            .keys()
            .find(|key| !self.known.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let nearest = self
            .known
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
        Err(ConfigError::UnknownKey {
            file: self.file.to_owned(),
            key: self.full(key),
            nearest: nearest.map(|known| self.full(known)),
        })
    }

    pub(super) fn missing(&self, key: &str) -> ConfigError {
        self.bad(key, "is missing".to_owned())
    }

    /// The section as a whole could be left out.
    pub(super) fn useless(&self) -> ConfigError {
        let known = self.known.join(", ");
        ConfigError::BadValue {
            file: self.file.to_owned(),
            key: self.prefix.trim_end_matches('.').to_owned(),
            reason: format!("allows nothing; its keys are {known}"),
        }
    }

    pub(super) fn bad(&self, key: &str, reason: String) -> ConfigError {
        ConfigError::BadValue {
            file: self.file.to_owned(),
            key: self.full(key),
            reason,
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.get(key)
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn wrong_type(&self, key: &str, expected: &str, value: &Value) -> ConfigError {
        self.bad(key, format!("must be {expected}, not {}", value.type_str()))
    }
}

fn as_count(value: &Value) -> Option<u32> {
    u32::try_from(value.as_integer()?).ok()
}
