//! Which functions a guest was in when it ended, and on which lines of their author's source.
//!
//! Names are told wherever the component has them. Lines are told of a component that a person runs by hand: to find one
//! takes reading what a stranger wrote, which has no business in a process that serves.

use std::fmt::{self, Write};

use rustc_demangle::try_demangle;
use wasmtime::{FrameInfo, WasmBacktrace};

use crate::error::GuestText;
use crate::store::ComponentFile;

/// Longer names are shown as they are: mangling can make much of little, and to undo it takes time.
const LONGEST_MANGLED: usize = 4096;

/// Of a demangled name, in bytes, before it is cut to a name's length.
const LONGEST_DEMANGLED: usize = 1024;

/// How much the traces of a driver's guests tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TraceDetail {
    /// Functions.
    #[default]
    Functions,
    /// And lines of source, where the component has them.
    #[cfg(feature = "compiler")]
    Lines,
}

impl TraceDetail {
    /// Where lines of a guest are looked up.
    #[cfg_attr(
        not(feature = "compiler"),
        expect(unused_variables, reason = "the shim tells no lines of any file")
    )]
    pub(in crate::runtime) fn source(self, file: &ComponentFile) -> LineSource {
        match self {
            Self::Functions => LineSource::Untold,
            #[cfg(feature = "compiler")]
            Self::Lines => LineSource::Component(file.clone()),
        }
    }
}

/// Where lines of source are looked up.
#[derive(Debug)]
pub(in crate::runtime) enum LineSource {
    /// Nowhere.
    Untold,
    /// In what the guest was compiled from.
    #[cfg(feature = "compiler")]
    Component(ComponentFile),
}

impl LineSource {
    /// For each offset in a component the lines that stand there, as a trace shows them.
    fn lines(&self, offsets: &[usize]) -> Vec<String> {
        match self {
            Self::Untold => vec![String::new(); offsets.len()],
            #[cfg(feature = "compiler")]
            Self::Component(file) => {
                let lines = crate::store::source_lines(file, offsets);
                lines.iter().map(|lines| joined(lines)).collect()
            }
        }
    }
}

/// `demangled::name < its::caller < …`, innermost first.
pub(super) fn trace(error: &wasmtime::Error, source: &LineSource) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    let frames = trace.frames();
    let offset = |frame: &FrameInfo| frame.module_offset().unwrap_or(usize::MAX);
    let offsets: Vec<usize> = frames.iter().map(offset).collect();
    let lines = source.lines(&offsets);
    let told: Vec<String> = frames.iter().zip(&lines).map(frame).collect();
    joined(&told)
}

/// What was called stands before its caller.
fn joined(called: &[impl ToString]) -> String {
    let called: Vec<String> = called.iter().map(ToString::to_string).collect();
    called.join(" < ")
}

/// Where in the module stands beside the name, for who has the module and no names in it.
fn frame((frame, lines): (&FrameInfo, &String)) -> String {
    let name = match frame.func_name() {
        Some(name) => demangled(name).to_string(),
        None => format!("function {}", frame.func_index()),
    };
    match (frame.module_offset(), lines.as_str()) {
        (Some(offset), "") => format!("{name} ({offset:#x})"),
        (Some(offset), lines) => format!("{name} ({lines}, {offset:#x})"),
        (None, _) => name,
    }
}

/// Rust's names, without their hash; other languages' as they are.
fn demangled(name: &str) -> GuestText {
    match try_demangle(name) {
        Ok(symbol) if name.len() <= LONGEST_MANGLED => {
            let mut bounded = Bounded(String::new());
            // It ends with an error where it would be too long; what was written until then counts.
            let _ = write!(bounded, "{symbol:#}");
            GuestText::name(&bounded.0)
        }
        Ok(_) | Err(_) => GuestText::name(name),
    }
}

/// Takes so much and no more: a name of some hundred bytes can stand for one without end.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST_DEMANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_and_bounded() {
        for (name, expected) in [
            ("_ZN5guest5stage17h0123456789abcdefE", "guest::stage"),
            ("_RNvCs1234_5guest5stage", "guest::stage"),
            ("main.stage", "main.stage"),
            ("a\u{202e}\n", r"a\u{202e}\n"),
        ] {
            assert_eq!(demangled(name).as_str(), expected);
        }
        assert_eq!(demangled(&"x".repeat(2 << 20)).len(), 128);
        let mut bounded = Bounded(String::new());
        assert!(
            (0..)
                .try_for_each(|level| write!(bounded, "a::b{level}"))
                .is_err()
        );
        assert!(bounded.0.len() <= LONGEST_DEMANGLED);
    }
}
