//! What no compiler checks: the rules of the source tree, and what is written of it.

mod architecture;
mod readme;
