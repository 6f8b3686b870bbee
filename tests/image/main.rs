//! The image that `cargo xtask image` made of what is shipped, taken apart by programs that did not make it.
//!
//! | what | promise |
//! |---|---|
//! | `contents` | which programs, accounts and files it has, and which it does not |
//! | `programs` | what the host starts is there and runs with nothing else around it |
//! | `layout` | it is an image as OCI has it, of three layers, and so is the Containerfile's |
//! | `sbom` | everything in it is listed |
//! | `components` | manifests get the components that are in it |

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod components;
mod contents;
mod layout;
mod programs;
mod sbom;
