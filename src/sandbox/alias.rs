//! Aliases: names for versions, each with a revision, and with a second version that gets a share of the invocations.
//!
//! Owns: what an alias may say, and which version an invocation through one gets. Must not know: processes, HTTP.
//! Limits from AWS, "Implement Lambda canary deployments using a weighted alias".

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use super::configuration::{DESCRIPTION_BYTES_MAX, new_revision};
use super::name::{Version, is_alias_name};
use super::version::Versions;

/// A second version behind an alias.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Additional {
    pub version: u32,
    /// The share of the invocations that it gets, 0.0 to 1.0.
    pub weight: f64,
}

/// What an alias says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alias {
    pub version: Version,
    pub description: String,
    pub additional: Option<Additional>,
    pub revision: String,
}

/// What `CreateAlias` and `UpdateAlias` say: `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct AliasChange {
    pub version: Option<String>,
    pub description: Option<String>,
    /// Version → weight; an empty map takes the second version away.
    pub weights: Option<BTreeMap<String, f64>>,
    /// The revision that the caller believes to change.
    pub revision: Option<String>,
}

/// Why an alias was not made or changed. The texts are AWS's where AWS has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AliasError {
    /// 409
    #[error("Alias already exists: {0}")]
    Exists(String),
    /// 404
    #[error("Cannot find alias arn: {0}")]
    Missing(String),
    /// 404
    #[error("Function not found: {0}")]
    VersionMissing(String),
    /// 400
    #[error("{0}")]
    Invalid(String),
    /// 412
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    )]
    StaleRevision,
}

#[derive(Debug)]
struct Routed {
    alias: Alias,
    /// Decides which version gets an invocation. It starts anew at each change, so that the same shift splits alike.
    random: ChaCha8Rng,
}

/// The aliases of one function.
#[derive(Debug)]
pub(super) struct Aliases {
    /// The function's ARN.
    arn: String,
    aliases: BTreeMap<String, Routed>,
}

impl Aliases {
    /// The aliases that a specification names.
    pub(super) fn new(arn: String, versions: &BTreeMap<String, u32>) -> Self {
        let mut aliases = Self { arn, aliases: BTreeMap::new() };
        for (name, version) in versions {
            let version = Version::Published(*version);
            let alias = Alias { version, description: String::new(), additional: None, revision: new_revision() };
            aliases.put(name, alias);
        }
        aliases
    }

    fn put(&mut self, name: &str, alias: Alias) {
        let random = ChaCha8Rng::from_seed(Sha256::digest(format!("{}:{name}", self.arn)).into());
        self.aliases.insert(name.to_owned(), Routed { alias, random });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Alias> {
        self.aliases.get(name).map(|routed| &routed.alias)
    }

    /// All, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Alias)> {
        self.aliases.iter().map(|(name, routed)| (name.as_str(), &routed.alias))
    }

    /// The version that the next invocation through this alias gets.
    pub(super) fn route(&mut self, name: &str) -> Option<Version> {
        let Routed { alias, random } = self.aliases.get_mut(name)?;
        let additional = alias.additional.filter(|additional| random.random_bool(additional.weight));
        Some(additional.map_or(alias.version, |additional| Version::Published(additional.version)))
    }

    /// The aliases that lead to a version, with whatever weight.
    pub(super) fn that_reference(&self, number: u32) -> Vec<String> {
        let leads_there = |alias: &Alias| {
            alias.version == Version::Published(number)
                || alias.additional.is_some_and(|additional| additional.version == number)
        };
        self.iter().filter(|(_, alias)| leads_there(alias)).map(|(name, _)| name.to_owned()).collect()
    }

    pub(super) fn create(&mut self, name: &str, change: AliasChange, versions: &Versions) -> Result<Alias, AliasError> {
        if !is_alias_name(name) {
            let text = format!("Value '{name}' at 'name' failed to satisfy constraint: not the name of an alias");
            return Err(AliasError::Invalid(text));
        }
        if self.aliases.contains_key(name) {
            return Err(AliasError::Exists(format!("{}:{name}", self.arn)));
        }
        if change.version.is_none() {
            return Err(AliasError::Invalid("`FunctionVersion` is required".to_owned()));
        }
        // Always replaced: a version is there.
        let blank =
            Alias { version: Version::Latest, description: String::new(), additional: None, revision: String::new() };
        self.change(name, blank, change, versions)
    }

    pub(super) fn update(&mut self, name: &str, change: AliasChange, versions: &Versions) -> Result<Alias, AliasError> {
        let alias = self.get(name).cloned().ok_or_else(|| AliasError::Missing(format!("{}:{name}", self.arn)))?;
        if change.revision.as_ref().is_some_and(|revision| *revision != alias.revision) {
            return Err(AliasError::StaleRevision);
        }
        self.change(name, alias, change, versions)
    }

    /// Takes an alias away. AWS: one that is not there is no error (`DeleteAlias`).
    pub(super) fn delete(&mut self, name: &str) {
        self.aliases.remove(name);
    }

    fn change(
        &mut self,
        name: &str,
        alias: Alias,
        change: AliasChange,
        versions: &Versions,
    ) -> Result<Alias, AliasError> {
        let AliasChange { version, description, weights, revision: _ } = change;
        let description = description.unwrap_or(alias.description);
        if description.len() > DESCRIPTION_BYTES_MAX {
            return Err(AliasError::Invalid("Value at 'description' is longer than 256 characters".to_owned()));
        }
        let version = match version.as_deref() {
            None => alias.version,
            Some("$LATEST") => Version::Latest,
            Some(text) => Version::Published(self.published(text, versions)?),
        };
        let additional = match weights {
            None => alias.additional,
            Some(weights) => self.additional(&weights, versions)?,
        };
        if let Some(additional) = additional {
            let problem = match version {
                Version::Latest => Some("$LATEST is not supported for an alias pointing to more than 1 version"),
                Version::Published(number) if number == additional.version => {
                    Some("the two versions of an alias must be different")
                }
                Version::Published(_) => None,
            };
            if let Some(problem) = problem {
                return Err(AliasError::Invalid(problem.to_owned()));
            }
        }
        let changed = Alias { version, description, additional, revision: new_revision() };
        self.put(name, changed.clone());
        Ok(changed)
    }

    /// The number of a version that must be there.
    fn published(&self, text: &str, versions: &Versions) -> Result<u32, AliasError> {
        let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        if !is_number {
            let text = format!("Value '{text}' at 'functionVersion' failed to satisfy constraint: not a version");
            return Err(AliasError::Invalid(text));
        }
        let number = text.parse().ok().filter(|number| versions.get(*number).is_some());
        number.ok_or_else(|| AliasError::VersionMissing(format!("{}:{text}", self.arn)))
    }

    fn additional(
        &self,
        weights: &BTreeMap<String, f64>,
        versions: &Versions,
    ) -> Result<Option<Additional>, AliasError> {
        let mut all = weights.iter();
        let Some((version, weight)) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            let text = "Number of items in AdditionalVersionWeights cannot be greater than 1";
            return Err(AliasError::Invalid(text.to_owned()));
        }
        if !(0.0..=1.0).contains(weight) {
            let text =
                format!("Value '{weight}' at 'additionalVersionWeights' failed to satisfy constraint: 0.0 to 1.0");
            return Err(AliasError::Invalid(text));
        }
        Ok(Some(Additional { version: self.published(version, versions)?, weight: *weight }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::configuration::tests::configuration;

    fn change(version: &str, weights: &[(&str, f64)]) -> AliasChange {
        let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        AliasChange { version: Some(version.to_owned()), weights: Some(weights), ..AliasChange::default() }
    }

    fn aliases() -> (Aliases, Versions) {
        let aliases = Aliases::new("arn".to_owned(), &BTreeMap::from([("live".to_owned(), 1)]));
        (aliases, Versions::new([1, 2], &configuration()))
    }

    #[test]
    fn a_weight_is_the_share_of_the_second_version_and_the_split_is_the_same_each_time() {
        let (mut aliases, versions) = aliases();
        let mut split = |weight| {
            aliases.update("live", change("1", &[("2", weight)]), &versions).expect("a good change");
            (0..2_000).filter(|_| aliases.route("live") == Some(Version::Published(2))).count()
        };
        let share = split(0.3);
        assert!((540..=660).contains(&share), "{share}");
        assert_eq!(split(0.3), share);
        assert_eq!((split(0.0), split(1.0)), (0, 2_000));
        assert_eq!(aliases.route("dead"), None);
    }

    #[test]
    fn what_an_alias_may_not_say_is_refused() {
        let (mut aliases, versions) = aliases();
        for (refused, part) in [
            (change("$LATEST", &[("2", 0.5)]), "$LATEST is not supported"),
            (change("1", &[("$LATEST", 0.5)]), "not a version"),
            (change("1", &[("1", 0.5)]), "must be different"),
            (change("1", &[("2", 1.1)]), "0.0 to 1.0"),
            (change("1", &[("2", f64::NAN)]), "0.0 to 1.0"),
            (change("1", &[("2", 0.1), ("3", 0.1)]), "cannot be greater than 1"),
            (change("1", &[("3", 0.5)]), "Function not found: arn:3"),
            (change("7", &[]), "Function not found: arn:7"),
            (change("live", &[]), "not a version"),
        ] {
            let error = aliases.update("live", refused, &versions).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(aliases.create("next", change("$LATEST", &[]), &versions).is_ok());
        assert_eq!(aliases.create("live", change("1", &[]), &versions), Err(AliasError::Exists("arn:live".to_owned())));
        assert!(matches!(aliases.create("12", change("1", &[]), &versions), Err(AliasError::Invalid(_))));
        assert!(matches!(aliases.create("new", AliasChange::default(), &versions), Err(AliasError::Invalid(_))));
    }

    #[test]
    fn each_change_has_a_revision_and_a_stale_one_is_refused() {
        let (mut aliases, versions) = aliases();
        let before = aliases.get("live").cloned().expect("the alias");
        let guarded = |revision: &str| AliasChange {
            description: Some("x".to_owned()),
            revision: Some(revision.to_owned()),
            ..AliasChange::default()
        };
        let after = aliases.update("live", guarded(&before.revision), &versions).expect("a good revision");
        assert_ne!(after.revision, before.revision);
        assert_eq!(after.version, before.version, "what is not named stays");
        assert_eq!(aliases.update("live", guarded(&before.revision), &versions), Err(AliasError::StaleRevision));
        assert_eq!(aliases.update("dead", guarded("x"), &versions), Err(AliasError::Missing("arn:dead".to_owned())));
    }

    #[test]
    fn a_version_is_referenced_by_each_alias_that_leads_to_it() {
        let (mut aliases, versions) = aliases();
        assert_eq!((aliases.that_reference(1), aliases.that_reference(2)), (vec!["live".to_owned()], vec![]));
        aliases.update("live", change("1", &[("2", 0.0)]), &versions).expect("a good change");
        assert_eq!(aliases.that_reference(2), ["live"]);
        aliases.delete("live");
        assert_eq!(aliases.that_reference(1), Vec::<String>::new());
    }
}
