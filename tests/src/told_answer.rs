//! What a guest of text answers, written as JSON and laid out as the canonical ABI wants it in memory.

use serde_json::Value;
use wit_parser::{
    Function, Int, Resolve, SizeAlign, Type, TypeDefKind, TypeId, abi::AbiVariant, abi::WasmType,
};

/// Where answers lie in a guest's memory, behind what arguments may take.
const BASE: usize = 128 << 10;

/// Of one guest, one behind the other.
pub(crate) struct Answers<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    bytes: Vec<u8>,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(resolve: &'a Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve).expect("every type has a size");
        Self {
            resolve,
            sizes,
            bytes: Vec::new(),
        }
    }

    /// The core function that answers so, under its export's name.
    pub(crate) fn function(&mut self, export: &str, function: &Function, answer: &Value) -> String {
        let at = self.laid(export, function, answer);
        exported(
            &self.parameters(function),
            export,
            &format!("(i32.const {at})"),
        )
    }

    /// One that answers so where the condition, an `i32` in the text format, is not 0, and otherwise something else.
    pub(crate) fn choosing_function(
        &mut self,
        export: &str,
        function: &Function,
        condition: &str,
        [answer, otherwise]: [&Value; 2],
    ) -> String {
        let at = self.laid(export, function, answer);
        let otherwise = self.laid(export, function, otherwise);
        let body = format!("(select (i32.const {at}) (i32.const {otherwise}) {condition})");
        exported(&self.parameters(function), export, &body)
    }

    fn parameters(&self, function: &Function) -> String {
        let signature = self
            .resolve
            .wasm_signature(AbiVariant::GuestExport, function);
        let parameters: Vec<&str> = signature.params.iter().map(core_type).collect();
        parameters.join(" ")
    }

    /// Where in memory the answer is.
    fn laid(&mut self, export: &str, function: &Function, answer: &Value) -> usize {
        let signature = self
            .resolve
            .wasm_signature(AbiVariant::GuestExport, function);
        let result = function.result.expect("each function answers something");
        assert!(signature.retptr, "{export} answers in memory");
        let at = self.room(&result, 1);
        self.lay(&result, answer, at);
        BASE + at
    }

    /// The data segment of all, and the pages of memory that it needs.
    pub(crate) fn data(&self) -> (String, usize) {
        let bytes: String = self
            .bytes
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect();
        let pages = (BASE + self.bytes.len()).div_ceil(64 << 10);
        (format!("(data (i32.const {BASE}) \"{bytes}\")"), pages)
    }

    fn room(&mut self, of: &Type, count: usize) -> usize {
        let align = self.sizes.align(of).align_wasm32();
        let at = self.bytes.len().next_multiple_of(align);
        let size = self.sizes.size(of).size_wasm32().next_multiple_of(align);
        self.bytes.resize(at + size * count, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_slice(&mut self, at: usize, address: usize, length: usize) {
        let word = |value: usize| u32::try_from(value).expect("small").to_le_bytes();
        self.put(at, &word(BASE + address));
        self.put(at + 4, &word(length));
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "WIT has more types than the contract"
    )]
    fn lay(&mut self, of: &Type, value: &Value, at: usize) {
        match of {
            Type::Bool => self.put(at, &[u8::from(value.as_bool().expect("a truth"))]),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                let size = self.sizes.size(of).size_wasm32();
                let number = value.as_u64().expect("a number").to_le_bytes();
                self.put(at, &number[..size]);
            }
            Type::String => {
                let text = value.as_str().expect("a text").as_bytes();
                let address = self.bytes.len();
                self.bytes.extend_from_slice(text);
                self.put_slice(at, address, text.len());
            }
            Type::Id(id) => self.lay_defined(*id, value, at),
            other => panic!("the contract has no {other:?}"),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "WIT has more types than the contract"
    )]
    fn lay_defined(&mut self, id: TypeId, value: &Value, at: usize) {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Type(other) => self.lay(other, value, at),
            TypeDefKind::List(element) => {
                let items = value.as_array().expect("a list");
                let size = self.sizes.size(element).size_wasm32();
                let address = self.room(element, items.len());
                for (index, item) in items.iter().enumerate() {
                    self.lay(element, item, address + index * size);
                }
                self.put_slice(at, address, items.len());
            }
            TypeDefKind::Record(record) => {
                let fields: Vec<Type> = record.fields.iter().map(|field| field.ty).collect();
                let values = record.fields.iter().map(|field| &value[&field.name]);
                self.lay_each(&fields, values.collect(), at);
            }
            TypeDefKind::Tuple(tuple) => {
                let values = value.as_array().expect("a tuple");
                self.lay_each(&tuple.types, values.iter().collect(), at);
            }
            TypeDefKind::Enum(names) => {
                let mut cases = names.cases.iter();
                let case = cases.position(|case| value == case.name.as_str());
                self.put(at, &[u8::try_from(case.expect("a case")).expect("few")]);
            }
            TypeDefKind::Option(some) => {
                let case = (!value.is_null()).then_some(("some", value));
                self.lay_case(&[("none", None), ("some", Some(*some))], case, at);
            }
            TypeDefKind::Result(result) => {
                let cases = [("ok", result.ok), ("err", result.err)];
                self.lay_case(&cases, Some(only(value)), at);
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases: Vec<_> = cases.map(|case| (case.name.as_str(), case.ty)).collect();
                self.lay_case(&cases, Some(only(value)), at);
            }
            other => panic!("the contract has no {other:?}"),
        }
    }

    fn lay_each(&mut self, types: &[Type], values: Vec<&Value>, at: usize) {
        let offsets = self.sizes.field_offsets(types);
        let offsets: Vec<usize> = offsets.iter().map(|(at, _)| at.size_wasm32()).collect();
        for ((of, value), offset) in types.iter().zip(values).zip(offsets) {
            self.lay(of, value, at + offset);
        }
    }

    fn lay_case(
        &mut self,
        cases: &[(&str, Option<Type>)],
        case: Option<(&str, &Value)>,
        at: usize,
    ) {
        let Some((name, value)) = case else {
            return;
        };
        let number = cases.iter().position(|(case, _)| *case == name);
        let number = number.unwrap_or_else(|| panic!("no case {name}"));
        self.put(at, &[u8::try_from(number).expect("few")]);
        if let Some(of) = &cases[number].1 {
            let payloads = cases.iter().map(|(_, of)| of.as_ref());
            let offset = self.sizes.payload_offset(Int::U8, payloads).size_wasm32();
            self.lay(of, value, at + offset);
        }
    }
}

/// `"case"`, or `{"case": what it holds}`.
fn only(value: &Value) -> (&str, &Value) {
    if let Value::String(case) = value {
        return (case, &Value::Null);
    }
    let one = value.as_object().and_then(|one| one.iter().next());
    let (case, held) = one.unwrap_or_else(|| panic!("{value} is no case"));
    (case, held)
}

fn exported(parameters: &str, export: &str, body: &str) -> String {
    format!("(func (export \"{export}\") (param {parameters}) (result i32) {body})\n")
}

fn core_type(of: &WasmType) -> &'static str {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}
