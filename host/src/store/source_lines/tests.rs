use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, FileId, LineProgram, LineString, Sections,
};
use gimli::{Encoding as DwarfEncoding, Format, LineEncoding};

use super::*;

/// Instructions, of a byte each, behind three bytes of the code section.
const NOPS: usize = 64;

/// An instruction's address, as DWARF counts.
const ADDRESS: usize = 20;

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    let mut rest = content.len();
    while rest > 0x7f {
        section.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    section.push(u8::try_from(rest).expect("seven bits"));
    [&section[..], content].concat()
}

/// A module of one function that does nothing, with these custom sections; and where its code begins.
fn module(custom: &[(&str, Vec<u8>)]) -> (Vec<u8>, usize) {
    let body = [&[0][..], &[1; NOPS], &[0x0b]].concat();
    let code = [&[1, u8::try_from(body.len()).expect("short")], &body[..]].concat();
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // As many functions are declared as have code, of whatever type.
    module.extend(section(3, &[1, 0]));
    module.extend(section(10, &code));
    let begins = module.len() - code.len();
    for (name, data) in custom {
        let length = u8::try_from(name.len()).expect("short");
        module.extend(section(
            0,
            &[&[length], name.as_bytes(), &data[..]].concat(),
        ));
    }
    (module, begins)
}

/// What a compiler tells of a function on line 7 of one file that was inlined on line 30 of another, whose function was
/// inlined on line 40 of the same.
fn dwarf(inner: &str, outer: &str) -> Vec<(&'static str, Vec<u8>)> {
    let encoding = DwarfEncoding {
        format: Format::Dwarf32,
        version: 4,
        address_size: 4,
    };
    let mut dwarf = DwarfUnit::new(encoding);
    let text = |text: &str| LineString::String(text.into());
    let lines = LineEncoding::default();
    let mut program = LineProgram::new(encoding, lines, text("/home"), None, text("a"), None);
    let sources = program.add_directory(text("src"));
    let inner = program.add_file(text(inner), sources, None);
    let outer = program.add_file(text(outer), sources, None);
    program.begin_sequence(Some(Address::Constant(10)));
    for (offset, line) in [(0, 5), (8, 7), (16, 9)] {
        program.row().address_offset = offset;
        program.row().file = inner;
        program.row().line = line;
        program.generate_row();
    }
    program.end_sequence(30);
    dwarf.unit.line_program = program;
    let root = dwarf.unit.root();
    let mut parent = dwarf.unit.add(root, constants::DW_TAG_subprogram);
    for line in [40, 30] {
        parent = inlined(&mut dwarf, parent, outer, line);
    }
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections).expect("it is whole");
    let mut written = Vec::new();
    let each = |id: gimli::SectionId, data: &EndianVec<LittleEndian>| {
        written.push((id.name(), data.slice().to_vec()));
        Ok::<_, Infallible>(())
    };
    let Ok(()) = sections.for_each(each);
    written
}

fn inlined(
    dwarf: &mut DwarfUnit,
    parent: gimli::write::UnitEntryId,
    file: FileId,
    line: u64,
) -> gimli::write::UnitEntryId {
    let call = dwarf.unit.add(parent, constants::DW_TAG_inlined_subroutine);
    let entry = dwarf.unit.get_mut(call);
    let begins = AttributeValue::Address(Address::Constant(18));
    entry.set(constants::DW_AT_low_pc, begins);
    entry.set(constants::DW_AT_high_pc, AttributeValue::Udata(8));
    entry.set(
        constants::DW_AT_call_file,
        AttributeValue::FileIndex(Some(file)),
    );
    entry.set(constants::DW_AT_call_line, AttributeValue::Udata(line));
    call
}

fn told(custom: &[(&str, Vec<u8>)], address: usize) -> Vec<String> {
    let (module, begins) = module(custom);
    let lines = lines_in(&module, &[begins + address]).remove(0);
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn a_line_is_told_with_those_that_it_was_inlined_at() {
    let dwarf = dwarf("option.rs", "lib.rs");
    assert_eq!(
        told(&dwarf, ADDRESS),
        ["src/option.rs:7", "src/lib.rs:30", "src/lib.rs:40"]
    );
    assert_eq!(told(&dwarf, 12), ["src/option.rs:5"]);
    assert!(told(&dwarf, 45).is_empty(), "no line of another function");
    assert!(told(&[], ADDRESS).is_empty());
}

#[test]
fn what_makes_no_sense_or_is_too_much_tells_nothing() {
    let sound = dwarf("option.rs", "lib.rs");
    let mut large = sound.clone();
    large.push((".debug_macro", vec![0; MAX_DWARF_BYTES]));
    assert!(told(&large, ADDRESS).is_empty());
    for at in 0..sound.len() {
        let mut broken = sound.clone();
        broken[at].1.fill(0xff);
        told(&broken, ADDRESS);
        broken[at].1.truncate(5);
        told(&broken, ADDRESS);
    }
    assert!(lines_in(b"no component", &[3]) == [[]]);
}

#[test]
fn of_a_long_path_the_end_is_told() {
    let name = format!("{}/lib.rs", "x\u{202e}\n".repeat(1 << 20));
    for line in told(&dwarf(&name, &name), ADDRESS) {
        assert!(line.starts_with('…') && line.contains("(cut)"), "{line}");
        assert!(
            line.len() < 160 && !line.contains(['\n', '\u{202e}']),
            "{line}"
        );
    }
    let name = format!("{}/lib.rs", "x".repeat(1 << 20));
    let lines = told(&dwarf(&name, &name), ADDRESS);
    assert!(lines[0].ends_with("xx/lib.rs:7"), "{lines:?}");
    assert_eq!(
        &*path(b"", "ä".repeat(99).as_bytes()),
        format!("…{}", "ä".repeat(48))
    );
}
