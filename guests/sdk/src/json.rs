//! JSON, as APIs answer it: read whole, then asked by name. Pure.
//!
//! Written here because of its size: what serde derives for the types of one cloud's API takes more room than a whole
//! guest. APIs write one and the same field as a number, as a string or not at all, depending on their age, so every
//! question is answered leniently; only text that is no JSON is an error.
//!
//! Answers are never given back: an instance lives for one call. So whatever is read from one may point into it, instead
//! of being copied and dropped all over a guest.
//!
//! ```
//! use drivebay_guest::json::Json;
//!
//! let answer = Json::read(br#"{"Disks": {"Disk": [{"Size": "20", "Encrypted": "false"}]}}"#)?;
//! let disk = &answer.list("Disks", "Disk")[0];
//! assert_eq!((disk.number("Size"), disk.flag("Encrypted")), (Some(20), false));
//! assert_eq!(disk.some_text("Zone"), None);
//! # Ok::<(), String>(())
//! ```

/// One value.
#[derive(Debug, PartialEq)]
pub enum Json {
    /// `null`, or nothing.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// As it was written: nobody calculates with what is no integer.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// Names and values, in their order.
    Object(Vec<(String, Json)>),
}

/// Deeper than APIs nest; an answer cannot exhaust the stack.
const MAX_DEPTH: usize = 32;

impl Json {
    /// Read a whole document; the error says where it stops making sense.
    pub fn read(bytes: &[u8]) -> Result<&'static Self, String> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        match reader.peek() {
            None => Ok(Box::leak(Box::new(value))),
            Some(_) => Err(reader.nonsense("end")),
        }
    }

    /// The value of a field; null where there is none.
    pub fn field(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else {
            return &Self::Null;
        };
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or(&Self::Null, |(_, value)| value)
    }

    /// A field as text; empty where it is absent.
    pub fn text(&self, name: &str) -> &str {
        match self.field(name) {
            Self::Text(text) | Self::Number(text) => text,
            Self::Flag(true) => "true",
            Self::Flag(false) => "false",
            Self::Null | Self::List(_) | Self::Object(_) => "",
        }
    }

    /// A field as text, where it is there and not empty.
    pub fn some_text(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A field as a number that counts something.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    /// Whether a field says yes.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("true")
    }

    /// A list within an object, as some clouds wrap each: `{"Disks": {"Disk": [...]}}`. Empty where there is none.
    pub fn list(&self, outer: &str, inner: &str) -> &[Self] {
        match self.field(outer).field(inner) {
            Self::List(items) => items,
            Self::Null | Self::Flag(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => &[],
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn nonsense(&self, expected: &str) -> String {
        format!("it has no {expected} at byte {}", self.at as u64)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, expected: &str) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.starts_with(expected.as_bytes());
        if found {
            self.at += expected.len();
        }
        found
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        if self.take(expected) {
            return Ok(());
        }
        Err(self.nonsense(expected))
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > MAX_DEPTH {
            return Err(self.nonsense("end of its depth"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.expect("true").map(|()| Json::Flag(true)),
            Some(b'f') => self.expect("false").map(|()| Json::Flag(false)),
            Some(b'n') => self.expect("null").map(|()| Json::Null),
            _ => Err(self.nonsense("value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        let mut fields = Vec::new();
        self.expect("{")?;
        self.skip_space();
        if self.take("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.expect(":")?;
            fields.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take("}") {
                return Ok(Json::Object(fields));
            }
            self.expect(",")?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        let mut items = Vec::new();
        self.expect("[")?;
        self.skip_space();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            self.expect(",")?;
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(Json::Number(self.since(start)?.into()))
    }

    /// What was passed over.
    fn since(&self, start: usize) -> Result<&str, String> {
        let passed = self.bytes.get(start..self.at).unwrap_or_default();
        std::str::from_utf8(passed).map_err(|_| self.nonsense("UTF-8"))
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect("\"")?;
        let mut string = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // Only ASCII ends a run, so that it never ends within a character.
            string += self.since(start)?;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escaped()?),
                _ => return Err(self.nonsense("end of its string")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        self.expect("\\")?;
        let escape = self.peek().ok_or_else(|| self.nonsense("escape"))?;
        self.at += 1;
        match escape {
            b'"' | b'\\' | b'/' => Ok(char::from(escape)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err(self.nonsense("known escape")),
        }
    }

    /// Beyond the first plane a character is written as two halves.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.take("\\u") {
            let second = self.four_digits()?;
            0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
        } else {
            first
        };
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.nonsense("four digits"))?;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> &'static Json {
        Json::read(text.as_bytes()).expect("good JSON")
    }

    #[test]
    fn an_answer_is_asked_by_name() {
        let answer = read(r#" {"Disks":{"Disk":[{"Size": 20, "Encrypted":false}]},"N":null} "#);
        let disks = answer.list("Disks", "Disk");
        assert_eq!(disks.len(), 1);
        assert_eq!(disks[0].number("Size"), Some(20));
        assert!(!disks[0].flag("Encrypted") && answer.text("N").is_empty());
    }

    #[test]
    fn numbers_and_flags_may_come_as_text() {
        let answer = read(r#"{"SourceDiskSize":"40","Available":"True","Id":12}"#);
        assert_eq!(answer.number("SourceDiskSize"), Some(40));
        assert!(answer.flag("Available"));
        assert_eq!(answer.text("Id"), "12");
    }

    #[test]
    fn what_is_not_there_is_empty_and_never_an_error() {
        for text in [
            "[]",
            "{}",
            "null",
            r#"{"Disks":[]}"#,
            r#"{"Disks":{"Disk":{}}}"#,
        ] {
            let answer = read(text);
            assert!(answer.list("Disks", "Disk").is_empty());
            assert_eq!((answer.number("x"), answer.some_text("x")), (None, None));
        }
    }

    #[test]
    fn escapes_are_read() {
        let escaped = read(r#"["a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00\ud800x"]"#);
        let text = "a\"\\/\u{8}\u{c}\n\r\té\u{e9}\u{1f600}\u{fffd}x";
        assert_eq!(escaped, &Json::List(vec![Json::Text(text.into())]));
    }

    #[test]
    fn what_is_no_json_is_refused_with_the_place() {
        for text in [
            "",
            "{",
            "[1",
            "{\"a\"",
            "{\"a\":1,}",
            "nul",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "<html>",
            "{} x",
            "\"\u{1}\"",
            "\"\\ué123\"",
        ] {
            let reason = Json::read(text.as_bytes()).expect_err(text);
            assert!(reason.contains("at byte"), "{reason}");
        }
        assert!(Json::read(&[b'"', 0xff, b'"']).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(Json::read("[".repeat(100_000).as_bytes()).is_err());
    }
}
