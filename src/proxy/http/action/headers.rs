//! `headers`: the answer's headers are others.

use std::collections::BTreeMap;

use httparse::Header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::http_error::header_problems;
use crate::proxy::http::head::values;
use crate::proxy::http::message::is_framing;

/// Sets headers of the answer, in place of all of the same name, and takes others away. An answer whose headers are so already
/// is not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Headers {
    /// Headers that the answer has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Headers that it does not have; a name in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

impl Headers {
    /// Whether a header that came is not to be passed on.
    pub(crate) fn drops(&self, name: &str) -> bool {
        self.set.keys().chain(&self.remove).any(|dropped| dropped.eq_ignore_ascii_case(name))
    }

    /// Whether a head with these header lines becomes another one.
    pub(crate) fn changes(&self, headers: &[Header<'_>]) -> bool {
        self.remove.iter().any(|name| values(headers, name).next().is_some())
            || self.set.iter().any(|(name, value)| !values(headers, name).eq([value.as_bytes()]))
    }

    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = header_problems("set", &self.set);
        if self.set.is_empty() && self.remove.is_empty() {
            problems.push(Problem::new("headers", "write what to `set` or to `remove`"));
        }
        for name in self.remove.iter().filter(|name| is_framing(name)) {
            let text = format!("`{name}` says where messages end, which the proxy sees to itself");
            problems.push(Problem::new("remove", text));
        }
        problems
    }
}
