//! A share in memory, on which work can be cut off after any step.
//!
//! ```
//! use drivebay_guest::fake::{Cut, FakeTree};
//! use drivebay_guest::tree::Tree;
//!
//! fn make(tree: &dyn Tree) -> Result<(), drivebay_guest::types::Error> {
//!     tree.make_directory("volume", 0o755)?;
//!     tree.write("volume/record", b"made")
//! }
//!
//! let tree = FakeTree::new();
//! tree.cut_at(2, Cut::Before);
//! assert!(make(&tree).is_err() && tree.go_on());
//! assert_eq!(tree.text("volume/record"), None);
//! make(&tree).expect("a retry goes on from there");
//! assert_eq!(tree.text("volume/record").as_deref(), Some("made"));
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::bindings::files::FileStatus;
use crate::bindings::types::Error;
use crate::tree::{self, Tree};

/// What the host calls work that is not finished, and shows nobody.
pub const PARTIAL: &str = ".drivebay-partial";

/// Whether the step that is cut off has still happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// It has not.
    Before,
    /// Of a directory that is removed, what is in it is gone and itself not. Else as `Before`.
    Midway,
    /// It has, and nobody learned of it.
    After,
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    /// None: a directory.
    content: Option<Vec<u8>>,
    mode: u32,
    modified: u64,
}

/// What somebody else does in between.
type Meanwhile = Box<dyn FnOnce(&FakeTree)>;

/// The share.
pub struct FakeTree {
    nodes: RefCell<BTreeMap<String, Node>>,
    clock: Cell<u64>,
    /// Steps until the cut.
    left: Cell<Option<(usize, Cut)>>,
    /// After so many questions and steps.
    meanwhile: RefCell<Option<(usize, Meanwhile)>>,
    /// Of what the next question is not answered.
    out_of_reach: RefCell<Option<String>>,
    /// As the host has it, only smaller.
    most_listed: Cell<usize>,
    takes_capitals_for_small: bool,
}

impl Default for FakeTree {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FakeTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.nodes.borrow().keys()).finish()
    }
}

impl FakeTree {
    /// With nothing on it.
    pub fn new() -> Self {
        Self {
            nodes: RefCell::default(),
            clock: Cell::new(1_000),
            left: Cell::new(None),
            meanwhile: RefCell::default(),
            out_of_reach: RefCell::default(),
            most_listed: Cell::new(usize::MAX),
            takes_capitals_for_small: false,
        }
    }

    /// As some servers are.
    pub fn that_takes_capitals_for_small() -> Self {
        Self {
            takes_capitals_for_small: true,
            ..Self::new()
        }
    }

    /// Has something done by somebody else, between two questions or steps of whoever works here.
    pub fn meanwhile(&self, after: usize, work: impl FnOnce(&Self) + 'static) {
        self.meanwhile.replace(Some((after, Box::new(work))));
    }

    /// Whether there was an in between.
    pub fn had_meanwhile(&self) -> bool {
        self.meanwhile.take().is_none()
    }

    /// One question or step goes by.
    fn tick(&self) {
        let waiting = self.meanwhile.take();
        match waiting {
            Some((0, work)) => work(self),
            Some((left, work)) => drop(self.meanwhile.replace(Some((left - 1, work)))),
            None => {}
        }
    }

    /// From now on, larger directories are not listed.
    pub fn lists_at_most(&self, most: usize) {
        self.most_listed.set(most);
    }

    /// The next who asks what that is, or what lies in it, gets no answer; the ones after do.
    pub fn puts_out_of_reach_once(&self, path: &str) {
        self.out_of_reach.replace(Some(path.into()));
    }

    fn reach(&self, path: &str) -> Result<(), Error> {
        let is_it = self.out_of_reach.borrow().as_deref() == Some(path);
        match is_it.then(|| self.out_of_reach.take()).flatten() {
            Some(path) => Err(error!(Unavailable: "{path} is out of reach")),
            None => Ok(()),
        }
    }

    fn spelled(&self, path: &str) -> String {
        match self.takes_capitals_for_small {
            true => path.to_ascii_lowercase(),
            false => path.into(),
        }
    }

    /// From now on, everything ends at that step, as with kill -9.
    pub fn cut_at(&self, step: usize, cut: Cut) {
        self.left.set(Some((step, cut)));
    }

    /// The next process begins. Whether the cut had come.
    pub fn go_on(&self) -> bool {
        matches!(self.left.take(), Some((0, _)))
    }

    /// Puts a file somewhere, with the directories above it.
    pub fn put(&self, path: &str, content: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.make_all(above, 0o755);
        }
        self.set(path, Some(content.into()), 0o644);
    }

    /// What is in a file, if it is there and is text.
    pub fn text(&self, path: &str) -> Option<String> {
        let content = self.nodes.borrow().get(path)?.content.clone()?;
        String::from_utf8(content).ok()
    }

    /// Whether something is there.
    pub fn has(&self, path: &str) -> bool {
        self.nodes.borrow().contains_key(&self.spelled(path))
    }

    /// Permission bits of what is there.
    pub fn mode(&self, path: &str) -> u32 {
        self.nodes.borrow()[path].mode
    }

    /// Everything but the driver's empty directories.
    pub fn paths(&self) -> Vec<String> {
        let nodes = self.nodes.borrow();
        let kept = nodes
            .iter()
            .filter(|(path, node)| node.content.is_some() || !path.starts_with(".drivebay"));
        kept.map(|(path, _)| path.clone()).collect()
    }

    fn step<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.tick();
        self.work(work)
    }

    fn work<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let killed = || Err(Error::Unavailable("killed".into()));
        match self.left.get() {
            None => work(),
            Some((0, _)) => killed(),
            Some((1, cut)) => {
                self.left.set(Some((0, cut)));
                if cut == Cut::After {
                    drop(work());
                }
                killed()
            }
            Some((left, cut)) => {
                self.left.set(Some((left - 1, cut)));
                work()
            }
        }
    }

    fn set(&self, path: &str, content: Option<Vec<u8>>, mode: u32) {
        self.clock.set(self.clock.get() + 1);
        let node = Node {
            content,
            mode,
            modified: self.clock.get(),
        };
        self.nodes.borrow_mut().insert(self.spelled(path), node);
    }

    fn node(&self, path: &str) -> Result<Node, Error> {
        let node = self.nodes.borrow().get(&self.spelled(path)).cloned();
        node.ok_or_else(|| error!(NotFound: "no {path}"))
    }

    fn refuse_there(&self, path: &str) -> Result<(), Error> {
        match self.has(path) {
            true => Err(error!(AlreadyExists: "{path} is there")),
            false => Ok(()),
        }
    }

    fn require_parent(&self, path: &str) -> Result<(), Error> {
        let above = path.rsplit_once('/').map(|(above, _)| above);
        above.map_or(Ok(()), |above| self.node(above).map(drop))
    }

    fn make_all(&self, path: &str, mode: u32) {
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        for end in ends {
            if !self.has(&path[..end]) {
                let mode = if end == path.len() { mode } else { 0o755 };
                self.set(&path[..end], None, mode);
            }
        }
    }

    /// What is at and below a path, named from there.
    fn tree(&self, path: &str) -> Vec<(String, Node)> {
        let path = &*self.spelled(path);
        let nodes = self.nodes.borrow();
        let inside = nodes
            .iter()
            .filter_map(|(name, node)| Some((name.strip_prefix(path)?, node)));
        let inside = inside.filter(|(rest, _)| rest.is_empty() || rest.starts_with('/'));
        inside
            .map(|(rest, node)| (rest.into(), node.clone()))
            .collect()
    }

    fn plant(&self, path: &str, tree: Vec<(String, Node)>) {
        for (rest, node) in tree {
            self.nodes
                .borrow_mut()
                .insert(format!("{path}{rest}"), node);
        }
    }
}

impl Tree for FakeTree {
    fn look(&self, path: &str) -> Result<FileStatus, Error> {
        self.tick();
        self.reach(path)?;
        let node = self.node(path)?;
        let size = node.content.as_ref().map_or(0, Vec::len);
        Ok(FileStatus {
            kind: if node.content.is_some() {
                tree::FILE.into()
            } else {
                tree::DIRECTORY.into()
            },
            mode: node.mode,
            size_bytes: u64::try_from(size).expect("small"),
            mtime_seconds: node.modified,
        })
    }

    fn names(&self, directory: &str) -> Result<Vec<String>, Error> {
        self.tick();
        self.reach(directory)?;
        self.node(directory)?;
        let below = self.tree(directory).into_iter();
        let names = below.filter_map(|(rest, _)| Some(rest.strip_prefix('/')?.to_owned()));
        let names: Vec<_> = names
            .filter(|name| !name.contains('/') && !name.ends_with(PARTIAL))
            .collect();
        match names.len() <= self.most_listed.get() {
            true => Ok(names),
            false => Err(error!(Exhausted: "{directory} has too many")),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.tick();
        self.node(path)?
            .content
            .ok_or_else(|| Error::InvalidArgument("a directory".into()))
    }

    fn create(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.step(|| {
            self.require_parent(path)?;
            self.refuse_there(path)?;
            self.set(path, Some(content.into()), 0o600);
            Ok(())
        })
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.step(|| {
            self.require_parent(path)?;
            self.set(path, Some(content.into()), 0o600);
            Ok(())
        })
    }

    fn make_directory(&self, path: &str, mode: u32) -> Result<(), Error> {
        self.step(|| {
            self.make_all(path, mode);
            Ok(())
        })
    }

    fn set_mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        self.step(|| {
            let node = Node {
                mode,
                ..self.node(path)?
            };
            self.nodes.borrow_mut().insert(path.into(), node);
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.step(|| {
            self.node(from)?;
            self.refuse_there(to)?;
            let tree = self.tree(from);
            self.nodes
                .borrow_mut()
                .retain(|name, _| name != from && !name.starts_with(&format!("{from}/")));
            self.plant(to, tree);
            Ok(())
        })
    }

    fn remove_tree(&self, path: &str) -> Result<(), Error> {
        self.tick();
        if self.left.get() == Some((1, Cut::Midway)) {
            let inside = format!("{}/", self.spelled(path));
            self.nodes
                .borrow_mut()
                .retain(|name, _| !name.starts_with(&inside));
        }
        self.work(|| {
            let path = &*self.spelled(path);
            self.nodes
                .borrow_mut()
                .retain(|name, _| name != path && !name.starts_with(&format!("{path}/")));
            Ok(())
        })
    }

    fn remove_directory(&self, path: &str) -> Result<(), Error> {
        self.step(|| match self.tree(path).len() {
            0 => Ok(()),
            1 => {
                self.nodes.borrow_mut().remove(path);
                Ok(())
            }
            _ => Err(Error::FailedPrecondition("something is in it".into())),
        })
    }

    fn copy_tree(&self, from: &str, to: &str) -> Result<(), Error> {
        self.step(|| {
            self.node(from)?;
            self.require_parent(to)?;
            self.refuse_there(to)?;
            self.plant(to, self.tree(from));
            Ok(())
        })
    }

    /// `path NUL content NUL` for each file: as much of tar as is needed here.
    fn archive_tree(&self, from: &str, to: &str) -> Result<(), Error> {
        self.step(|| {
            self.node(from)?;
            self.require_parent(to)?;
            self.refuse_there(to)?;
            let mut archive = String::new();
            for (path, node) in self.tree(from) {
                if let Some(content) = node.content {
                    archive += &format!("{path}\0{}\0", String::from_utf8(content).expect("text"));
                }
            }
            self.set(to, Some(archive.into()), 0o600);
            Ok(())
        })
    }

    fn extract_archive(&self, from: &str, to: &str) -> Result<(), Error> {
        self.step(|| {
            let archive = String::from_utf8(self.read(from)?).expect("text");
            self.require_parent(to)?;
            self.refuse_there(to)?;
            self.make_all(to, 0o755);
            let mut parts = archive.split('\0');
            while let (Some(path), Some(content)) = (parts.next(), parts.next()) {
                self.put(&format!("{to}{path}"), content);
            }
            Ok(())
        })
    }

    fn available_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }
}
