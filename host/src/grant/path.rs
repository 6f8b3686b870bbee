//! Patterns for paths, of remote mounts and of requests alike.

use std::fmt;
use std::str::FromStr;

/// An exact path, or one that ends in `/**`: itself and everything beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// That path alone.
    Exact(String),
    /// That path and what lies beneath it.
    Beneath(String),
}

impl PathPattern {
    /// Whether the path is one of those meant. None is that could be read in another way than it is written.
    pub fn matches(&self, path: &str) -> bool {
        let is_meant = match self {
            Self::Exact(exact) => exact == path,
            Self::Beneath(parent) => path
                .strip_prefix(parent.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        is_meant && misread(path).is_none()
    }
}

impl FromStr for PathPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err("the path does not begin with /");
        }
        if misread(text).is_some() {
            return Err(
                "the path holds . or .., or what can be read as one or as /: no path that is asked for may",
            );
        }
        match text.strip_suffix("/**") {
            Some(parent) if !parent.contains('*') => Ok(Self::Beneath(parent.to_owned())),
            None if !text.contains('*') => Ok(Self::Exact(text.to_owned())),
            _ => Err("the only wildcard in a path is /** at its end"),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Beneath(parent) => write!(f, "{parent}/**"),
        }
    }
}

/// How a path could be read in another way than it is written.
///
/// The kernel takes a path's bytes as they are; what lies behind it may not. Servers and filesystems normalise names
/// (Unicode's NFKC: ZFS, APFS, HFS+), leave out characters that nobody sees (HFS+), take the nearest character of
/// another set, or a backslash for a slash (Windows).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misread {
    /// A name of it is `.` or `..`, or could be taken for one.
    Dots,
    /// It holds a character that could be taken for a slash.
    Slash(char),
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dots => f.write_str("holds . or .., or a name that can be read as one"),
            Self::Slash(c) => write!(f, "holds {c:?}, which can be read as /"),
        }
    }
}

/// Characters that become a slash, or hold one: by NFKC (`／`, `℀`, `℁`, `℅`, `℆`), or as the nearest of another set.
const SLASHES: [char; 8] = [
    '\u{2044}', '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2215}', '\u{29f8}', '\u{ff0f}',
];

/// The same for backslashes.
const BACKSLASHES: [char; 5] = ['\\', '\u{2216}', '\u{29f5}', '\u{fe68}', '\u{ff3c}'];

/// The same for dots, ideographic full stops among them, which host names take for dots.
const DOTS: [char; 6] = [
    '.', '\u{2024}', '\u{3002}', '\u{fe52}', '\u{ff0e}', '\u{ff61}',
];

/// The same for two dots.
const TWO_DOTS: [char; 2] = ['\u{2025}', '\u{fe30}'];

/// Whether anybody could read the path in another way than it is written.
pub fn misread(path: &str) -> Option<Misread> {
    let read: String = path
        .chars()
        .filter(|c| !is_unseen(*c))
        .map(read_as)
        .collect();
    // Windows drops blanks around a name.
    let mut names = read.split('/').map(str::trim);
    if names.any(|name| matches!(name, "." | "..")) {
        return Some(Misread::Dots);
    }
    let slash = path.chars().find(|c| SLASHES.contains(c));
    slash.map(Misread::Slash)
}

fn read_as(c: char) -> &'static str {
    match c {
        '/' => "/",
        c if SLASHES.contains(&c) || BACKSLASHES.contains(&c) => "/",
        c if DOTS.contains(&c) => ".",
        c if TWO_DOTS.contains(&c) => "..",
        c if c.is_whitespace() => " ",
        // Whichever it is, it makes a name that is no dots.
        _ => "x",
    }
}

/// What takes no room: Unicode's Default_Ignorable_Code_Point, of which HFS+ leaves out some.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_what_they_are() {
        for path in [
            "/",
            "/exports/a b",
            "/a..b/c.",
            "/...",
            "/\u{2026}",
            "/caf\u{e9}/\u{65e5}\u{672c}",
            r"/dev-disk\x2d1",
            "/.\u{200d}hidden",
            "/\u{bd}",
        ] {
            assert_eq!(misread(path), None, "{path:?}");
        }
    }

    #[test]
    fn what_anybody_could_take_for_dots_is_found() {
        for path in [
            "/exports/..",
            "/exports/./a",
            "/exports/\u{ff0e}\u{ff0e}/etc",
            "/exports/.\u{ff0e}/etc",
            "/exports/\u{2025}/etc",
            "/exports/\u{2024}\u{fe52}/etc",
            "/exports/\u{ff61}\u{3002}/etc",
            "/exports/.\u{200c}./etc",
            "/exports/.\u{feff}",
            "/exports/.. /etc",
            r"/exports/a\..\..\etc",
            "/exports/a\u{ff3c}..\u{ff3c}..",
            "/exports/a\u{ff0f}..\u{2215}..",
        ] {
            assert_eq!(misread(path), Some(Misread::Dots), "{path:?}");
        }
    }

    #[test]
    fn what_anybody_could_take_for_a_slash_is_found() {
        for c in SLASHES {
            assert_eq!(misread(&format!("/a{c}b")), Some(Misread::Slash(c)));
        }
    }

    #[test]
    fn no_pattern_means_a_path_that_could_be_read_in_another_way() {
        let beneath: PathPattern = "/exports/**".parse().expect("a pattern");
        assert!(beneath.matches("/exports/a"));
        for path in [
            "/exports/../etc",
            "/exports/\u{ff0e}\u{ff0e}/etc",
            "/exports/a\u{ff0f}b",
        ] {
            assert!(!beneath.matches(path), "{path:?}");
        }
        for pattern in ["/a/../b", "/a/\u{2025}/**", "/a\u{2044}b"] {
            assert!(pattern.parse::<PathPattern>().is_err(), "{pattern:?}");
        }
    }
}
