//! Numbers, texts and values without content.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use concurrent_futures::Executor;
use serde::{Deserialize, Serialize};

use super::{back_ends, echo, travels};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NoFields {}

#[test]
fn nested_options_and_zero_sized_values_travel() {
    travels(&[None, Some(None), Some(Some(None)), Some(Some(Some(())))]);
    travels(&[vec![(); 5], vec![]]);
    travels(&[vec![vec![(); 3], vec![], vec![(); 1]]]);
    travels(&[vec![Unit; 3]]);
    travels(&[vec![NoFields {}; 300]]);
    travels(&[vec![PhantomData::<String>; 2]]);
    travels(&[[(); 3]]);
    travels(&[(Unit, (), NoFields {}, Some(Unit), None::<Unit>)]);
    travels(&[HashMap::from([((), ())]), HashMap::new()]);
}

#[test]
fn numbers_and_texts_travel_bit_by_bit() {
    travels(&[(u128::MAX, i128::MIN, u64::MAX, i64::MIN), (0, 0, 0, 0), (300, -300, 1 << 32, -(1 << 40))]);
    travels(&[('\0', "\u{10ffff}".to_string(), Duration::MAX), ('ü', "x".repeat(70_000), Duration::ZERO)]);
    travels::<(SocketAddr, IpAddr)>(&[("[::1]:80".parse().expect("one"), "10.0.0.1".parse().expect("one"))]);
    travels(&[(HashSet::from([(1u8, 'x')]), VecDeque::from([1.5f32, f32::MIN]), [1u64, u64::MAX])]);
    travels(&[vec![vec![f64::MAX, -0.0], vec![]], vec![]]);
    let odd = [f64::from_bits(0x7ff8_dead_beef_0001), f64::from_bits(0xfff0_0000_0000_0001), -0.0];
    for (name, back_end) in back_ends() {
        for number in odd {
            let sent = (number, Some(vec![number]), number as f32);
            let (a, b, _) =
                back_end.submit(echo::<(f64, Option<Vec<f64>>, f32)>, sent).expect("sent").result(None).expect("back");
            assert_eq!((a.to_bits(), b.expect("there")[0].to_bits()), (number.to_bits(), number.to_bits()), "{name}");
        }
    }
}
