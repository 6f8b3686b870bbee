//! One backend in any number of versions: each puts its pool at the target, says who it is when it is asked, and leaves
//! a line in the log that names it.

use drivebay_tests::{RESULT, WatGuest};
use serde_json::{Value, json};

/// The component's name, and so that of its file.
pub(crate) const NAME: &str = "swap";

/// A volume that no version mounts: it fails with the version's name.
pub(crate) const WHO: &str = "who";

/// The contract's `failed-precondition`, which is nobody's fault.
pub(crate) const FAILED_PRECONDITION: u32 = 7;

/// Where the texts of a version lie in its memory.
const NAMED: usize = 1024;
const STAGES: usize = 1152;
const DETACHES: usize = 1280;
const POOL: usize = 1408;

/// What it says of itself to whoever asks for the volume [`WHO`].
pub(crate) fn this_is(version: &str) -> String {
    format!("this is version {version}!")
}

/// What it logs.
pub(crate) fn stages(version: &str) -> String {
    format!("version {version} stages")
}

/// What it logs.
pub(crate) fn detaches(version: &str) -> String {
    format!("version {version} detaches")
}

/// The backend in that version, without anything to attach.
pub(crate) fn backend(version: &str) -> WatGuest {
    texts(WatGuest::named(NAME).version(version), version).stage(&staging(version, BIND))
}

/// The same, whose volumes are attached to a node before.
pub(crate) fn attaching(version: &str) -> WatGuest {
    let detach = logging(DETACHES, &detaches(version));
    texts(WatGuest::named(NAME).version(version), version)
        .attaches(&detach)
        .stage(&staging(version, BIND))
}

/// The backend in that version, broken: it traps when it is to mount a volume, and passes every test before.
pub(crate) fn trapping(version: &str) -> WatGuest {
    texts(WatGuest::named(NAME).version(version), version).stage(&staging(version, "(unreachable)"))
}

/// The backend in that version, with these parameters instead of none.
pub(crate) fn describing(version: &str, parameters: &[Value]) -> WatGuest {
    backend(version).answers(
        "identity.describe",
        json!({"name": NAME, "version": version, "summary": "for tests", "parameters": parameters}),
    )
}

/// A parameter of a volume.
pub(crate) fn parameter(name: &str, is_required: Value) -> Value {
    json!({"name": name, "scope": "volume", "required": is_required, "default": null, "description": "For tests."})
}

/// Binds the pool to the target.
const BIND: &str = "
    (call $open (i32.const 1408) (i32.const 4) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64))) (then
        (call $bind (local.get $target) (i32.load (i32.const 68)) (i32.const 0) (i32.const 0) (i32.const 64))))";

fn texts(guest: WatGuest, version: &str) -> WatGuest {
    let (named, stages, detaches) = (this_is(version), stages(version), detaches(version));
    guest
        .imports("mounts")
        .imports("files")
        .imports("log")
        .core(&format!(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (import "drivebay:driver/mounts@0.1.0" "[method]target.bind" (func $bind (param i32 i32 i32 i32 i32)))
               (import "drivebay:driver/log@0.1.0" "write" (func $log (param i32 i32 i32)))
               (data (i32.const {NAMED}) "{named}")
               (data (i32.const {STAGES}) "{stages}")
               (data (i32.const {DETACHES}) "{detaches}")
               (data (i32.const {POOL}) "pool")
            "#
        ))
}

/// Says who it is for the one volume, and does its work for all others.
fn staging(version: &str, work: &str) -> String {
    let said = WatGuest::failing(
        FAILED_PRECONDITION,
        u32::try_from(NAMED).expect("small"),
        this_is(version).len(),
    );
    let is_asked = format!(
        "(i32.and (i32.eq (local.get $id_length) (i32.const {})) (i32.eq (i32.load8_u (local.get $id)) (i32.const {})))",
        WHO.len(),
        WHO.as_bytes()[0]
    );
    let log = logging(STAGES, &stages(version));
    format!("{log} (if {is_asked} (then {said}) (else {work}))")
}

fn logging(at: usize, text: &str) -> String {
    format!(
        "(call $log (i32.const 1) (i32.const {at}) (i32.const {}))",
        text.len()
    )
}

/// The backend in that version with an exported controller, whose one parameter is spelled so that each version has a
/// spelling of its own: the host hands on a key as the version spells it that the call is of, and another is refused.
pub(crate) fn checking(version: &str, spelling: &str) -> WatGuest {
    let wrong = format!("version {version} got the parameter of another");
    let says = format!("version {version} validates");
    let fail = WatGuest::failing(FAILED_PRECONDITION, 1536, wrong.len());
    let is_wrong = format!(
        "(i32.ne (i32.load8_u (i32.load (local.get 2))) (i32.const {}))",
        spelling.as_bytes()[0]
    );
    let validate = format!(
        r#"(data (i32.const 1536) "{wrong}") (data (i32.const 1664) "{says}")
           (func (export "drivebay:driver/controller@0.1.0#validate-volume")
               (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
               {}
               (if (local.get 3) (then (if {is_wrong} (then {fail}))))
               (i32.const {RESULT}))"#,
        logging(1664, &says)
    );
    describing(version, &[parameter(spelling, Value::Bool(false))])
        .exports("identity controller node")
        .core(&validate)
}
