//! Which functions a target of a template means.
//!
//! Owns: ARNs, tags, selection modes. Must not know: what happens to the functions.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::FUNCTION_TYPE;

/// The most ARNs of a target. Source: the service model.
const ARNS_MAX: usize = 5;
/// The one parameter of a function target: the version or alias whose invocations are meant; default all.
const QUALIFIER_PARAMETER: &str = "functionQualifier";

/// A target of a template, as requests and answers have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub resource_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Value>,
    pub selection_mode: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// A function as a target sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub name: String,
    /// Without a qualifier.
    pub arn: String,
    pub tags: BTreeMap<String, String>,
}

/// How many of the functions that fit are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selection {
    All,
    Count(usize),
    Percent(usize),
}

impl Selection {
    fn parse(text: &str) -> Option<Self> {
        if text == "ALL" {
            return Some(Self::All);
        }
        let (kind, number) = text.strip_suffix(')')?.split_once('(')?;
        let number: usize = number.parse().ok().filter(|number| *number > 0)?;
        match kind {
            "COUNT" => Some(Self::Count(number)),
            "PERCENT" if number <= 100 => Some(Self::Percent(number)),
            _ => None,
        }
    }

    /// AWS rounds a percentage down, so that it may be none.
    fn of(self, count: usize) -> usize {
        match self {
            Self::All => count,
            Self::Count(number) => number.min(count),
            Self::Percent(number) => count * number / 100,
        }
    }
}

impl Target {
    /// What is wrong with it. `None`: nothing.
    pub(super) fn problem(&self) -> Option<String> {
        if self.resource_type != FUNCTION_TYPE {
            return Some(format!("the sandbox has no resource type `{}`; it has {FUNCTION_TYPE}", self.resource_type));
        }
        if self.resource_arns.is_empty() == self.resource_tags.is_empty() {
            return Some("a target needs either `resourceArns` or `resourceTags`".to_owned());
        }
        if self.resource_arns.len() > ARNS_MAX {
            return Some(format!("a target has at most {ARNS_MAX} `resourceArns`"));
        }
        if let Some(arn) = self.resource_arns.iter().find(|arn| !is_function_arn(arn)) {
            return Some(format!(
                "`{arn}` is not the ARN of a function; a version or alias is named by the parameter `{QUALIFIER_PARAMETER}`"
            ));
        }
        if !self.filters.is_empty() {
            return Some(format!("the resource type `{FUNCTION_TYPE}` has no filters"));
        }
        if Selection::parse(&self.selection_mode).is_none() {
            return Some(format!("`selectionMode` must be ALL, COUNT(n) or PERCENT(n), not `{}`", self.selection_mode));
        }
        let unknown = self.parameters.keys().find(|name| *name != QUALIFIER_PARAMETER);
        unknown.map(|name| format!("the resource type `{FUNCTION_TYPE}` has no parameter `{name}`"))
    }

    /// The version or alias whose invocations are meant.
    pub(super) fn qualifier(&self) -> Option<&str> {
        self.parameters.get(QUALIFIER_PARAMETER).map(String::as_str)
    }

    /// The functions that it means; which ones a count or a percentage takes is drawn.
    pub(super) fn resolve(&self, candidates: &[Candidate], random: &mut ChaCha8Rng) -> Vec<Candidate> {
        let arns: BTreeSet<&str> = self.resource_arns.iter().map(String::as_str).collect();
        let fits = |candidate: &&Candidate| match arns.is_empty() {
            false => arns.contains(candidate.arn.as_str()),
            true => self.resource_tags.iter().all(|(key, value)| candidate.tags.get(key) == Some(value)),
        };
        let mut found: Vec<Candidate> = candidates.iter().filter(fits).cloned().collect();
        let count = Selection::parse(&self.selection_mode).map_or(0, |selection| selection.of(found.len()));
        if count < found.len() {
            found.shuffle(random);
            found.truncate(count);
            found.sort_by(|one, other| one.arn.cmp(&other.arn));
        }
        found
    }
}

fn is_function_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts.as_slice(), ["arn", _, "lambda", _, _, "function", name] if !name.is_empty())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn candidates() -> Vec<Candidate> {
        let tags = |name: &str| BTreeMap::from([("team".to_owned(), name.to_owned())]);
        ["a", "b", "c", "d", "e"]
            .map(|name| Candidate {
                name: name.to_owned(),
                arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
                tags: tags(if name == "e" { "other" } else { "shop" }),
            })
            .to_vec()
    }

    fn target(mode: &str, by_tag: bool) -> Target {
        let arn = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        Target {
            resource_type: FUNCTION_TYPE.to_owned(),
            resource_arns: if by_tag { Vec::new() } else { vec![arn("a"), arn("nobody")] },
            resource_tags: if by_tag {
                BTreeMap::from([("team".to_owned(), "shop".to_owned())])
            } else {
                BTreeMap::new()
            },
            filters: Vec::new(),
            selection_mode: mode.to_owned(),
            parameters: BTreeMap::new(),
        }
    }

    fn resolved(target: &Target) -> Vec<String> {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        target.resolve(&candidates(), &mut random).into_iter().map(|candidate| candidate.name).collect()
    }

    #[test]
    fn arns_and_tags_find_their_functions() {
        assert_eq!(resolved(&target("ALL", false)), ["a"]);
        assert_eq!(resolved(&target("ALL", true)), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_selection_takes_as_many_as_it_says_rounded_down() {
        assert_eq!(resolved(&target("COUNT(3)", true)).len(), 3);
        assert_eq!(resolved(&target("COUNT(9)", true)).len(), 4);
        assert_eq!(resolved(&target("PERCENT(74)", true)).len(), 2);
        assert_eq!(resolved(&target("PERCENT(24)", true)).len(), 0);
        assert_eq!(
            resolved(&target("COUNT(3)", true)),
            resolved(&target("COUNT(3)", true)),
            "the same seed, the same draw"
        );
    }

    #[test]
    fn what_is_no_target_is_told() {
        assert_eq!(target("ALL", true).problem(), None);
        let qualified = "arn:aws:lambda:us-east-1:000000000000:function:a:live".to_owned();
        for (wrong, part) in [
            (Target { resource_type: "aws:ec2:instance".to_owned(), ..target("ALL", true) }, "aws:ec2:instance"),
            (Target { resource_tags: BTreeMap::new(), ..target("ALL", true) }, "resourceTags"),
            (Target { resource_tags: target("ALL", true).resource_tags, ..target("ALL", false) }, "resourceTags"),
            (Target { resource_arns: vec![qualified], ..target("ALL", false) }, "functionQualifier"),
            (Target { filters: vec![Value::Null], ..target("ALL", true) }, "filters"),
            (target("COUNT(0)", true), "selectionMode"),
            (target("PERCENT(101)", true), "selectionMode"),
            (target("SOME", true), "selectionMode"),
            (Target { parameters: BTreeMap::from([("x".to_owned(), String::new())]), ..target("ALL", true) }, "`x`"),
        ] {
            assert!(wrong.problem().is_some_and(|text| text.contains(part)), "{wrong:?}");
        }
    }
}
