//! How the functions of one interface of WASI are linked.

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentNamedList, Lift, LinkerInstance, Lower, Resource, ResourceType,
};

use crate::runtime::state::State;

/// An interface that is being defined, and the names of its functions so far.
pub(super) struct Interface<'a> {
    pub(super) linked: LinkerInstance<'a, State>,
    pub(super) functions: Vec<String>,
}

impl Interface<'_> {
    pub(super) fn func_wrap<P, R>(
        &mut self,
        name: &str,
        function: impl Fn(StoreContextMut<'_, State>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.functions.push(name.to_owned());
        self.linked.func_wrap(name, function)
    }

    /// One whose handles stand in the call's own table.
    pub(super) fn resource<R: Send + 'static>(&mut self, name: &str) -> wasmtime::Result<()> {
        self.functions.push(format!("[resource-drop]{name}"));
        self.linked.resource(
            name,
            ResourceType::host::<R>(),
            |mut store: StoreContextMut<'_, State>, handle| {
                let table = &mut store.data_mut().table;
                table.delete(Resource::<R>::new_own(handle))?;
                Ok(())
            },
        )
    }
}
