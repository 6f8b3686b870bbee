//! Records as a guest answers with them, good ones.

use serde_json::{Value, json};

pub(super) fn volume() -> Value {
    json!({"id": "v-1", "capacity-bytes": 10, "context": [["share", "a"]], "source": null, "accessible-topology": [], "published-node-ids": []})
}

pub(super) fn snapshot() -> Value {
    json!({"id": "s-1", "source-volume-id": "v-1", "size-bytes": 1, "created-at-seconds": 1, "ready-to-use": true, "group-id": null})
}

/// The same with other fields.
pub(super) fn with(value: Value, fields: Value) -> Value {
    let (Value::Object(mut value), Value::Object(fields)) = (value, fields) else {
        panic!("records have fields");
    };
    value.extend(fields);
    Value::Object(value)
}

pub(super) fn ok(value: Value) -> Value {
    json!({ "ok": value })
}
