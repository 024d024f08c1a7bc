//! Rules: which requests something is done to, and what. One rule is a match, a choice among what matches, and an action.
//!
//! Owns the JSON of `/proxies/{proxy}/rules`. Matching and choosing are pure; must not know sockets.

mod active;
mod matching;
mod pattern;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use active::RuleStats;
pub(crate) use active::{ActiveRule, RuleSet};
pub(crate) use matching::{Subject, parameters};
pub use pattern::Pattern;

use super::action::Action;
use super::aws;
use crate::proxy::lease::{LEASE_MS_MAX, checked_wait};
use crate::unit::{Percent, RuleName};

/// Something that is wrong with a rule, with the key that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key of the value, as in `percentage`.
    pub key: &'static str,
    /// What is wrong, a fragment.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

/// A rule as the admin API takes it: `{"name": "throttled", "match": {"aws": {"service": "dynamodb"}},
/// "percentage": "30%", "action": {"aws_error": {"code": "ThrottlingException"}}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Its name, of which a proxy has one.
    pub name: RuleName,
    /// Which requests it is about; default all.
    #[serde(default, rename = "match", skip_serializing_if = "Match::is_empty")]
    pub matches: Match,
    /// The share of the matching requests that is hit; default all. The proxy's seed decides which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percent>,
    /// Which of the matching requests may be hit, in their order; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// How many requests are hit at most; default no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_affected: Option<u64>,
    /// What is done to them.
    pub action: Action,
    /// How long after it was added, or put off, it is dropped by itself: 1 ms to 7 days. Default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

impl RuleSpec {
    /// How long after it was added it is dropped by itself.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.ttl_ms.map(Duration::from_millis)
    }

    /// All that is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.matches.problems();
        problems.extend(choice_problems(self.percentage, self.when, self.max_affected));
        problems.extend(self.action.problems());
        if self.ttl_ms.is_some_and(|millis| checked_wait(millis).is_none()) {
            problems.push(Problem::new("ttl_ms", format!("a time to live is from 1 to {LEASE_MS_MAX} milliseconds")));
        }
        problems
    }
}

/// What is wrong with a choice among matching requests.
pub(crate) fn choice_problems(percentage: Option<Percent>, when: Option<When>, most: Option<u64>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if percentage.is_some_and(|share| share.ratio() <= 0.0 || share.ratio() > 1.0) {
        problems.push(Problem::new("percentage", "the share must be above 0% and at most 100%"));
    }
    problems.extend(when.and_then(When::problem));
    if most == Some(0) {
        problems.push(Problem::new("max_affected", "a fault that affects no request is no fault"));
    }
    problems
}

/// Which requests a rule is about: all that is given must hold. In texts `*` stands for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The method, as in `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path without its query, as in `/orders/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Pattern>,
    /// The `Host` header, in any case, as in `api.example.com:*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Pattern>,
    /// Headers by name; a header that stands twice matches by any of its lines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Pattern>,
    /// Parameters of the query by name, decoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Pattern>,
    /// The AWS API that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsMatch>,
}

/// Which AWS API call a request must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsMatch {
    /// The service as its signature names it: `dynamodb`, `sqs`, `states`, `monitoring`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The operation, as in `PutItem` or `Get*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Pattern>,
}

impl Match {
    /// Whether every request matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All that is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_token =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if let Some(method) = &self.method
            && (!is_token(method) || method.bytes().any(|byte| byte.is_ascii_lowercase()))
        {
            problems.push(Problem::new("match", format!("`{method}` is not a method: they are written in capitals")));
        }
        if let Some(path) = &self.path
            && !path.to_string().starts_with(['/', '*'])
        {
            problems.push(Problem::new("match", format!("`{path}` matches no path: they begin with `/` (or `*`)")));
        }
        for name in self.header.keys().filter(|name| !is_token(name)) {
            problems.push(Problem::new("match", format!("`{name}` is not the name of a header")));
        }
        if let Some(AwsMatch { service, operation }) = &self.aws {
            if service.is_none() && operation.is_none() {
                problems.push(Problem::new("match", "`aws` needs a `service`, an `operation` or both"));
            }
            if let Some(service) = service
                && let Some(hint) = aws::unknown_service(service)
            {
                problems.push(Problem::new("match", hint));
            }
        }
        problems
    }
}

/// Which of the matching requests may be hit, counted from when the rule is added. One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The first so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Each so manieth: `3` is the third, the sixth, and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// All after the first so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl When {
    /// Whether the matching request of this number, from 1, may be hit.
    pub(crate) fn allows(self, number: u64) -> bool {
        self.first.is_none_or(|first| number <= first)
            && self.every.is_none_or(|every| number.is_multiple_of(every))
            && self.after.is_none_or(|after| number > after)
    }

    fn problem(self) -> Option<Problem> {
        let given = [self.first, self.every, self.after].into_iter().flatten();
        if given.clone().count() != 1 {
            return Some(Problem::new("when", "write one of `first`, `every` and `after`"));
        }
        given.into_iter().any(|number| number == 0).then(|| Problem::new("when", "the number must be above 0"))
    }
}
