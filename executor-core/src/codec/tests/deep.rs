//! The limit on how deeply a value may be nested. None of these tests may overflow a stack.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::*;

/// Runs `code` on a thread with a stack of this many bytes. There is one large stack at a time, because a program with
/// 32-bit addresses has no room for many.
fn on_stack<R: Send + 'static>(bytes: usize, code: impl FnOnce() -> R + Send + 'static) -> R {
    static LARGE: Mutex<()> = Mutex::new(());
    let _large = (bytes >= 512 << 20).then(|| LARGE.lock());
    let thread = std::thread::Builder::new().stack_size(bytes).spawn(code).expect("a thread");
    thread.join().expect("no panic")
}

/// A nested value that is built and taken apart without recursion.
trait Tree: Payload + Sized {
    fn leaf() -> Self;
    fn wrap(self) -> Self;
    /// Returns the inner value, or `None` for the innermost.
    fn unwrap(self) -> Option<Self>;

    fn of(levels: usize) -> Self {
        (0..levels).fold(Self::leaf(), |inner, _| inner.wrap())
    }

    fn levels(self) -> usize {
        let (mut tree, mut levels) = (self, 0);
        while let Some(inner) = tree.unwrap() {
            (tree, levels) = (inner, levels + 1);
        }
        levels
    }
}

macro_rules! tree {
    ($type:ident, $leaf:expr, $wrap:expr, $unwrap:expr) => {
        impl Tree for $type {
            fn leaf() -> Self {
                $leaf
            }
            fn wrap(self) -> Self {
                $wrap(self)
            }
            fn unwrap(self) -> Option<Self> {
                $unwrap(self)
            }
        }
    };
}

#[derive(Debug, Serialize, Deserialize)]
struct Boxed {
    name: String,
    next: Option<Box<Boxed>>,
    numbers: [u64; 8],
}
tree!(
    Boxed,
    Boxed { name: String::new(), next: None, numbers: [1; 8] },
    |inner| Boxed { name: "n".into(), next: Some(Box::new(inner)), numbers: [2; 8] },
    |tree: Boxed| tree.next.map(|inner| *inner)
);

#[derive(Debug, Serialize, Deserialize)]
struct Listed(Vec<Listed>);
tree!(Listed, Listed(vec![]), |inner| Listed(vec![inner]), |mut tree: Listed| tree.0.pop());

#[derive(Debug, Serialize, Deserialize)]
enum Variants {
    Leaf,
    Not(Box<Variants>),
    And { left: Box<Variants>, right: Option<Box<Variants>> },
}
tree!(
    Variants,
    Variants::Leaf,
    |inner| match inner {
        Variants::Not(_) => Variants::And { left: Box::new(inner), right: None },
        inner => Variants::Not(Box::new(inner)),
    },
    |tree| match tree {
        Variants::Leaf => None,
        Variants::Not(inner) | Variants::And { left: inner, .. } => Some(*inner),
    }
);

#[derive(Debug, Serialize, Deserialize)]
struct Mapped(HashMap<String, Mapped>);
tree!(Mapped, Mapped(HashMap::new()), |inner| Mapped(HashMap::from([("key".to_string(), inner)])), |tree: Mapped| tree
    .0
    .into_values()
    .next());

#[derive(Debug, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);
tree!(Chain, Chain(None), |inner| Chain(Some(Box::new(inner))), |tree: Chain| tree.0.map(|inner| *inner));

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Leaf(u8),
    Flag { flag: bool },
    Node { list: Vec<Untagged> },
}
tree!(Untagged, Untagged::Leaf(1), |inner| Untagged::Node { list: vec![inner] }, |tree| match tree {
    Untagged::Leaf(_) | Untagged::Flag { .. } => None,
    Untagged::Node { mut list } => list.pop(),
});

#[derive(Debug, Default, Serialize, Deserialize)]
struct Large {
    texts: (String, String, String, String),
    numbers: [u64; 16],
    more: Option<(Vec<String>, [u64; 16])>,
}

/// Reading it takes frames many times larger than those of the buffer that serde fills first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)]
enum LargeUntagged {
    One { one: u8, large: Large, other: Large },
    Two { two: u8, large: Large, other: (Large, Large) },
    Node { large: Large, inner: Option<Box<LargeUntagged>> },
}
tree!(
    LargeUntagged,
    LargeUntagged::Node { large: Large::default(), inner: None },
    |inner| LargeUntagged::Node { large: Large::default(), inner: Some(Box::new(inner)) },
    |tree| match tree {
        LargeUntagged::Node { inner, .. } => inner.map(|inner| *inner),
        _ => None,
    }
);

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Leaf,
    Node { inner: Box<Tagged>, text: String },
}
tree!(Tagged, Tagged::Leaf, |inner| Tagged::Node { inner: Box::new(inner), text: "t".into() }, |tree| match tree {
    Tagged::Leaf => None,
    Tagged::Node { inner, .. } => Some(*inner),
});

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    number: u8,
    #[serde(flatten)]
    inner: HashMap<String, Flat>,
}
tree!(
    Flat,
    Flat { number: 1, inner: HashMap::new() },
    |inner| Flat { number: 2, inner: HashMap::from([("key".to_string(), inner)]) },
    |tree: Flat| tree.inner.into_values().next()
);

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Json(serde_json::Value);
tree!(
    Json,
    Json(serde_json::Value::Null),
    |inner: Json| Json(serde_json::Value::Array(vec![inner.0])),
    |mut tree: Json| tree.0.as_array_mut().and_then(Vec::pop).map(Json)
);

/// Implements the traits by hand, so that its own code runs at each level.
#[derive(Debug, PartialEq)]
struct ByHand(Vec<ByHand>);
impl Serialize for ByHand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}
impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByHand, D::Error> {
        let frame = std::hint::black_box([1u8; 2048]);
        let inner = Vec::deserialize(deserializer).map(ByHand);
        std::hint::black_box(frame);
        inner
    }
}
tree!(ByHand, ByHand(vec![]), |inner| ByHand(vec![inner]), |mut tree: ByHand| tree.0.pop());

/// Returns the levels and the bytes of a tree that is too deep for every stack in these tests.
fn deepest<T: Tree>() -> (usize, Vec<u8>) {
    on_stack(512 << 20, || {
        let mut levels = 40_000;
        loop {
            let tree = T::of(levels);
            let mut bytes = Vec::new();
            let written = write(&tree, &mut bytes);
            assert_eq!(tree.levels(), levels);
            if written.is_ok() {
                return (levels, bytes);
            }
            levels /= 2;
        }
    })
}

fn is_bounded_in_both_directions<T: Tree>(at_least: usize) {
    let (levels, bytes) = deepest::<T>();
    assert!(levels >= 5000, "{levels}");
    for stack in [64 << 10, 256 << 10, 2 << 20] {
        let bytes = bytes.clone();
        on_stack(stack, move || {
            let error = decode::<T>(&bytes).err().expect("too deep");
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains("nested more deeply than the stack of this thread allows"), "{error}");
        });
        let tree = on_stack(512 << 20, move || T::of(levels));
        let tree = on_stack(stack, move || {
            let mut bytes = vec![1];
            let error = encode(&tree, &mut bytes).expect_err("too deep");
            assert_eq!((error.kind(), bytes.len()), (ErrorKind::Encode, 1));
            assert!(error.to_string().contains("nested more deeply"), "{error}");
            tree
        });
        assert_eq!(tree.levels(), levels);
        // The deepest tree that can be read can also be dropped on the same stack.
        let most = on_stack(stack, move || {
            let (mut most, mut too_many) = (0, 8192);
            while too_many - most > 1 {
                let levels = (most + too_many) / 2;
                let bytes = on_stack(512 << 20, move || {
                    let (tree, mut bytes) = (T::of(levels), Vec::new());
                    write(&tree, &mut bytes).expect("written");
                    assert_eq!(tree.levels(), levels);
                    bytes
                });
                match decode::<T>(&bytes) {
                    Ok(tree) => {
                        most = levels;
                        drop(tree);
                    }
                    Err(error) => {
                        too_many = levels;
                        assert!(error.to_string().contains("nested more deeply"), "{error}");
                    }
                }
            }
            most
        });
        println!("{}: {most} levels on {} KiB", type_name::<T>(), stack >> 10);
        if stack == 2 << 20 {
            assert!(most >= at_least, "only {most} levels");
        }
    }
}

#[test]
fn a_tree_of_boxes_is_bounded() {
    is_bounded_in_both_directions::<Boxed>(128);
}

#[test]
fn a_tree_of_vectors_is_bounded() {
    is_bounded_in_both_directions::<Listed>(128);
}

#[test]
fn a_tree_of_variants_is_bounded() {
    is_bounded_in_both_directions::<Variants>(128);
}

#[test]
fn a_tree_of_maps_is_bounded() {
    is_bounded_in_both_directions::<Mapped>(128);
}

#[test]
fn a_chain_of_options_is_bounded() {
    is_bounded_in_both_directions::<Chain>(128);
}

#[test]
fn a_tree_with_traits_implemented_by_hand_is_bounded() {
    is_bounded_in_both_directions::<ByHand>(64);
}

#[test]
fn json_is_bounded() {
    is_bounded_in_both_directions::<Json>(64);
}

#[test]
fn a_tree_that_serde_buffers_is_bounded() {
    is_bounded_in_both_directions::<Untagged>(16);
    is_bounded_in_both_directions::<LargeUntagged>(4);
    is_bounded_in_both_directions::<Tagged>(16);
    is_bounded_in_both_directions::<Flat>(16);
}

#[test]
fn an_ignored_value_is_bounded() {
    #[derive(Serialize)]
    struct Writes {
        tree: Listed,
    }
    #[derive(Debug, Deserialize)]
    struct Reads {}
    let mut bytes = Vec::new();
    let bytes = on_stack(512 << 20, move || {
        let value = Writes { tree: Listed::of(20_000) };
        write(&value, &mut bytes).expect("written");
        assert_eq!(value.tree.levels(), 20_000);
        bytes
    });
    on_stack(256 << 10, move || {
        assert!(read::<Reads>(&bytes, &mut None).expect_err("too deep").to_string().contains("nested more deeply"));
    });
}

/// While a value of 6 KiB is read, several copies of it are on the stack, especially in a debug build.
#[test]
fn a_value_that_is_too_large_for_the_stack_is_an_error_in_every_container() {
    type Large = ([[u64; 32]; 24], u8);
    fn is_an_error<T: Payload>(value: T) {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).expect("written");
        // Boxed, because the test's own frames would hold copies too.
        let bytes = Box::new(bytes);
        let stack = if cfg!(debug_assertions) { 96 << 10 } else { 48 << 10 };
        // The C library may give the thread a larger stack than requested, reused from an earlier thread.
        let left = on_stack(stack, move || (crate::stack::remaining(), decode::<T>(&bytes).map(drop)));
        match left {
            (_, Err(error)) => assert_eq!(error.kind(), ErrorKind::Decode),
            (left, Ok(())) => assert!(left.is_none_or(|left| left > 2 * stack), "{left:?}"),
        }
    }
    let large: Large = ([[7; 32]; 24], 1);
    is_an_error(large);
    is_an_error(Box::new(large));
    is_an_error(vec![large]);
    is_an_error(Some(large));
    is_an_error(HashMap::from([(1_u8, large)]));
    let mut bytes = Vec::new();
    encode(&large, &mut bytes).expect("written");
    on_stack(2 << 20, move || assert_eq!(decode::<Large>(&bytes).expect("the stack is large enough").0, [[7; 32]; 24]));
}
