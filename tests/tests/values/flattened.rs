//! Flattened fields, and JSON.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{
    enums::{Adjacent, Internal},
    fields::{Job, job},
    travels,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    before: u8,
    #[serde(flatten)]
    job: Job,
    #[serde(flatten)]
    optional: Option<Corner>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatTagged {
    before: u8,
    #[serde(flatten)]
    tagged: Internal,
    #[serde(flatten)]
    adjacent: Adjacent<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Corner {
    x: f64,
    deep: Option<Option<u8>>,
    unit: Option<()>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ByNumber {
    name: String,
    #[serde(flatten)]
    rest: HashMap<u16, Option<char>>,
}

#[test]
fn flattened_fields_travel() {
    let corner = Corner { x: 0.1, deep: Some(None), unit: Some(()) };
    let rest = BTreeMap::from([("z".to_string(), serde_json::json!({"a": [1, -1, 1.5, null, "x", true, {}]}))]);
    for optional in [None, Some(corner.clone()), Some(Corner { deep: None, unit: None, ..corner })] {
        travels(&[Flat { before: 1, job: job(None), optional, rest: rest.clone() }]);
    }
    for tagged in [Internal::Nothing, Internal::One(job(Some(1)))] {
        travels(&[FlatTagged { before: 1, tagged, adjacent: Adjacent::Two(8, 0.5) }]);
    }
    travels(&[ByNumber { name: "n".into(), rest: HashMap::from([(7, Some('x')), (300, None)]) }]);
}

#[test]
fn json_travels_unchanged() {
    let text = r#"{"null": null, "list": [1, -1, 18446744073709551615, 0.1, 1e300, "ü", [], {}],
        "deep": {"a": {"b": [[[1]]]}}}"#;
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    travels(&[value.clone(), serde_json::Value::Null, value["list"].clone()]);
    travels(&[(value["deep"].clone(), Some(value))]);
}
