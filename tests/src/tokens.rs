//! A text of Rust as words and signs: comments and literals are left out.
//!
//! Enough to see who names whom without a compiler, over lines and inside of macros.

/// One of them, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// From one.
    pub(crate) line: usize,
    /// A word, a lifetime, `::` or one sign.
    pub(crate) text: String,
}

pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first);
        let (taken, left) = rest.split_at(length);
        if kind == Kind::Code {
            let text = taken.trim_start_matches("r#").to_owned();
            tokens.push(Token { line, text });
        }
        line += taken.matches('\n').count();
        rest = left;
    }
    tokens
}

pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[derive(PartialEq)]
enum Kind {
    Code,
    LeftOut,
}

/// What comes next, and its length in bytes.
fn next(text: &str, first: char) -> (Kind, usize) {
    if first.is_whitespace() {
        return (Kind::LeftOut, first.len_utf8());
    }
    if text.starts_with("//") {
        return (Kind::LeftOut, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Kind::LeftOut, block_comment(text));
    }
    if let Some(length) = literal(text) {
        return (Kind::LeftOut, length);
    }
    let length = match first {
        ':' if text.starts_with("::") => 2,
        '\'' => 1 + word(&text[1..]),
        'r' if text.starts_with("r#") => 2 + word(&text[2..]),
        c if continues_word(c) => word(text),
        c => c.len_utf8(),
    };
    (Kind::Code, length)
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word(text: &str) -> usize {
    text.find(|c| !continues_word(c)).unwrap_or(text.len())
}

/// They nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        match text.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a string or a character, with its prefix, if there is one.
fn literal(text: &str) -> Option<usize> {
    let prefix = text.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let (letters, body) = text.split_at(prefix);
    let hashes = body.len() - body.trim_start_matches('#').len();
    let is_raw = letters.ends_with('r');
    match body[hashes..].chars().next()? {
        '"' if is_raw => {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = prefix + hashes + 1;
            Some(begin + text[begin..].find(&end)? + end.len())
        }
        '"' if hashes == 0 => Some(prefix + quoted(body, '"')?),
        '\'' if hashes == 0 && !is_raw && is_character(body) => Some(prefix + quoted(body, '\'')?),
        _ => None,
    }
}

/// And no lifetime.
fn is_character(text: &str) -> bool {
    let mut inside = text.chars().skip(1);
    inside.next() == Some('\\') || inside.next() == Some('\'')
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut inside = text.char_indices().skip(1);
    while let Some((at, c)) = inside.next() {
        match c {
            '\\' => drop(inside.next()),
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(
            words(r#"a("b\"c", 'd', '\'', b'"', b"e")"#).concat(),
            "a(,,,,)"
        );
        assert_eq!(
            words("a(r#\"b \" c\"#, br\"d\\\") e"),
            ["a", "(", ",", ")", "e"]
        );
        assert_eq!(words("\"a\nb\" c"), ["c"]);
    }

    #[test]
    fn what_looks_like_a_literal_is_none() {
        assert_eq!(words("&'a str"), ["&", "'a", "str"]);
        assert_eq!(words("r#type bcr r"), ["type", "bcr", "r"]);
        assert_eq!(words("a::b:c"), ["a", "::", "b", ":", "c"]);
    }

    #[test]
    fn lines_are_counted_through_what_is_left_out() {
        let lines: Vec<usize> = tokens("a /*\n*/ \"\n\" b\nc")
            .iter()
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 3, 4]);
    }
}
