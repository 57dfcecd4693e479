//! The representations of enums.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    fields::{Job, job},
    travels,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum External<T> {
    Nothing,
    One(T),
    Two(u8, T),
    #[serde(rename = "other-name", alias = "third")]
    Fields {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<T>,
        b: u8,
        #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
        c: Vec<External<T>>,
    },
    Empty {},
    #[serde(skip)]
    #[allow(dead_code)]
    Hidden(u8),
    Last,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(super) enum Internal {
    Nothing,
    One(Job),
    Fields {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<i32>,
        ip: IpAddr,
        nested: Vec<Internal>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c", rename_all = "snake_case")]
pub(super) enum Adjacent<T> {
    UnitVariant,
    One(T),
    Two(T, f32),
    Fields { a: T, b: Option<Option<u8>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Untagged {
    Nothing,
    Flag(bool),
    Number(i64),
    Float(f64),
    Text(String),
    Pair(u8, String),
    Bytes(Vec<u8>),
    Address { ip: IpAddr, port: Option<u16> },
    Nested { list: Vec<Untagged> },
    External { external: External<u8> },
}

fn externals<T: Clone>(value: &T) -> Vec<External<T>> {
    let fields = |a, c| External::Fields { a, b: 3, c };
    vec![
        External::Nothing,
        External::One(value.clone()),
        External::Two(2, value.clone()),
        fields(None, vec![]),
        fields(Some(value.clone()), vec![External::Nothing, fields(None, vec![External::Empty {}, External::Last])]),
        External::Empty {},
        External::Last,
    ]
}

#[test]
fn every_representation_of_an_enum_travels() {
    travels(&externals(&5u8));
    travels(&externals(&"text".to_string()));
    travels(&externals(&job(None)));
    let ip: IpAddr = "2001:db8::1".parse().expect("an address");
    let fields = Internal::Fields { a: None, ip, nested: vec![Internal::Nothing, Internal::One(job(None))] };
    travels(&[Internal::Nothing, Internal::One(job(Some(1))), fields]);
    let adjacent = Adjacent::Fields { a: job(None), b: Some(None) };
    travels(&[Adjacent::UnitVariant, Adjacent::One(job(None)), Adjacent::Two(job(Some(2)), 0.1), adjacent]);
    travels(&[
        Untagged::Nothing,
        Untagged::Flag(true),
        Untagged::Number(i64::MIN),
        Untagged::Number(5),
        Untagged::Float(5.0),
        Untagged::Float(f64::MIN_POSITIVE),
        Untagged::Text("5".into()),
        Untagged::Pair(1, "x".into()),
        Untagged::Bytes(vec![1, 2, 3]),
        Untagged::Address { ip: "127.0.0.1".parse().expect("an address"), port: Some(0) },
        Untagged::Nested { list: vec![Untagged::Nothing, Untagged::Text("t".into()), Untagged::Pair(9, "y".into())] },
        Untagged::External { external: External::Fields { a: Some(1), b: 2, c: vec![External::Last] } },
        Untagged::External { external: External::Two(1, 2) },
    ]);
}
