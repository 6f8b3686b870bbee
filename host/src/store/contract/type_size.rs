//! How many parts types have if each is counted wherever it is used.
//!
//! A type may be made of one that was written before, twice, and so may the next: a kilobyte stands for a million
//! parts, and whoever looks at each of them, as the compiler does, takes minutes and gigabytes. Counting each type
//! once, and multiplying, takes no time.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentInstanceTypeId, ComponentItem, ComponentTypeId, ComponentValType,
};
use wasmparser::types::TypesRef;

/// What was counted already, and the sum of all that a component has.
#[derive(Debug, Default)]
pub(super) struct Expansion {
    defined: HashMap<ComponentDefinedTypeId, u64>,
    instances: HashMap<ComponentInstanceTypeId, u64>,
    components: HashMap<ComponentTypeId, u64>,
    pub(super) parts: u64,
}

impl Expansion {
    /// Adds what a component, or one inside it, imports, has and instantiates. A type that nothing has costs nothing.
    pub(super) fn add(&mut self, types: TypesRef<'_>) {
        let functions = (0..types.component_function_count())
            .map(|index| types.component_function_at(index))
            .fold(0_u64, |sum, id| {
                sum.saturating_add(self.function(types, id))
            });
        let instances = (0..types.component_instance_count())
            .map(|index| types.component_instance_at(index))
            .fold(0_u64, |sum, id| {
                sum.saturating_add(self.instance(types, id))
            });
        let components = (0..types.component_count())
            .map(|index| types.component_at(index))
            .fold(0_u64, |sum, id| {
                sum.saturating_add(self.component(types, id))
            });
        for parts in [functions, instances, components] {
            self.parts = self.parts.saturating_add(parts);
        }
    }

    fn items<'a>(
        &mut self,
        types: TypesRef<'_>,
        items: impl Iterator<Item = &'a ComponentItem>,
    ) -> u64 {
        items.fold(1, |sum, item| {
            sum.saturating_add(self.entity(types, item.ty))
        })
    }

    fn entity(&mut self, types: TypesRef<'_>, entity: ComponentEntityType) -> u64 {
        match entity {
            ComponentEntityType::Module(id) => {
                let module = &types[id];
                (module.imports.len() + module.exports.len()) as u64 + 1
            }
            ComponentEntityType::Func(id) => self.function(types, id),
            ComponentEntityType::Value(value) => self.value(types, value),
            ComponentEntityType::Type { created, .. } => self.any(types, created),
            ComponentEntityType::Instance(id) => self.instance(types, id),
            ComponentEntityType::Component(id) => self.component(types, id),
        }
    }

    fn any(&mut self, types: TypesRef<'_>, id: ComponentAnyTypeId) -> u64 {
        match id {
            ComponentAnyTypeId::Resource(_) => 1,
            ComponentAnyTypeId::Defined(id) => self.defined(types, id),
            ComponentAnyTypeId::Func(id) => self.function(types, id),
            ComponentAnyTypeId::Instance(id) => self.instance(types, id),
            ComponentAnyTypeId::Component(id) => self.component(types, id),
        }
    }

    fn instance(&mut self, types: TypesRef<'_>, id: ComponentInstanceTypeId) -> u64 {
        if let Some(parts) = self.instances.get(&id) {
            return *parts;
        }
        let parts = self.items(types, types[id].exports.values());
        self.instances.insert(id, parts);
        parts
    }

    fn component(&mut self, types: TypesRef<'_>, id: ComponentTypeId) -> u64 {
        if let Some(parts) = self.components.get(&id) {
            return *parts;
        }
        let component = &types[id];
        let items = component.imports.values().chain(component.exports.values());
        let parts = self.items(types, items);
        self.components.insert(id, parts);
        parts
    }

    fn function(&mut self, types: TypesRef<'_>, id: ComponentFuncTypeId) -> u64 {
        let function = &types[id];
        let parameters = function.params.iter().map(|(_, value)| *value);
        self.values(types, parameters.chain(function.result))
    }

    fn values(
        &mut self,
        types: TypesRef<'_>,
        values: impl Iterator<Item = ComponentValType>,
    ) -> u64 {
        values.fold(1, |sum, value| sum.saturating_add(self.value(types, value)))
    }

    fn value(&mut self, types: TypesRef<'_>, value: ComponentValType) -> u64 {
        match value {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(id) => self.defined(types, id),
        }
    }

    fn defined(&mut self, types: TypesRef<'_>, id: ComponentDefinedTypeId) -> u64 {
        if let Some(parts) = self.defined.get(&id) {
            return *parts;
        }
        let parts = match &types[id] {
            ComponentDefinedType::Primitive(_)
            | ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_) => 1,
            ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                names.len() as u64 + 1
            }
            ComponentDefinedType::Record(record) => {
                self.values(types, record.fields.values().copied())
            }
            ComponentDefinedType::Variant(variant) => {
                let payloads = variant.cases.values().filter_map(|case| case.ty);
                self.values(types, payloads)
                    .saturating_add(variant.cases.len() as u64)
            }
            ComponentDefinedType::Tuple(tuple) => self.values(types, tuple.types.iter().copied()),
            ComponentDefinedType::List { element, .. }
            | ComponentDefinedType::Option { ty: element, .. } => {
                self.values(types, [*element].into_iter())
            }
            // Its elements lie side by side where it is passed on.
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => self
                .value(types, *element)
                .saturating_mul(u64::from(*length))
                .saturating_add(1),
            ComponentDefinedType::Map { key, value, .. } => {
                self.values(types, [*key, *value].into_iter())
            }
            ComponentDefinedType::Result { ok, err, .. } => {
                self.values(types, [*ok, *err].into_iter().flatten())
            }
            ComponentDefinedType::Future { ty, .. } | ComponentDefinedType::Stream { ty, .. } => {
                self.values(types, ty.iter().copied())
            }
        };
        self.defined.insert(id, parts);
        parts
    }
}
