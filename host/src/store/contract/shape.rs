//! Types as they are compared and told to people, without the engine's indices.

use std::collections::HashMap;
use std::fmt;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentInstanceType, ComponentValType, ResourceId,
};
use wasmparser::types::TypesRef;

/// Longest text of a type in a message, and of a name, in bytes: the contract's own are shorter.
const LONGEST_TYPE: usize = 240;
const LONGEST_NAME: usize = 80;

/// A stranger's name, fit for a message. The validator lets letters, digits and a few signs through.
pub(super) fn cut(name: &str) -> String {
    match name.len() {
        0..=LONGEST_NAME => name.to_owned(),
        _ => format!("{}…", &name[..name.floor_char_boundary(LONGEST_NAME)]),
    }
}

/// Handles are known by the name under which their resource is imported.
#[derive(Debug, Default)]
pub(super) struct Resources(HashMap<ResourceId, String>);

impl Resources {
    /// Those that are imported.
    pub(super) fn of<'a>(
        imports: impl Iterator<Item = (&'a str, &'a ComponentInstanceType)>,
    ) -> Self {
        let mut resources = HashMap::new();
        for (interface, instance) in imports {
            let interface = interface.split('@').next().unwrap_or_default();
            for (name, item) in &instance.exports {
                if let ComponentEntityType::Type {
                    created: ComponentAnyTypeId::Resource(id),
                    ..
                } = item.ty
                {
                    // One that was imported before is only used here.
                    let name = || format!("{}.{}", cut(interface), cut(name));
                    resources.entry(id.resource()).or_insert_with(name);
                }
            }
        }
        Self(resources)
    }

    fn name(&self, id: ResourceId) -> String {
        let own = || "a resource of its own".to_owned();
        self.0.get(&id).cloned().unwrap_or_else(own)
    }
}

/// What a function takes and answers.
#[derive(Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) parameters: Vec<(String, Shape)>,
    pub(super) result: Option<Shape>,
}

impl Signature {
    pub(super) fn of(types: TypesRef<'_>, resources: &Resources, id: ComponentFuncTypeId) -> Self {
        let reader = Reader { types, resources };
        let function = &types[id];
        let parameter = |(name, value): &(_, ComponentValType)| (text(name), reader.value(*value));
        Self {
            parameters: function.params.iter().map(parameter).collect(),
            result: function.result.map(|value| reader.value(value)),
        }
    }
}

/// A type, all of it.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    /// `u32`, `string`, …; also what the contract has nothing of.
    Plain(String),
    List(Box<Shape>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Tuple(Vec<Shape>),
    Record(Vec<(String, Shape)>),
    /// Enums and flags are variants whose cases hold nothing.
    Cases(&'static str, Vec<(String, Option<Shape>)>),
    Own(String),
    Borrow(String),
}

struct Reader<'a> {
    types: TypesRef<'a>,
    resources: &'a Resources,
}

impl Reader<'_> {
    fn value(&self, value: ComponentValType) -> Shape {
        match value {
            ComponentValType::Primitive(primitive) => Shape::Plain(primitive.to_string()),
            ComponentValType::Type(id) => self.defined(id),
        }
    }

    fn boxed(&self, value: Option<ComponentValType>) -> Option<Box<Shape>> {
        value.map(|value| Box::new(self.value(value)))
    }

    fn defined(&self, id: ComponentDefinedTypeId) -> Shape {
        let names =
            |names: &mut dyn Iterator<Item = String>| names.map(|name| (name, None)).collect();
        match &self.types[id] {
            ComponentDefinedType::Primitive(primitive) => Shape::Plain(primitive.to_string()),
            ComponentDefinedType::Record(record) => {
                let field =
                    |(name, value): (_, &ComponentValType)| (text(name), self.value(*value));
                Shape::Record(record.fields.iter().map(field).collect())
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter();
                let case = cases.map(|(name, case)| (text(name), case.ty.map(|ty| self.value(ty))));
                Shape::Cases("variant", case.collect())
            }
            ComponentDefinedType::Enum(cases) => {
                Shape::Cases("enum", names(&mut cases.iter().map(text)))
            }
            ComponentDefinedType::Flags(flags) => {
                Shape::Cases("flags", names(&mut flags.iter().map(text)))
            }
            ComponentDefinedType::List { element, .. } => {
                Shape::List(Box::new(self.value(*element)))
            }
            ComponentDefinedType::Option { ty, .. } => Shape::Option(Box::new(self.value(*ty))),
            ComponentDefinedType::Result { ok, err, .. } => {
                Shape::Result(self.boxed(*ok), self.boxed(*err))
            }
            ComponentDefinedType::Tuple(tuple) => {
                Shape::Tuple(tuple.types.iter().map(|value| self.value(*value)).collect())
            }
            ComponentDefinedType::Own(id) => Shape::Own(self.resources.name(id.resource())),
            ComponentDefinedType::Borrow(id) => Shape::Borrow(self.resources.name(id.resource())),
            ComponentDefinedType::FixedLengthList { .. } => Shape::Plain("list<…, …>".to_owned()),
            ComponentDefinedType::Map { .. } => Shape::Plain("map<…>".to_owned()),
            ComponentDefinedType::Future { .. } => Shape::Plain("future<…>".to_owned()),
            ComponentDefinedType::Stream { .. } => Shape::Plain("stream<…>".to_owned()),
        }
    }
}

fn text(name: impl fmt::Display) -> String {
    cut(&name.to_string())
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut whole = String::from("func(");
        join(&mut whole, &self.parameters, |text, (name, shape)| {
            text.push_str(name);
            text.push_str(": ");
            shape.write(text);
        });
        whole.push(')');
        if let Some(result) = &self.result {
            whole.push_str(" -> ");
            result.write(&mut whole);
        }
        f.write_str(&bounded(whole))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut whole = String::new();
        self.write(&mut whole);
        f.write_str(&bounded(whole))
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_TYPE {
        text.truncate(text.floor_char_boundary(LONGEST_TYPE));
        text.push('…');
    }
    text
}

impl Shape {
    /// As WIT writes it, but for names of types, which nothing compares. Stops once there is enough for a message.
    fn write(&self, text: &mut String) {
        if text.len() > LONGEST_TYPE {
            return;
        }
        let in_brackets = |text: &mut String, word: &str, shapes: &[&Shape]| {
            text.push_str(word);
            text.push('<');
            join(text, shapes, |text, shape| shape.write(text));
            text.push('>');
        };
        match self {
            Self::Plain(name) => text.push_str(name),
            Self::List(element) => in_brackets(text, "list", &[element]),
            Self::Option(element) => in_brackets(text, "option", &[element]),
            Self::Tuple(elements) => {
                in_brackets(text, "tuple", &elements.iter().collect::<Vec<_>>())
            }
            Self::Result(ok, err) => {
                let nothing = Self::Plain("_".to_owned());
                let ok = ok.as_deref().unwrap_or(&nothing);
                match err {
                    Some(err) => in_brackets(text, "result", &[ok, err]),
                    None => in_brackets(text, "result", &[ok]),
                }
            }
            Self::Own(resource) => in_brackets(text, "own", &[&Self::Plain(resource.clone())]),
            Self::Borrow(resource) => {
                in_brackets(text, "borrow", &[&Self::Plain(resource.clone())])
            }
            Self::Record(fields) => {
                text.push_str("record { ");
                join(text, fields, |text, (name, shape)| {
                    text.push_str(name);
                    text.push_str(": ");
                    shape.write(text);
                });
                text.push_str(" }");
            }
            Self::Cases(word, cases) => {
                text.push_str(word);
                text.push_str(" { ");
                join(text, cases, |text, (name, shape)| {
                    text.push_str(name);
                    if let Some(shape) = shape {
                        text.push('(');
                        shape.write(text);
                        text.push(')');
                    }
                });
                text.push_str(" }");
            }
        }
    }
}

fn join<T>(text: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (index, item) in items.iter().enumerate() {
        if text.len() > LONGEST_TYPE {
            return;
        }
        if index > 0 {
            text.push_str(", ");
        }
        write(text, item);
    }
}
