//! Which file imports which, and the circles they form.
//!
//! A file imports another if it names something that is defined there. `mod x;` alone is no import; a name that passes
//! through other files by `use` is followed to where it is defined. Read from the source as text: calls of methods are
//! not seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::module::{Mention, Module, modules};
use crate::{read, rust_files};

/// The imports of one crate.
#[derive(Debug)]
pub struct ImportGraph {
    files: Vec<PathBuf>,
    /// What each file imports, and the first path that names it.
    imports: Vec<BTreeMap<usize, Mention>>,
}

/// Files of which each imports the next, and the last the first.
#[derive(Debug)]
pub struct Circle(Vec<Import>);

#[derive(Debug)]
struct Import {
    from: PathBuf,
    mention: Mention,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for import in &self.0 {
            write!(f, "{} → ", import.from.display())?;
        }
        let first = self.0.first().map(|import| import.from.display());
        first.map_or(Ok(()), |first| writeln!(f, "{first}"))?;
        for Import { from, mention } in &self.0 {
            let (line, path) = (mention.line, mention.path.join("::"));
            writeln!(f, "    {}:{line}: {path}", from.display())?;
        }
        Ok(())
    }
}

impl ImportGraph {
    /// Of the crate with that name whose sources are there.
    pub fn of_crate(name: &str, sources: &Path) -> Self {
        let files = rust_files(sources).into_iter().map(|file| {
            let text = read(&file);
            let file = file.strip_prefix(sources).map(Path::to_owned);
            (file.unwrap_or_default(), text)
        });
        Self::of_texts(name, files)
    }

    fn of_texts(name: &str, texts: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let names = Names::of(name, texts);
        let files: BTreeSet<&Path> = names.all().map(|module| module.file.as_path()).collect();
        let files: Vec<PathBuf> = files.into_iter().map(Path::to_owned).collect();
        let mut imports = vec![BTreeMap::new(); files.len()];
        for module in names.all() {
            let place = |file: &PathBuf| files.binary_search(file);
            for (file, mention) in names.imported_by(module) {
                if let (Ok(from), Ok(to)) = (place(&module.file), place(&file))
                    && from != to
                {
                    imports[from].entry(to).or_insert_with(|| mention.clone());
                }
            }
        }
        Self { files, imports }
    }

    /// The shortest first. One that has an import in common with a shorter one is left out.
    pub fn circles(&self) -> Vec<Circle> {
        let froms = self.imports.iter().enumerate();
        let edges = froms.flat_map(|(from, imports)| imports.keys().map(move |to| (from, *to)));
        let mut ways: Vec<_> = edges.filter_map(|(from, to)| self.way(to, from)).collect();
        ways.sort_by_key(Vec::len);
        let mut seen = BTreeSet::new();
        ways.retain(|way| {
            let next = way.iter().cycle().skip(1);
            let edges: BTreeSet<_> = way.iter().zip(next).collect();
            let is_new = seen.is_disjoint(&edges.iter().map(|(a, b)| (**a, **b)).collect());
            seen.extend(edges.iter().map(|(a, b)| (**a, **b)).filter(|_| is_new));
            is_new
        });
        ways.into_iter().map(|way| self.circle(way)).collect()
    }

    /// The fewest files that lead from one to the other, both included.
    fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut before = vec![None; self.files.len()];
        before[from] = Some(from);
        let mut open = VecDeque::from([from]);
        while let Some(file) = open.pop_front() {
            if file == to {
                let back = |file: &usize| before[*file].filter(|before| before != file);
                let mut way: Vec<_> = std::iter::successors(Some(file), back).collect();
                way.reverse();
                return Some(way);
            }
            for next in self.imports[file].keys() {
                if before[*next].is_none() {
                    before[*next] = Some(file);
                    open.push_back(*next);
                }
            }
        }
        None
    }

    /// Beginning with the first in the order of names.
    fn circle(&self, mut way: Vec<usize>) -> Circle {
        let first = (0..way.len()).min_by_key(|index| self.files[way[*index]].as_os_str());
        way.rotate_left(first.unwrap_or_default());
        let next = way.iter().cycle().skip(1);
        let imports = way.iter().zip(next).map(|(from, to)| Import {
            from: self.files[*from].clone(),
            mention: self.imports[*from][to].clone(),
        });
        Circle(imports.collect())
    }
}

/// What is being looked up, a name in a module each: `use a::a` asks for itself.
type Open = Vec<(Vec<String>, String)>;

/// What the paths of a crate mean.
struct Names {
    /// The crate, as its binaries name it.
    name: String,
    /// By path; a crate has a root for each of its binaries.
    modules: BTreeMap<Vec<String>, Vec<Module>>,
}

/// A name can mean a module and something else at once.
#[derive(Default)]
struct Found {
    module: Option<Vec<String>>,
    /// The file that defines it.
    item: Option<PathBuf>,
}

impl Names {
    fn of(name: &str, files: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let found = files
            .into_iter()
            .flat_map(|(file, text)| modules(&file, &module_path(&file), &text));
        let found: Vec<Module> = found.collect();
        let tests: Vec<Vec<String>> = found.iter().flat_map(|m| m.tests.clone()).collect();
        let mut modules: BTreeMap<_, Vec<Module>> = BTreeMap::new();
        for module in found {
            if !tests.iter().any(|test| module.path.starts_with(test)) {
                modules.entry(module.path.clone()).or_default().push(module);
            }
        }
        let name = name.replace('-', "_");
        Self { name, modules }
    }

    fn all(&self) -> impl Iterator<Item = &Module> {
        self.modules.values().flatten()
    }

    /// The files that define what a module names.
    fn imported_by<'a>(
        &'a self,
        module: &'a Module,
    ) -> impl Iterator<Item = (PathBuf, &'a Mention)> {
        let mentions = module.mentions.iter().filter_map(|mention| {
            let found = self.resolve(&module.path, &mention.path, &mut Open::new());
            Some((found.item?, mention))
        });
        let globs = module.globs.iter().filter_map(|glob| {
            let found = self.resolve(&module.path, &glob.path, &mut Open::new());
            let file = found.module.and_then(|path| self.file(&path));
            Some((file.or(found.item)?, glob))
        });
        mentions.chain(globs)
    }

    fn file(&self, module: &[String]) -> Option<PathBuf> {
        let modules = self.modules.get(module)?;
        modules.first().map(|module| module.file.clone())
    }

    /// What a path means inside of a module.
    fn resolve(&self, module: &[String], path: &[String], open: &mut Open) -> Found {
        let mut found = Found {
            module: Some(module.to_vec()),
            item: None,
        };
        for (index, name) in path.iter().enumerate() {
            // What belongs to a type is where the type is.
            let Some(inside) = found.module.take() else {
                return found;
            };
            let parent = inside.split_last().map(|(_, parent)| parent.to_vec());
            found.item = None;
            match (name.as_str(), index) {
                ("crate", 0) => found.module = Some(Vec::new()),
                ("self", 0) => found.module = Some(inside),
                ("super", _) => found.module = parent,
                (name, 0) if name == self.name => found.module = Some(Vec::new()),
                (name, 0) => found = self.look_up(&inside, name, open),
                (name, _) => {
                    found = self.look_up(&inside, name, open);
                    if found.module.is_none() && found.item.is_none() {
                        // A macro made it.
                        found.item = self.file(&inside);
                    }
                }
            }
        }
        found
    }

    fn look_up(&self, path: &[String], name: &str, open: &mut Open) -> Found {
        let child = [path, &[name.to_owned()]].concat();
        let modules = || self.modules.get(path).into_iter().flatten();
        let mut found = Found {
            module: self.modules.contains_key(&child).then_some(child),
            item: modules()
                .find(|module| module.items.contains(name))
                .map(|module| module.file.clone()),
        };
        let asked = (path.to_vec(), name.to_owned());
        if open.contains(&asked) {
            return found;
        }
        open.push(asked);
        let imports = modules().flat_map(|module| &module.imports);
        for (_, behind) in imports.filter(|(known, _)| known == name) {
            let there = self.resolve(path, behind, open);
            found.module = found.module.or(there.module);
            found.item = found.item.or(there.item);
        }
        for glob in modules().flat_map(|module| &module.globs) {
            let there = self.resolve(path, &glob.path, open).module;
            if let (None, None, Some(there)) = (&found.module, &found.item, there) {
                found = self.look_up(&there, name, open);
            }
        }
        open.pop();
        found
    }
}

/// `a/b.rs` is `a::b`. What has no parent is a root.
fn module_path(file: &Path) -> Vec<String> {
    let stem = file.with_extension("");
    let parts = stem.iter().map(|part| part.to_string_lossy().into_owned());
    let path: Vec<String> = parts.collect();
    match path[..] {
        [ref root] if ["lib", "main", "shim"].contains(&root.as_str()) => Vec::new(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles, each in its first line.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(file, text)| (PathBuf::from(file), (*text).to_owned()));
        let circles = ImportGraph::of_texts("my-crate", files).circles();
        let first = |circle: &Circle| circle.to_string().lines().next().map(str::to_owned);
        circles.iter().filter_map(first).collect()
    }

    #[test]
    fn a_circle_is_found_and_named_from_its_first_file_on() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("c.rs", "use crate::a::A; struct C;"),
            ("a.rs", "struct A(super::b::B);"),
            ("b.rs", "struct B; fn f() { crate::c::C; }"),
        ];
        assert_eq!(circles(&files), ["a.rs → b.rs → c.rs → a.rs"]);
        let graph = ImportGraph::of_texts("x", files.map(|(f, t)| (f.into(), t.into())));
        let text = graph.circles()[0].to_string();
        assert!(text.contains("\n    a.rs:1: super::b::B\n"), "{text}");
    }

    #[test]
    fn the_shortest_comes_first() {
        let files = [
            ("a.rs", "use crate::b::B; struct A;"),
            ("b.rs", "use crate::{c::C, e::E}; struct B;"),
            ("e.rs", "use crate::c::C; struct E;"),
            ("c.rs", "use crate::{a::A, d::D}; struct C;"),
            ("d.rs", "use crate::c::C; struct D;"),
        ];
        // Of those through `b.rs` one is enough.
        let found = ["c.rs → d.rs → c.rs", "a.rs → b.rs → c.rs → a.rs"];
        assert_eq!(circles(&files), found);
    }

    #[test]
    fn a_child_that_uses_its_parent_and_is_used_by_it_is_a_circle() {
        let child = ("a/b.rs", "use super::A; struct B;");
        let both = [("a.rs", "mod b; struct A; fn f() { b::B; }"), child];
        assert_eq!(circles(&both), ["a.rs → a/b.rs → a.rs"]);
        assert!(circles(&[("a.rs", "mod b; struct A;"), child]).is_empty());
    }

    #[test]
    fn a_name_is_followed_through_re_exports_to_where_it_is_defined() {
        let child = ("a/b.rs", "use crate::d; struct B(d::C);");
        let exporting = ("a.rs", "mod b; pub(crate) use b::B as Bee;");
        let through = ("d.rs", "pub use crate::c::*;");
        let circle = ("c.rs", "use crate::a; struct C; fn f(x: a::Bee) {}");
        let files = [child, exporting, through, circle];
        assert_eq!(circles(&files), ["a/b.rs → c.rs → a/b.rs"]);
        // The child does not come by way of its parent when it uses what its sister has.
        let sister = ("a/c.rs", "use super::Bee;");
        assert!(circles(&[child, exporting, through, sister]).is_empty());
    }

    #[test]
    fn what_is_imported_as_a_module_is_seen_where_it_is_used() {
        let files = [
            ("a.rs", "use crate::{b, b::B as _}; fn f() { b::c::g() }"),
            ("b.rs", "mod c; struct B;"),
            ("b/c.rs", "fn g() { crate::a::f() }"),
        ];
        assert_eq!(circles(&files), ["a.rs → b/c.rs → a.rs"]);
    }

    #[test]
    fn what_is_for_tests_is_no_import() {
        let files = [
            ("lib.rs", "mod a; #[cfg(test)] mod fake;"),
            (
                "a.rs",
                "struct A; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            ("b.rs", "use crate::a::A; struct B;"),
            ("fake.rs", "use crate::a::A; mod b; struct F(b::B);"),
            ("fake/b.rs", "struct B(super::F);"),
        ];
        assert!(circles(&files).is_empty());
    }

    #[test]
    fn what_a_macro_defines_is_where_the_macro_is_called() {
        let files = [
            ("bindings.rs", "generate!({ with: crate::a::A });"),
            ("a.rs", "use crate::bindings::files::Directory; struct A;"),
            ("main.rs", "use my_crate::a::A; fn main() {}"),
        ];
        assert_eq!(circles(&files), ["a.rs → bindings.rs → a.rs"]);
    }
}
