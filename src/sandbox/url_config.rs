//! How the function URLs of one function are open: to everybody, or to signed requests only.
//!
//! Owns: the settings of each URL. Must not know: HTTP.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};

/// Who may call a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum AuthType {
    /// Everybody.
    #[default]
    #[serde(rename = "NONE")]
    None,
    /// Signed requests. The sandbox looks for a signature and does not check it.
    #[serde(rename = "AWS_IAM")]
    Iam,
}

/// The URLs of one function whose settings were changed, by alias; the empty text stands for the function's own.
#[derive(Debug, Default)]
pub(super) struct UrlConfigs {
    changed: Mutex<BTreeMap<String, (AuthType, DateTime<Utc>)>>,
}

impl UrlConfigs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (AuthType, DateTime<Utc>)>> {
        self.changed.lock().expect("invariant: nobody panics while holding a function's URLs")
    }

    /// Who may call a URL, and when that was last changed; `None`: never.
    pub(super) fn get(&self, alias: Option<&str>) -> (AuthType, Option<DateTime<Utc>>) {
        let changed = self.lock().get(alias.unwrap_or_default()).copied();
        changed.map_or((AuthType::None, None), |(auth_type, at)| (auth_type, Some(at)))
    }

    pub(super) fn set(&self, alias: Option<&str>, auth_type: AuthType, now: DateTime<Utc>) {
        self.lock().insert(alias.unwrap_or_default().to_owned(), (auth_type, now));
    }

    /// Forgets what was said of a URL whose alias is deleted.
    pub(super) fn forget(&self, alias: &str) {
        self.lock().remove(alias);
    }
}
