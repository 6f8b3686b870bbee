//! Where two types differ first, as a path into them.

use std::fmt;

use super::shape::{Shape, Signature};

/// Where, and both sides of it.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    /// `result.ok.max-volumes`, `request.capacity`.
    path: String,
    found: String,
    expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            found,
            expected,
        } = self;
        write!(f, "{path} is {found}, and in the contract it is {expected}")
    }
}

/// Names of parameters do not count: nobody calls by them.
pub(super) fn between(expected: &Signature, found: &Signature) -> Option<Difference> {
    let (takes, has) = (found.parameters.len(), expected.parameters.len());
    if takes != has {
        return Some(Difference {
            path: "the function".to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        });
    }
    let parameters = expected.parameters.iter().zip(&found.parameters);
    let mut parameters = parameters
        .map(|((name, expected), (_, found))| (name.as_str(), Some(expected), Some(found)));
    let result = [("result", expected.result.as_ref(), found.result.as_ref())];
    parameters
        .by_ref()
        .chain(result)
        .find_map(|(name, expected, found)| either(name, expected, found))
}

/// Of two types, either of which may be missing.
fn either(path: &str, expected: Option<&Shape>, found: Option<&Shape>) -> Option<Difference> {
    match (expected, found) {
        (None, None) => None,
        (Some(expected), Some(found)) => differing(path, expected, found),
        (expected, found) => Some(told(path, &word(expected), &word(found))),
    }
}

fn word(side: Option<&Shape>) -> String {
    side.map_or_else(|| "nothing".to_owned(), Shape::to_string)
}

fn told(path: &str, expected: &str, found: &str) -> Difference {
    Difference {
        path: path.to_owned(),
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

fn differing(path: &str, expected: &Shape, found: &Shape) -> Option<Difference> {
    match (expected, found) {
        (Shape::List(expected), Shape::List(found)) => {
            differing(&format!("{path}[]"), expected, found)
        }
        (Shape::Option(expected), Shape::Option(found)) => differing(path, expected, found),
        (Shape::Result(ok, err), Shape::Result(found_ok, found_err)) => {
            let side = |name, expected: &Option<Box<Shape>>, found: &Option<Box<Shape>>| {
                either(
                    &format!("{path}.{name}"),
                    expected.as_deref(),
                    found.as_deref(),
                )
            };
            side("ok", ok, found_ok).or_else(|| side("err", err, found_err))
        }
        (Shape::Tuple(expected), Shape::Tuple(found)) => {
            let longest = expected.len().max(found.len());
            (0..longest)
                .find_map(|at| either(&format!("{path}.{at}"), expected.get(at), found.get(at)))
        }
        (Shape::Record(expected), Shape::Record(found)) => {
            parts(path, expected, found, |path, expected, found| {
                either(path, expected, found)
            })
        }
        (Shape::Cases(word, expected), Shape::Cases(found_word, found)) if word == found_word => {
            parts(path, expected, found, |path, expected, found| {
                match (expected, found) {
                    (Some(expected), Some(found)) => {
                        either(path, expected.as_ref(), found.as_ref())
                    }
                    (expected, found) => {
                        let word = |side: Option<&Option<Shape>>| match side {
                            None => "nothing".to_owned(),
                            Some(None) => "a case".to_owned(),
                            Some(Some(shape)) => format!("a case with {shape}"),
                        };
                        Some(told(path, &word(expected), &word(found)))
                    }
                }
            })
        }
        _ if expected == found => None,
        _ => Some(told(path, &expected.to_string(), &found.to_string())),
    }
}

/// Of named parts, whose order counts too.
fn parts<T>(
    path: &str,
    expected: &[(String, T)],
    found: &[(String, T)],
    differing: impl Fn(&str, Option<&T>, Option<&T>) -> Option<Difference>,
) -> Option<Difference> {
    let longest = expected.len().max(found.len());
    (0..longest).find_map(|at| {
        let inside = |name: &str| format!("{path}.{name}");
        let has = |parts: &[(String, T)], name: &str| parts.iter().any(|(other, _)| other == name);
        match (expected.get(at), found.get(at)) {
            (Some((name, expected)), Some((other, found))) if name == other => {
                differing(&inside(name), Some(expected), Some(found))
            }
            (Some((name, value)), _) if !has(found, name) => {
                differing(&inside(name), Some(value), None)
            }
            (_, Some((name, value))) if !has(expected, name) => {
                differing(&inside(name), None, Some(value))
            }
            (Some((name, _)), Some((other, _))) => {
                Some(told(&format!("part {} of {path}", at + 1), name, other))
            }
            // Each has the other's, and none twice: both are equally long.
            _ => None,
        }
    })
}
