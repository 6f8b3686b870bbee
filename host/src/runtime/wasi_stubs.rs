//! Stubs for those interfaces of WASI that this host does not hand out.
//!
//! A function that lists something answers with an empty list, one that may have an answer has none, every
//! other traps. A resource that an interface merely uses from another one is an alias and must not be
//! defined again: it is known by having been seen before.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Val};

/// Defines everything in those of the component's imports that `is_stub` names.
pub(super) fn define_stubs<T: 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    component: &Component,
    is_stub: impl Fn(&str) -> bool,
) -> wasmtime::Result<()> {
    let mut seen = Vec::new();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        if is_stub(name) {
            define(&mut linker.instance(name)?, engine, &interface, &seen)?;
        }
        seen.extend(
            interface
                .exports(engine)
                .filter_map(|(_, item)| resource(&item.ty)),
        );
    }
    Ok(())
}

fn define<T: 'static>(
    instance: &mut LinkerInstance<'_, T>,
    engine: &Engine,
    interface: &ComponentInstance,
    seen: &[ResourceType],
) -> wasmtime::Result<()> {
    for (name, item) in interface.exports(engine) {
        if let ComponentItem::ComponentFunc(_) = item.ty {
            instance.func_new(name, |_, kind, _, results| answer(&kind, results))?;
        }
        if resource(&item.ty).is_some_and(|kind| !seen.contains(&kind)) {
            instance.resource(name, ResourceType::host::<Stub>(), |_, _| Ok(()))?;
        }
    }
    Ok(())
}

fn answer(function: &ComponentFunc, results: &mut [Val]) -> wasmtime::Result<()> {
    for (kind, result) in function.results().zip(results) {
        if let Type::List(_) = kind {
            *result = Val::List(Vec::new());
        } else if let Type::Option(_) = kind {
            *result = Val::Option(None);
        } else {
            wasmtime::bail!("the guest called a function that this host does not offer");
        }
    }
    wasmtime::ensure!(
        function.results().len() > 0,
        "the guest called a function that this host does not offer"
    );
    Ok(())
}

fn resource(item: &ComponentItem) -> Option<ResourceType> {
    if let ComponentItem::Resource(kind) = item {
        Some(*kind)
    } else {
        None
    }
}

/// What a handle of a stub stands for; there is never one.
struct Stub;
