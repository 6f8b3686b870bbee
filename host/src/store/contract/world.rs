//! What a component imports and exports, read without its code.

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentInstanceType, ComponentItem, ComponentType,
};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{
    BinaryReaderError, Encoding, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

use super::error::{Complexity, ContractError};
use super::instances::Instances;
use super::shape::{Resources, Signature};
use super::type_size::Expansion;

/// Parts that the types of a component may have in all, each counted wherever it is used.
const MAX_PARTS: u64 = 200_000;

/// Instances that a component may be made of. Fewer than a hundred can be made for one call; adapters and stubs, which
/// language runtimes bring along, are a dozen.
const MAX_INSTANCES: u64 = 1000;

/// Names of what a component imports and exports itself, and bytes of each: all of them are kept in its manifest, which
/// every call reads. Whoever imports all of WASI and exports all of the contract has fifty.
const MAX_NAMES: u64 = 1000;
const MAX_NAME: u64 = 256;

/// The types of a component, and the names that it shows.
pub(in crate::store) struct Structure {
    types: Types,
    /// All that it imports, as it is written in it.
    pub(in crate::store) imports: Vec<String>,
    /// All that it exports.
    pub(in crate::store) exports: Vec<String>,
}

impl Structure {
    /// Code is passed over: it is the compiler's to validate.
    ///
    /// # Errors
    /// `NotAComponent` or `TooComplex`.
    pub(in crate::store) fn read(component: &[u8]) -> Result<Self, ContractError> {
        let mut reading = Reading::new();
        for payload in Parser::new(0).parse_all(component) {
            if let Some(types) = reading.take(&payload.map_err(damaged)?)? {
                return Ok(Self {
                    types,
                    imports: reading.imports,
                    exports: reading.exports,
                });
            }
        }
        Err(ContractError::NotAComponent("it has no end".to_owned()))
    }

    /// What it imports and exports itself.
    pub(super) fn component(&self) -> World<'_> {
        let types = self.types.as_ref();
        let imports = self
            .imports
            .iter()
            .map(|name| (name, types.component_item_for_import(name)));
        let exports = self
            .exports
            .iter()
            .map(|name| (name, types.component_item_for_export(name)));
        let there =
            |(name, item): (&String, Option<&'_ ComponentItem>)| Some((name.clone(), item?.ty));
        World::new(types, imports.filter_map(there), exports.filter_map(there))
    }

    /// The world that it is the encoding of: the type of a component, which is all that another one exports, whose type
    /// is all that is exported here.
    pub(super) fn world(&self) -> Option<World<'_>> {
        let types = self.types.as_ref();
        let outer = types.component_item_for_export(self.exports.first()?)?;
        let inner = component_type(types, outer.ty)?.exports.values().next()?;
        let world = component_type(types, inner.ty)?;
        let entity = |(name, item): (&String, &ComponentItem)| (name.clone(), item.ty);
        Some(World::new(
            types,
            world.imports.iter().map(entity),
            world.exports.iter().map(entity),
        ))
    }
}

fn component_type(types: TypesRef<'_>, entity: ComponentEntityType) -> Option<&ComponentType> {
    match entity {
        ComponentEntityType::Component(id)
        | ComponentEntityType::Type {
            referenced: ComponentAnyTypeId::Component(id),
            ..
        } => types.get(id),
        ComponentEntityType::Module(_)
        | ComponentEntityType::Func(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Type { .. }
        | ComponentEntityType::Instance(_) => None,
    }
}

fn damaged(error: BinaryReaderError) -> ContractError {
    ContractError::NotAComponent(error.to_string())
}

/// A component on the way through the validator.
struct Reading {
    validator: Validator,
    expansion: Expansion,
    instances: Instances,
    /// 1 in the component itself, more in what is inside.
    depth: usize,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Reading {
    fn new() -> Self {
        Self {
            // What the engine does not have, it refuses afterwards.
            validator: Validator::new_with_features(WasmFeatures::all()),
            expansion: Expansion::default(),
            instances: Instances::default(),
            depth: 0,
            imports: Vec::new(),
            exports: Vec::new(),
        }
    }

    /// The types, once the component's own end was read.
    fn take(&mut self, payload: &Payload<'_>) -> Result<Option<Types>, ContractError> {
        let valid = self.validator.payload(payload).map_err(damaged)?;
        self.instances.take(payload).map_err(damaged)?;
        if let Payload::Version { encoding, .. } = payload {
            self.depth += 1;
            if self.depth == 1 && *encoding != Encoding::Component {
                let reason =
                    "it is a core module; `wasm-tools component new` makes a component of it";
                return Err(ContractError::NotAComponent(reason.to_owned()));
            }
        }
        if self.depth == 1 {
            self.note_names(payload)?;
        }
        match valid {
            ValidPayload::End(types) => self.end(types),
            ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::Func(..) => Ok(None),
        }
    }

    fn note_names(&mut self, payload: &Payload<'_>) -> Result<(), ContractError> {
        if let Payload::ComponentImportSection(section) = payload {
            for import in section.clone() {
                let name = import.map_err(damaged)?.name.name;
                self.check_name(name)?;
                self.imports.push(name.to_owned());
            }
        }
        if let Payload::ComponentExportSection(section) = payload {
            for export in section.clone() {
                let name = export.map_err(damaged)?.name.name;
                self.check_name(name)?;
                self.exports.push(name.to_owned());
            }
        }
        Ok(())
    }

    /// One more, before it is kept.
    fn check_name(&self, name: &str) -> Result<(), ContractError> {
        let known = self.imports.len() + self.exports.len();
        let complexity = match (name.len() as u64 > MAX_NAME, known as u64 >= MAX_NAMES) {
            (true, _) => Complexity::Name(MAX_NAME),
            (false, true) => Complexity::Names(MAX_NAMES),
            (false, false) => return Ok(()),
        };
        Err(ContractError::TooComplex(complexity))
    }

    fn end(&mut self, types: Types) -> Result<Option<Types>, ContractError> {
        self.expansion.add(types.as_ref());
        if self.expansion.parts > MAX_PARTS {
            return Err(ContractError::TooComplex(Complexity::Types(MAX_PARTS)));
        }
        if self.instances.made() > MAX_INSTANCES {
            let instances = Complexity::Instances(MAX_INSTANCES);
            return Err(ContractError::TooComplex(instances));
        }
        self.depth -= 1;
        Ok((self.depth == 0).then_some(types))
    }
}

/// Interfaces by which a component and its host know each other.
pub(super) struct World<'a> {
    types: TypesRef<'a>,
    resources: Resources,
    imports: Vec<(String, &'a ComponentInstanceType)>,
    exports: Vec<(String, &'a ComponentInstanceType)>,
}

impl<'a> World<'a> {
    fn new(
        types: TypesRef<'a>,
        imports: impl Iterator<Item = (String, ComponentEntityType)>,
        exports: impl Iterator<Item = (String, ComponentEntityType)>,
    ) -> Self {
        let instance = |(name, entity): (String, ComponentEntityType)| {
            let ComponentEntityType::Instance(id) = entity else {
                return None;
            };
            Some((name, types.get(id)?))
        };
        let imports: Vec<_> = imports.filter_map(instance).collect();
        Self {
            resources: Resources::of(
                imports
                    .iter()
                    .map(|(name, instance)| (name.as_str(), *instance)),
            ),
            types,
            exports: exports.filter_map(instance).collect(),
            imports,
        }
    }

    pub(super) fn imports(&self) -> impl Iterator<Item = Interface<'_>> {
        self.imports
            .iter()
            .map(|(name, instance)| self.interface(name, instance))
    }

    pub(super) fn exports(&self) -> impl Iterator<Item = Interface<'_>> {
        self.exports
            .iter()
            .map(|(name, instance)| self.interface(name, instance))
    }

    fn interface<'b>(
        &'b self,
        name: &'b str,
        instance: &'b ComponentInstanceType,
    ) -> Interface<'b> {
        Interface {
            name,
            world: self,
            instance,
        }
    }
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Interface<'a> {
    /// With package and version.
    pub(super) name: &'a str,
    world: &'a World<'a>,
    instance: &'a ComponentInstanceType,
}

impl<'a> Interface<'a> {
    /// Names and types of its functions, methods of its resources among them.
    pub(super) fn functions(self) -> impl Iterator<Item = (&'a str, Signature)> {
        self.instance
            .exports
            .iter()
            .filter_map(move |(name, item)| Some((name.as_str(), self.signature(item)?)))
    }

    pub(super) fn function(self, name: &str) -> Option<Signature> {
        self.signature(self.instance.exports.get(name)?)
    }

    fn signature(self, item: &ComponentItem) -> Option<Signature> {
        let ComponentEntityType::Func(id) = item.ty else {
            return None;
        };
        Some(Signature::of(self.world.types, &self.world.resources, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports a resource type under each of the names.
    fn importing(names: &[String]) -> Vec<u8> {
        let mut imports = number(names.len());
        for name in names {
            imports.push(0);
            imports.extend(number(name.len()));
            imports.extend(name.bytes());
            imports.extend([3, 1]);
        }
        let mut component = b"\0asm\x0d\0\x01\0\x0a".to_vec();
        component.extend(number(imports.len()));
        component.extend(imports);
        component
    }

    /// As LEB128.
    fn number(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        bytes.push(value.to_le_bytes()[0]);
        bytes
    }

    fn refused(names: &[String]) -> Option<Complexity> {
        match Structure::read(&importing(names)) {
            Ok(structure) => {
                assert_eq!(structure.imports, names);
                None
            }
            Err(ContractError::TooComplex(complexity)) => Some(complexity),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn names_are_bounded_in_length_and_number() {
        let many = |count: u32| (0..count).map(|at| format!("a{at}")).collect::<Vec<_>>();
        assert_eq!(refused(&many(1000)), None);
        assert_eq!(refused(&many(1001)), Some(Complexity::Names(1000)));
        assert_eq!(refused(&["a".repeat(256)]), None);
        assert_eq!(refused(&["a".repeat(257)]), Some(Complexity::Name(256)));
    }
}
