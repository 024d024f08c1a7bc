//! Expectations as text in JSON: `plan.json` carries them in their canonical form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Expectation, parse};

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse::parse(&text).map(|parsed| parsed.expectation).map_err(|error| serde::de::Error::custom(error.message))
    }
}
