//! What a guest may export: a module for each interface of the contract, with the trait [`Guest`](node::Guest) that it
//! implements and the types that belong to it; and [`export!`](crate::export).
//!
//! Each interface is bound by itself, so that a guest exports what it names and nothing more.
#![expect(clippy::error_impl_error, reason = "`error` is the contract's word")]
#![expect(
    missing_docs,
    reason = "the contract documents what its name does not say"
)]

macro_rules! interface {
    ($(#[$about:meta])* $name:ident, $world:tt $(, $imported:tt: $module:ident)*) => {
        $(#[$about])*
        pub mod $name {
            wit_bindgen::generate!({
                path: ["../../wit", "wit"],
                world: $world,
                with: { $($imported: crate::bindings::$module),* },
                additional_derives: [PartialEq],
                pub_export_macro: true,
            });

            pub use self::exports::drivebay::driver::$name::*;
        }
    };
    ($(#[$about:meta])* $name:ident, $world:tt, types) => {
        interface! { $(#[$about])* $name, $world, "drivebay:driver/types@0.1.0": types }
    };
}

interface! {
    /// Who this guest is, and which parameters it understands. Required.
    identity, "drivebay:guest/identity"
}
interface! {
    /// Volumes come and go.
    controller, "drivebay:guest/controller", types
}
interface! {
    /// Which volumes there are.
    volume_listing, "drivebay:guest/volume-listing", types
}
interface! {
    /// What is wrong with a volume, as the backend knows it.
    volume_health, "drivebay:guest/volume-health", types
}
interface! {
    /// With which volumes something is wrong.
    volume_health_listing, "drivebay:guest/volume-health-listing", types
}
interface! {
    /// What room there is.
    capacity, "drivebay:guest/capacity", types
}
interface! {
    /// A volume starts with another volume's content.
    cloning, "drivebay:guest/cloning", types
}
interface! {
    /// A volume is tied to a node first.
    attachment, "drivebay:guest/attachment", types
}
interface! {
    /// The content of one moment.
    snapshots, "drivebay:guest/snapshots", types
}
interface! {
    /// Which snapshots there are.
    snapshot_listing, "drivebay:guest/snapshot-listing", types
}
interface! {
    /// The content of several volumes at one moment.
    group_snapshots, "drivebay:guest/group-snapshots", types
}
interface! {
    /// A volume grows.
    expansion, "drivebay:guest/expansion", types
}
interface! {
    /// A volume's mutable parameters change.
    modification, "drivebay:guest/modification", types
}
interface! {
    /// The right thing appears at a target, on the node.
    node, "drivebay:guest/node",
    "drivebay:driver/types@0.1.0": types,
    "drivebay:driver/files@0.1.0": files,
    "drivebay:driver/mounts@0.1.0": mounts
}
interface! {
    /// How many volumes a node can have.
    attach_limit, "drivebay:guest/attach-limit", types
}
interface! {
    /// From where volumes can be reached.
    accessibility, "drivebay:guest/accessibility", types
}

/// Export interfaces of the contract, whose traits the type implements: `export!(Shelf: identity, node);`.
///
/// What a component exports is what it can do, so leave out what the backend cannot. Unit tests run natively, where
/// linkers refuse the names that components export: nothing is exported there.
#[macro_export]
macro_rules! export {
    ($guest:ident: $($interface:ident),+ $(,)?) => {
        $(
            #[cfg(target_arch = "wasm32")]
            $crate::exports::$interface::export!($guest with_types_in $crate::exports::$interface);
        )+
    };
}

/// Log what a panic says, and the host repeats it in its answer: a panic is a trap that says nothing by itself, and there
/// is no standard error. For 2 kB or so.
#[macro_export]
macro_rules! log_panics {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            extern "C" fn log_panics() {
                use $crate::log::{Level, write};
                ::std::panic::set_hook(::std::boxed::Box::new(|panic| {
                    write(Level::Error, &panic.to_string())
                }));
            }

            #[used]
            // SAFETY: what the linker finds in this section is called once, without arguments, before anything else of
            // the guest.
            #[unsafe(link_section = ".init_array")]
            static LOG_PANICS: extern "C" fn() = log_panics;
        };
    };
}

/// Who this guest is: its package's name and version, a sentence, and the tables that
/// [`parameters!`](crate::parameters!) declared.
#[macro_export]
macro_rules! description {
    ($summary:expr, $parameters:expr $(,)?) => {
        $crate::exports::identity::Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: $summary.into(),
            parameters: $parameters,
        }
    };
}
