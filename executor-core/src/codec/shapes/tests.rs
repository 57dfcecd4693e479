use std::sync::LazyLock;

use super::*;

fn close(written: &mut Written, owner: &'static str, names: &[&'static str]) -> u16 {
    let open = written.open(owner, owner);
    names.iter().for_each(|name| written.add(open, name));
    written.close(open).expect("below the limits")
}

#[test]
fn each_shape_and_variant_is_written_once_and_found_by_its_number() {
    let shapes: [(&str, &[&str]); 4] = [("A", &["one", "two"]), ("B", &["one", "two"]), ("A", &["one"]), ("C", &[])];
    // What is stored after one value must not become a part of the next.
    for shapes in [&shapes[..], &shapes[2..], &shapes[..1], &[]] {
        let mut written = Written::take();
        for _ in 0..2 {
            for (number, (owner, names)) in shapes.iter().enumerate() {
                assert_eq!(close(&mut written, owner, names), number as u16);
            }
            assert_eq!(["Ok", "Err", "Ok"].map(|name| written.variant(name)), [0, 1, 0]);
        }
        let mut bytes = b"value".to_vec();
        let mark = finish(Some(written), Notes::default(), &mut bytes).expect("below the limits");
        let mut known = Known::new();
        let value = known.split(&bytes).expect("well-formed");
        assert_eq!((value, known.mark), (&b"value"[..], mark));
        for (number, (owner, names)) in shapes.iter().enumerate() {
            let number = number as u16;
            assert!(known.consists_of(number, names) && !known.consists_of(number, &["one", "two", "three"]));
            let fields = known.fields_of(number).expect("the shape exists");
            assert_eq!((fields.owner, fields.count as usize), (*owner, names.len()));
            assert!(names.iter().zip(0..).all(|(name, index)| known.field(&fields, index) == *name));
        }
        assert_eq!([0, 1, 2].map(|number| known.variant(number)), [Some("Ok"), Some("Err"), None]);
        assert!(known.fields_of(shapes.len() as u16).is_none());
    }
}

#[test]
fn many_shapes_and_variants_keep_their_numbers() {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| (0..300).map(|number| format!("name{number}")).collect());
    let names: Vec<&'static str> = NAMES.iter().map(String::as_str).collect();
    let mut written = Written::take();
    for _ in 0..2 {
        for (number, name) in names.iter().enumerate() {
            assert_eq!(close(&mut written, "T", &[name]), number as u16);
            assert_eq!(written.variant(name), number);
        }
    }
}

#[test]
fn a_struct_within_another_has_its_own_fields() {
    let mut written = Written::default();
    for _ in 0..2 {
        let outer = written.open("Outer", "Outer");
        written.add(outer, "inner");
        assert_eq!(close(&mut written, "Inner", &["a", "b"]), 0);
        written.add(outer, "rest");
        assert_eq!(written.close(outer).expect("below the limits"), 1);
        assert_eq!(close(&mut written, "Outer", &["inner", "rest"]), 1);
        // A struct that ends early has another shape, and so has one with more fields.
        assert_eq!(close(&mut written, "Outer", &["inner"]), 2);
        assert_eq!(close(&mut written, "Outer", &["inner", "rest", "more"]), 3);
    }
}

#[test]
fn the_mark_depends_on_the_names_and_absent_fields_but_not_on_their_order_or_count() {
    let mark = |shapes: &[&[&'static str]], absent: &[&'static str]| {
        let (mut written, mut notes) = (Written::take(), Notes::default());
        for names in shapes {
            close(&mut written, "T", names);
        }
        for name in absent {
            let open = written.open("U", "U");
            written.add(open, name);
            notes.absent("U", name);
            written.close(open).expect("below the limits");
        }
        finish(Some(written), notes, &mut Vec::new()).expect("below the limits")
    };
    assert_eq!(mark(&[&["a", "b"], &["c"], &["a", "b"]], &["d", "d"]), mark(&[&["c"], &["a", "b"]], &["d"]));
    assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a"]], &[]));
    assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["b", "a"]], &[]));
    assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a", "b"]], &["c"]));
    let mut wide = Notes::default();
    assert!(finish(None, wide, &mut Vec::new()).expect("below the limits").is_none());
    wide.wide();
    assert!(!finish(None, wide, &mut Vec::new()).expect("below the limits").is_none());
}
