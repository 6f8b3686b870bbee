//! Why a component is none of this contract.

use std::fmt;

use super::difference::Difference;
use super::shape::Signature;

/// Why a component is not compiled.
#[derive(Debug)]
pub(in crate::store) enum ContractError {
    /// It is no component, or a damaged one.
    NotAComponent(String),
    /// It is too much to be looked at.
    TooComplex(Complexity),
    /// A type is another one than the contract's.
    Misfit(Misfit),
}

/// What there is too much of; what there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Complexity {
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
pub(in crate::store) struct Misfit {
    pub(super) interface: String,
    pub(super) function: String,
    pub(super) how: How,
}

#[derive(Debug)]
pub(super) enum How {
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
