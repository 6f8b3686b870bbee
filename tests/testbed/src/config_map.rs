//! A directory that is written as kubelet writes that of a mounted ConfigMap.
//!
//! The files lie in a dated directory. `..data` is a link to it, and a new content is one rename of that link; the names
//! that a pod sees are links through it, made once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// A mounted ConfigMap.
#[derive(Debug)]
pub struct ConfigMap {
    directory: PathBuf,
    /// What `..data` leads to.
    dated: Option<PathBuf>,
}

impl ConfigMap {
    /// At that path, with nothing in it yet.
    pub fn at(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self {
            directory: directory.to_owned(),
            dated: None,
        })
    }

    /// Where a pod would see it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes it hold these files and no others. The moment at which it did.
    pub fn write(&mut self, files: &[(&str, &[u8])]) -> Result<Instant> {
        self.replace(files)
            .with_context(|| format!("cannot write {}", self.directory.display()))
    }

    fn replace(&mut self, files: &[(&str, &[u8])]) -> Result<Instant> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let name = format!("..{}.{:09}", now.as_secs(), now.subsec_nanos());
        let dated = self.directory.join(&name);
        fs::create_dir(&dated)?;
        for (file, content) in files {
            fs::write(dated.join(file), content)?;
        }
        let beside = self.directory.join("..data_tmp");
        symlink(&name, &beside)?;
        fs::rename(&beside, self.directory.join("..data"))?;
        let swapped = Instant::now();
        self.show(files)?;
        if let Some(before) = self.dated.replace(dated) {
            fs::remove_dir_all(before)?;
        }
        Ok(swapped)
    }

    /// Lets the names that a pod sees be those of the files.
    fn show(&self, files: &[(&str, &[u8])]) -> Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let is_ours = name.to_string_lossy().starts_with("..");
            if !is_ours && !files.iter().any(|(file, _)| name == *file) {
                fs::remove_file(self.directory.join(name))?;
            }
        }
        for (file, _) in files {
            let visible = self.directory.join(file);
            if !visible.is_symlink() {
                symlink(Path::new("..data").join(file), visible)?;
            }
        }
        Ok(())
    }
}
