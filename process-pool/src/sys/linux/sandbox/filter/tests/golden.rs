//! The verdicts as text, in `golden/`. A change of a verdict changes the text, and so is seen in the change itself.
//!
//! `GOLDEN=write cargo test -p concurrent-futures-processes --lib golden` writes the text of this architecture.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter, Write as _},
    fs, io,
    path::Path,
};

use super::{
    super::{
        program::{Action, Condition, Rule, Verdict},
        verdicts::table,
    },
    CHANNEL, OWN, policies,
};

struct Shown<'a, T>(&'a T);

impl Display for Shown<'_, Action> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Action::Allow => f.write_str("allow"),
            Action::Fail(libc::EPERM) => f.write_str("EPERM"),
            Action::Fail(libc::EACCES) => f.write_str("EACCES"),
            Action::Fail(libc::ENOSYS) => f.write_str("ENOSYS"),
            Action::Fail(error) => write!(f, "error {error}"),
            Action::Trap => f.write_str("trap"),
            Action::Kill => f.write_str("kill"),
        }
    }
}

impl Display for Shown<'_, Condition> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let listed = |values: &[u32]| {
            let shown = values.iter().map(|value| match *value {
                OWN => "own".to_string(),
                value if value == OWN.wrapping_neg() => "-own".to_string(),
                value => format!("{value:#x}"),
            });
            shown.collect::<Vec<String>>().join(" ")
        };
        match self.0 {
            Condition::Is(argument, values) => write!(f, "{argument} is {}", listed(values)),
            Condition::IsNot(argument, values) => write!(f, "{argument} is not {}", listed(values)),
            Condition::HasAny(argument, bits) => write!(f, "{argument} has any of {bits:#x}"),
            Condition::HasAll(argument, bits) => write!(f, "{argument} has all of {bits:#x}"),
            Condition::LacksAny(argument, bits) => write!(f, "{argument} lacks any of {bits:#x}"),
            Condition::IsNotZero(argument) => write!(f, "{argument} is not zero"),
        }
    }
}

impl Display for Shown<'_, Verdict> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Rule { when, then } in &self.0.rules {
            let when: Vec<String> = when.iter().map(|condition| Shown(condition).to_string()).collect();
            write!(f, "{} if {}; ", Shown(then), when.join(" and "))?;
        }
        Shown(&self.0.otherwise).fmt(f)
    }
}

fn text() -> String {
    let mut text = format!(
        "The verdicts on system calls: all of the first policy, and what the others have instead.\n\
         `0 is 0x5` is a condition on the first argument. {OWN} is the locked process, {CHANNEL} its channel.\n"
    );
    let mut first = BTreeMap::new();
    for (name, policy) in policies() {
        let _ = writeln!(text, "\n{name}");
        let verdicts: BTreeMap<u32, String> = table(&policy)
            .entries
            .values()
            .map(|entry| (entry.call.number, format!("{} {}", entry.call.name(), Shown(&entry.verdict))))
            .collect();
        for (number, verdict) in &verdicts {
            if first.get(number) != Some(verdict) {
                let _ = writeln!(text, "{number:4} {verdict}");
            }
        }
        for number in first.keys().filter(|number| !verdicts.contains_key(*number)) {
            let _ = writeln!(text, "{number:4} unknown");
        }
        if first.is_empty() {
            first = verdicts;
        }
    }
    text
}

#[test]
fn verdicts_are_those_of_the_golden_list() {
    // With musl, whose threads signal each other in another way, a rule of one call is another one.
    let library = if cfg!(target_env = "musl") { "-musl" } else { "" };
    let file = format!("src/sys/linux/sandbox/filter/tests/golden/{}{library}.txt", std::env::consts::ARCH);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    let text = text();
    if std::env::var_os("GOLDEN").is_some_and(|wanted| wanted == "write") {
        fs::create_dir_all(path.parent().expect("it has one")).expect("the folder can be made");
        fs::write(&path, &text).expect("the list can be written");
    }
    let golden = match fs::read_to_string(&path) {
        Ok(golden) => golden,
        // The tests of another architecture may run where the sources are not, and not all have a list.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && !cfg!(all(target_arch = "x86_64", target_env = "gnu")) =>
        {
            eprintln!("not checked: there is no {file}");
            return;
        }
        Err(error) => panic!("{file} cannot be read: {error}"),
    };
    for (number, (line, golden)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, golden, "line {} of {file}; if the new verdict is right, write the list again", number + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{file} has another number of lines");
}
