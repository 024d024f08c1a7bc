//! The credentials of every call: fetched when first needed, kept until shortly before they expire. All clients of one
//! environment share them, so that the key that was asked about is the key that signs.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use crate::aws::error::innermost;
use crate::aws::pace::Pace;
use crate::unit::Clock;

/// How long before they expire credentials are fetched anew; the SDK's clients do so 10 s before.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::seconds(10);
/// How long credentials are kept that do not say when they expire, as the SDK's clients do.
const KEPT_WITHOUT_EXPIRY: TimeDelta = TimeDelta::minutes(15);

/// Credentials, and until when they are used.
struct Kept {
    credentials: Credentials,
    until: DateTime<Utc>,
}

/// A chain of credentials with a memory. It has no `Debug`: nothing of it is to be seen.
pub(crate) struct CredentialCache {
    provider: Option<SharedCredentialsProvider>,
    kept: Mutex<Option<Kept>>,
}

impl CredentialCache {
    pub(crate) fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self { provider, kept: Mutex::new(None) }
    }

    /// Credentials that are good at `now`.
    ///
    /// # Errors
    /// Says why there are none: no chain, or the text of its innermost failure.
    pub(crate) async fn at(&self, now: DateTime<Utc>) -> Result<Credentials, NoCredentials> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
            return Ok(kept.credentials.clone());
        }
        let none = || NoCredentials { why: "there are no credentials".to_owned(), may_pass: false };
        let provider = self.provider.as_ref().ok_or_else(none)?;
        let credentials = provider.provide_credentials().await.map_err(NoCredentials::from)?;
        let until = match credentials.expiry() {
            Some(expiry) => DateTime::from(expiry) - EXPIRY_MARGIN,
            None => now + KEPT_WITHOUT_EXPIRY,
        };
        *kept = Some(Kept { credentials: credentials.clone(), until });
        Ok(credentials)
    }

    /// Forgets what is kept: a service said that it is no longer good.
    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    /// The same without waiting; false where others are being fetched, or looked at, at this very moment.
    pub(crate) fn forget_unless_fetched(&self) -> bool {
        self.kept.try_lock().map(|mut kept| *kept = None).is_ok()
    }
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoCredentials {
    /// In words.
    pub(crate) why: String,
    /// Whether there may be some later: a service that gives them did not answer.
    pub(crate) may_pass: bool,
}

impl From<CredentialsError> for NoCredentials {
    fn from(error: CredentialsError) -> Self {
        let may_pass = matches!(error, CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_));
        // The chain tells of each of its links on a line of its own.
        let why = innermost(&error).lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { why, may_pass }
    }
}

/// The same credentials for the SDK's clients, which must keep none of their own: they ask once for each attempt, and so
/// take its turn.
pub(crate) struct Shared {
    pub(crate) credentials: Arc<CredentialCache>,
    pub(crate) pace: Pace,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shared")
    }
}

impl ProvideCredentials for Shared {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.pace.take().await;
            self.credentials.at(Clock::start().now()).await.map_err(|none| CredentialsError::provider_error(none.why))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::Counting;
    use super::*;

    fn cache(expiry: Option<SystemTime>) -> CredentialCache {
        CredentialCache::new(Some(SharedCredentialsProvider::new(Counting { asked: Arc::default(), expiry })))
    }

    async fn id_at(cache: &CredentialCache, seconds: i64) -> String {
        let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        cache.at(now).await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_they_expire() {
        let cache = cache(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));
        assert_eq!(
            (id_at(&cache, 0).await, id_at(&cache, 89).await, id_at(&cache, 90).await),
            ("0".into(), "0".into(), "1".into())
        );
    }

    #[tokio::test]
    async fn credentials_without_an_end_are_asked_for_again_now_and_then_and_when_they_were_refused() {
        let cache = cache(None);
        assert_eq!(
            (id_at(&cache, 0).await, id_at(&cache, 899).await, id_at(&cache, 900).await),
            ("0".into(), "0".into(), "1".into())
        );
        cache.forget().await;
        assert_eq!(id_at(&cache, 901).await, "2");
    }

    #[tokio::test]
    async fn no_chain_is_told() {
        let error = CredentialCache::new(None).at(DateTime::UNIX_EPOCH).await.unwrap_err();
        assert_eq!((error.why.as_str(), error.may_pass), ("there are no credentials", false));
    }
}
