//! Whether a component is of this contract, told from its types alone, before anything of it is compiled.
//!
//! Types are compared part by part, so that the message can name interface, function and field, and both types. What
//! the engine says by itself comes with each call only, and mostly without a name. Found is what a stranger wrote: its
//! types may stand for a million others in a thousand bytes, so they are counted first.

mod difference;
mod error;
mod instances;
mod shape;
mod type_size;
mod world;

use error::{How, Misfit};
use world::{Interface, World};

pub(super) use error::{Complexity, ContractError};
pub(super) use world::Structure;

use super::interface::{Export, Import};
use crate::bindings::COMPONENT_TYPE;

/// Compares a component with the contract; nothing of it is compiled or run.
///
/// # Errors
/// [`ContractError`].
pub(super) fn compare(found: &Structure) -> Result<(), ContractError> {
    let contract = Structure::read(COMPONENT_TYPE)?;
    let contract = contract.world().ok_or_else(|| {
        ContractError::NotAComponent("the contract in this program is corrupt".to_owned())
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
        let import = Import::parse(found.name)?;
        let mut imports = contract.imports();
        let expected = imports.find(|expected| Import::parse(expected.name) == Some(import))?;
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
