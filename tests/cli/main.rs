//! What an operator types, and the files that it leaves: configuration, components, compiled code.

mod bad_files;
mod bad_install;
mod compile_limits;
mod compiled_code;
mod components;
mod install;
mod run;
