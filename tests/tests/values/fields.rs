//! Fields that are skipped, renamed or have defaults.

use std::{collections::HashMap, marker::PhantomData};

use serde::{Deserialize, Serialize};

use super::travels;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Job {
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
    priority: u8,
    files: Vec<String>,
    delete: bool,
}

pub(super) fn job(retries: Option<u32>) -> Job {
    Job { retries, priority: 1, files: vec![String::new(), String::new()], delete: true }
}

#[test]
fn a_skipped_field_never_changes_another() {
    travels(&[job(None), job(Some(7)), job(None)]);
}

fn is_seven(number: &u32) -> bool {
    *number == 7
}

pub(super) fn seven() -> u32 {
    7
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sparse {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    #[serde(skip_serializing_if = "is_seven", default = "seven")]
    pub(super) count: u32,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(super) counts: HashMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inner: Option<Box<Sparse>>,
    pub(super) last: i64,
}

#[test]
fn fields_with_defaults_may_be_skipped_at_every_position() {
    let full = Sparse {
        name: "n".into(),
        tags: vec!["t".into()],
        count: 8,
        counts: HashMap::from([("a".into(), 1)]),
        inner: Some(Box::new(Sparse { last: -1, ..Sparse::default() })),
        last: i64::MIN,
    };
    let some = Sparse { count: 7, inner: Some(Box::new(full.clone())), ..Sparse::default() };
    travels(&[Sparse::default(), full, some, Sparse { last: 5, ..Sparse::default() }]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Renamed {
    #[serde(rename = "kind")]
    r#type: u8,
    #[serde(alias = "old_name", alias = "another")]
    new_name: String,
    #[serde(skip)]
    cache: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_one: Option<Newtype<Vec<u16>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    value: Option<Newtype<i8>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SkipsInTuple(
    pub(super) u8,
    #[serde(skip)] pub(super) PhantomData<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")] pub(super) Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")] pub(super) Option<u8>,
);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SkipsInVariant {
    Two(
        #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
    ),
}

#[test]
fn renamed_aliased_and_transparent_fields_travel() {
    let renamed = |last_one| Renamed { r#type: 1, new_name: "x".into(), cache: None, last_one };
    travels(&[renamed(None), renamed(Some(Newtype(vec![1, 2])))]);
    travels(&[Transparent { value: None }, Transparent { value: Some(Newtype(-5)) }]);
    travels(&[SkipsInTuple(1, PhantomData, Some(2), Some(3))]);
}
