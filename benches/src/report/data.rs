//! The file that keeps the figures of the published run, so that documents can be written again without measuring.

use std::{fs, path::Path};

use super::Report;
use crate::Outcome;

/// The name of the file, relative to the root.
const FILE: &str = "benches/measured.json";

pub(super) fn read(root: &Path) -> Outcome<Report> {
    Ok(serde_json::from_str(&fs::read_to_string(root.join(FILE))?)?)
}

pub(super) fn write(report: &Report, root: &Path) -> Outcome<()> {
    fs::write(root.join(FILE), serde_json::to_string_pretty(report)? + "\n")?;
    Ok(())
}

/// Stores a scenario as its name.
pub(super) mod by_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::scenario::{ALL, Scenario};

    pub(in crate::report) fn serialize<S: Serializer>(scenario: &Scenario, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(scenario.name)
    }

    pub(in crate::report) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<&'static Scenario, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = ALL.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| D::Error::custom(format!("there is no scenario {name:?}")))
    }
}
