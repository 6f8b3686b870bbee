//! Whether a component is of this contract, told from its types alone, before anything of it is compiled.
//!
//! Types are compared part by part, so that the message can name interface, function and field, and both types. What
//! the engine says by itself comes with each call only, and mostly without a name. Found is what a stranger wrote: its
//! types may stand for a million others in a thousand bytes, so they are counted first.

mod difference;
mod expansion;
mod instances;
mod shape;
mod world;

use std::fmt;

use difference::Difference;
use shape::Signature;
use world::{Interface, World};

pub(super) use world::Structure;

use super::imports::{Export, capability};
use crate::bindings::COMPONENT_TYPE;

/// Why a component is not compiled.
#[derive(Debug)]
pub(super) enum ContractError {
    /// It is no component, or a damaged one.
    NotAComponent(String),
    /// It is too much to be looked at.
    TooComplex(Complexity),
    /// A type is another one than the contract's.
    Misfit(Misfit),
}

/// What there is too much of; what there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complexity {
    /// Parts of types.
    Types(u64),
    /// Instances.
    Instances(u64),
    /// Names of imports and exports.
    Names(u64),
    /// Bytes of one of them.
    Name(u64),
}

/// The first place in which it differs.
#[derive(Debug)]
pub(super) struct Misfit {
    interface: String,
    function: String,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The contract has it, and what is exported has not.
    Missing { expected: Signature },
    /// It is imported, and the contract has it not.
    Unknown { found: Signature },
    /// A part of it is of another type.
    Differs(Difference),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interface,
            function,
            how,
        } = self;
        match how {
            How::Missing { expected } => {
                write!(
                    f,
                    "it exports {interface} without {function}, which the contract has as {expected}"
                )?;
            }
            How::Unknown { found } => {
                write!(
                    f,
                    "it imports {function} of {interface} as {found}, which this host does not have"
                )?;
            }
            How::Differs(difference) => write!(f, "in {function} of {interface}, {difference}")?,
        }
        write!(f, "; rebuild the component with this host's wit/ directory")
    }
}

/// Compares a component with the contract; nothing of it is compiled or run.
///
/// # Errors
/// [`ContractError`].
pub(super) fn compare(found: &Structure) -> Result<(), ContractError> {
    let contract = Structure::read(COMPONENT_TYPE)?;
    let contract = contract.world().ok_or_else(|| {
        ContractError::NotAComponent("the contract in this program is damaged".to_owned())
    })?;
    match first_misfit(&found.component(), &contract) {
        None => Ok(()),
        Some(misfit) => Err(ContractError::Misfit(misfit)),
    }
}

/// An export has to have all that the contract has, an import may have no more. Interfaces that are none of the
/// contract's are somebody else's to judge.
fn first_misfit(found: &World<'_>, contract: &World<'_>) -> Option<Misfit> {
    let export = |found: Interface<'_>| {
        let export = Export::parse(found.name)?;
        let mut exports = contract.exports();
        let expected = exports.find(|expected| Export::parse(expected.name) == Some(export))?;
        missing(found, expected).or_else(|| differing(found, expected))
    };
    let import = |found: Interface<'_>| {
        let import = capability(found.name)?;
        let mut imports = contract.imports();
        let expected = imports.find(|expected| capability(expected.name) == Some(import))?;
        unknown(found, expected).or_else(|| differing(found, expected))
    };
    let misfit = found.exports().find_map(export);
    misfit.or_else(|| found.imports().find_map(import))
}

fn missing(found: Interface<'_>, expected: Interface<'_>) -> Option<Misfit> {
    let mut functions = expected.functions();
    let (function, expected) = functions.find(|(name, _)| found.function(name).is_none())?;
    Some(misfit(found, function, How::Missing { expected }))
}

fn unknown(found: Interface<'_>, expected: Interface<'_>) -> Option<Misfit> {
    let mut functions = found.functions();
    let (function, signature) = functions.find(|(name, _)| expected.function(name).is_none())?;
    Some(misfit(found, function, How::Unknown { found: signature }))
}

fn differing(found: Interface<'_>, expected: Interface<'_>) -> Option<Misfit> {
    expected.functions().find_map(|(function, expected)| {
        let difference = difference::between(&expected, &found.function(function)?)?;
        Some(misfit(found, function, How::Differs(difference)))
    })
}

/// Names of functions are the contract's own, or of a stranger and cut.
fn misfit(interface: Interface<'_>, function: &str, how: How) -> Misfit {
    Misfit {
        interface: shape::cut(interface.name),
        function: shape::cut(function),
        how,
    }
}
