//! What a file of Rust defines, imports and names, module by module. What is built for tests only is left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tokens::{Token, is_word, tokens};

/// A module: of a whole file, or inside of one.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    /// From the crate's root, which is empty.
    pub(crate) path: Vec<String>,
    /// Names of what it defines, its own modules left out.
    pub(crate) items: BTreeSet<String>,
    /// Names it knows by `use`, and what stands behind each.
    pub(crate) imports: Vec<(String, Vec<String>)>,
    /// `use` of all that a module has.
    pub(crate) globs: Vec<Mention>,
    /// Every path, those of `use` among them.
    pub(crate) mentions: Vec<Mention>,
    /// Modules of its own that are built for tests only.
    pub(crate) tests: Vec<Vec<String>>,
}

/// A path in the code.
#[derive(Debug, Clone)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

const DEFINING: [&str; 8] = [
    "fn", "struct", "enum", "union", "trait", "type", "const", "static",
];

/// All modules in a file; the first is the file's own.
pub(crate) fn modules(file: &Path, path: &[String], text: &str) -> Vec<Module> {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        found: Vec::new(),
    };
    reader.module(file, path.to_vec());
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<Module>,
}

impl Reader<'_> {
    /// To the end of the module.
    fn module(&mut self, file: &Path, path: Vec<String>) {
        let mut module = Module {
            file: file.to_owned(),
            path,
            items: BTreeSet::new(),
            imports: Vec::new(),
            globs: Vec::new(),
            mentions: Vec::new(),
            tests: Vec::new(),
        };
        let place = self.found.len();
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.word(0) {
                "}" if depth == 0 => break,
                "}" => depth -= 1,
                "{" => depth += 1,
                "#" if self.is_for_tests() => {
                    self.attribute();
                    self.leave_out_item(&mut module);
                    continue;
                }
                "use" if self.word(1) != "<" => {
                    self.at += 1;
                    self.import(&[], &mut module);
                    continue;
                }
                "mod" if self.word(2) == "{" => {
                    let inner = [&module.path[..], &[self.word(1).to_owned()]].concat();
                    self.at += 3;
                    self.module(file, inner);
                }
                // Who may see something is no use of it.
                "pub" if self.word(2) == "in" => self.skip_to(")"),
                "macro_rules" => drop(module.items.insert(self.word(2).to_owned())),
                word if depth == 0 && DEFINING.contains(&word) => {
                    let name = self.word(if self.word(1) == "mut" { 2 } else { 1 });
                    module.items.insert(name.to_owned());
                }
                word if is_word(word) && self.word(1) == "::" => {
                    self.path(&mut module);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.found.insert(place, module);
    }

    /// The text of a token from here on; empty behind the end.
    fn word(&self, ahead: usize) -> &str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |token| &token.text)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }

    fn skip_to(&mut self, end: &str) {
        while self.at < self.tokens.len() && self.word(0) != end {
            self.at += 1;
        }
    }

    fn is_for_tests(&self) -> bool {
        let begin = |signs: &[&str]| {
            let mut ahead = signs.iter().enumerate();
            ahead.all(|(index, sign)| self.word(index) == *sign)
        };
        begin(&["#", "[", "cfg", "(", "test", ")"])
            || begin(&["#", "[", "cfg", "(", "all", "(", "test"])
    }

    /// Past `#[…]`.
    fn attribute(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.word(0) {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && self.at > 1 && self.tokens[self.at - 1].text == "]" {
                break;
            }
        }
    }

    /// Past what an attribute belongs to.
    fn leave_out_item(&mut self, module: &mut Module) {
        while self.word(0) == "#" {
            self.attribute();
        }
        let mut depth = 0_usize;
        let is_import = self.word(0) == "use";
        while self.at < self.tokens.len() {
            match self.word(0) {
                "mod" if depth == 0 && self.word(2) == ";" => {
                    let path = [&module.path[..], &[self.word(1).to_owned()]].concat();
                    module.tests.push(path);
                }
                "(" | "[" | "{" => depth += 1,
                // The end of what the item is a part of.
                ")" | "]" | "}" if depth == 0 => return,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            let is_end = self.word(0) == ";" || (self.word(0) == "}" && !is_import);
            self.at += 1;
            if depth == 0 && is_end {
                return;
            }
        }
    }

    /// `a::b`
    fn path(&mut self, module: &mut Module) {
        let line = self.line();
        let mut path = vec![self.word(0).to_owned()];
        while self.word(1) == "::" && is_word(self.word(2)) {
            path.push(self.word(2).to_owned());
            self.at += 2;
        }
        self.at += 1;
        // Behind it, what belongs to a type: `::<T>::new`.
        while self.word(0) == "::" {
            self.at += 1;
        }
        module.mentions.push(Mention { line, path });
    }

    /// `a::{b, c::{d as e, self}, f::*}`, from behind `use` or a comma on.
    fn import(&mut self, prefix: &[String], module: &mut Module) {
        let (line, mut path) = (self.line(), prefix.to_vec());
        loop {
            match self.word(0) {
                "::" => self.at += 1,
                "{" => return self.imports(&path, module),
                "*" => {
                    self.at += 1;
                    return module.globs.push(Mention { line, path });
                }
                word if is_word(word) && word != "as" => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                _ => break,
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.word(0) == "as" {
            name = self.word(1).to_owned();
            self.at += 2;
        }
        module.imports.push((name, path.clone()));
        module.mentions.push(Mention { line, path });
    }

    fn imports(&mut self, prefix: &[String], module: &mut Module) {
        self.at += 1;
        while self.at < self.tokens.len() && self.word(0) != "}" {
            match self.word(0) {
                "," => self.at += 1,
                _ => self.import(prefix, module),
            }
        }
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        modules(Path::new("a.rs"), &["a".into()], text)
            .iter()
            .flat_map(|module| &module.mentions)
            .map(|mention| format!("{} {}", mention.line, mention.path.join("::")))
            .collect()
    }

    #[test]
    fn lists_of_imports_are_taken_apart() {
        let text = "pub(crate) use super::{self, b, c::{\n    D as E, self},\n};";
        let found = ["1 super", "1 super::b", "2 super::c::D", "2 super::c"];
        assert_eq!(paths(text), found);
    }

    #[test]
    fn paths_inside_of_code_and_macros_are_seen() {
        let text = "fn f(x: super::A<crate::B>) -> T { g!(x, self::c::<u8>::d, \"e::f\") }";
        assert_eq!(paths(text), ["1 super::A", "1 crate::B", "1 self::c"]);
        assert!(paths("pub(in crate::b) struct A;").is_empty());
    }

    #[test]
    fn what_is_built_for_tests_is_left_out() {
        let text = "#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n use a::b; }\n\
                    #[cfg(test)]\nfn f(x: [u8; 1]) { a::b() }\nuse d::e;";
        assert_eq!(paths(text), ["9 d::e"]);
        let modules = modules(Path::new("a.rs"), &["a".into()], "#[cfg(test)]\nmod fake;");
        assert_eq!(modules[0].tests, [["a", "fake"]]);
    }

    #[test]
    fn a_module_inside_of_a_file_is_one_of_its_own() {
        let text =
            "const A: u8 = 1; mod b { struct C; fn f() { struct D; } } static mut E: u8 = 2;";
        let modules = modules(Path::new("a.rs"), &[], text);
        assert_eq!(modules[0].items, ["A", "E"].map(String::from).into());
        assert_eq!(modules[1].path, ["b"]);
        assert_eq!(modules[1].items, ["C", "f"].map(String::from).into());
    }
}
