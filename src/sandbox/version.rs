//! Published versions: numbered copies of what `$LATEST` was, which never change.
//!
//! Owns: which there are, and when publishing makes a new one. Must not know: aliases, processes, HTTP.

use std::collections::BTreeMap;

use super::configuration::{Configuration, new_revision};

/// A published version: it never changes.
#[derive(Debug)]
pub(super) struct Published {
    pub configuration: Configuration,
    pub revision: String,
}

/// Why a version was not deleted. The texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeleteError {
    /// 409
    #[error("Unable to delete version because the following aliases reference it: [{}]", .0.join(", "))]
    Referenced(Vec<String>),
    /// 404
    #[error("Function not found: {0}")]
    Missing(String),
}

/// The published versions of one function.
#[derive(Debug)]
pub(super) struct Versions {
    published: BTreeMap<u32, Published>,
    /// The highest number that was ever given; none is given twice.
    highest: u32,
    /// What `$LATEST` was when that number was given.
    source: Configuration,
}

impl Versions {
    /// The versions that a specification names, all with its configuration.
    pub(super) fn new(numbers: impl IntoIterator<Item = u32>, configuration: &Configuration) -> Self {
        let publish = |number| (number, Published { configuration: configuration.clone(), revision: new_revision() });
        let published: BTreeMap<u32, Published> = numbers.into_iter().map(publish).collect();
        let highest = published.last_key_value().map_or(0, |(number, _)| *number);
        Self { published, highest, source: configuration.clone() }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Published> {
        self.published.get(&number)
    }

    /// In ascending order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.published.keys().copied()
    }

    /// Publishes `latest` and returns the version's number.
    ///
    /// AWS: while nothing has changed since the last version, that version is the answer (`PublishVersion`).
    /// `description` stands in the version for the one of `$LATEST`.
    pub(super) fn publish(&mut self, latest: &Configuration, description: Option<String>) -> u32 {
        let is_unchanged = Configuration { modified: self.source.modified, ..latest.clone() } == self.source;
        if is_unchanged && self.published.contains_key(&self.highest) {
            return self.highest;
        }
        self.highest += 1;
        self.source = latest.clone();
        let mut configuration = latest.clone();
        configuration.description = description.unwrap_or(configuration.description);
        self.published.insert(self.highest, Published { configuration, revision: new_revision() });
        self.highest
    }

    /// Takes a version away; says whether there was one.
    pub(super) fn remove(&mut self, number: u32) -> bool {
        self.published.remove(&number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::configuration::tests::configuration;

    #[test]
    fn publishing_what_has_not_changed_gives_the_last_version() {
        let latest = configuration();
        let mut versions = Versions::new([2, 1], &latest);
        assert_eq!(versions.publish(&latest, Some("again".to_owned())), 2);
        let changed = Configuration { timeout_seconds: 9, ..latest.clone() };
        assert_eq!(versions.publish(&changed, Some("slower".to_owned())), 3);
        assert_eq!(versions.publish(&changed, None), 3);
        let told = |number| versions.get(number).map(|published| published.configuration.description.as_str());
        assert_eq!((told(2), told(3), told(4)), (Some(""), Some("slower"), None));
        assert_eq!(versions.numbers().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let latest = configuration();
        let mut versions = Versions::new([], &latest);
        assert_eq!(versions.publish(&latest, None), 1);
        assert!(versions.remove(1) && !versions.remove(1));
        assert_eq!(versions.publish(&latest, None), 2, "the last version is gone, so a new one is made");
    }
}
