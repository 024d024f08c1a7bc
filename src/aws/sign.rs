//! Signing the requests of a load, with the official signer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, sign};
use aws_sigv4::sign::v4;
use chrono::{DateTime, TimeDelta, Utc};

use super::resign::settings_of;
use super::signed::CredentialCache;
use crate::unit::{Clock, NotSigned, RequestToSign, SignRequest};

/// How long after credentials could not be fetched, or were forgotten, nobody does so again: a load would for each of its requests.
const RETRY_PAUSE: TimeDelta = TimeDelta::seconds(1);

/// Signs with the credentials of one environment, which are fetched anew before they expire. Clones share them.
#[derive(Clone)]
pub struct Signer {
    credentials: Arc<CredentialCache>,
    failed: Arc<Mutex<Option<Failed>>>,
    /// Until when nothing is forgotten again: all requests under way bear the same expired key.
    forgotten: Arc<Mutex<Option<DateTime<Utc>>>>,
}

/// Why there were no credentials, and until when nobody tries again.
struct Failed {
    error: NotSigned,
    until: DateTime<Utc>,
}

impl Signer {
    pub(super) fn new(credentials: Arc<CredentialCache>) -> Self {
        Self { credentials, failed: Arc::default(), forgotten: Arc::default() }
    }

    async fn credentials_at(&self, now: DateTime<Utc>) -> Result<Credentials, NotSigned> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failed) = failed().as_ref().filter(|failed| now < failed.until) {
            return Err(failed.error.clone());
        }
        self.credentials.at(now).await.map_err(|none| {
            let error = NotSigned::NoCredentials(none.why);
            *failed() = Some(Failed { error: error.clone(), until: Clock::start().now() + RETRY_PAUSE });
            error
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signer")
    }
}

#[async_trait]
impl SignRequest for Signer {
    async fn sign(&self, request: &RequestToSign<'_>) -> Result<Vec<(String, String)>, NotSigned> {
        let now = Clock::start().now();
        let identity = self.credentials_at(now).await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(request.region)
            .name(request.service)
            .time(SystemTime::from(now))
            .settings(settings_of(request.service))
            .build()
            .expect("invariant: every parameter is given")
            .into();
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new(request.method, request.url, request.headers.iter().copied(), body);
        let signed = signable.and_then(|signable| sign(signable, &parameters)).map_err(|_| NotSigned::Malformed)?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn forget(&self) {
        let now = Clock::start().now();
        let mut until = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_none_or(|until| until <= now) && self.credentials.forget_unless_fetched() {
            *until = Some(now + RETRY_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::super::signed::Counting;
    use super::*;

    fn signer(provider: Option<Credentials>) -> Signer {
        Signer::new(Arc::new(CredentialCache::new(provider.map(SharedCredentialsProvider::new))))
    }

    fn request<'r>(service: &'r str, url: &'r str) -> RequestToSign<'r> {
        RequestToSign {
            service,
            region: "eu-central-1",
            method: "POST",
            url,
            headers: &[("content-type", "application/json"), ("x-amz-target", "A.B")],
            body: b"{}",
        }
    }

    #[tokio::test]
    async fn a_signature_names_its_scope_and_covers_the_host() {
        let token = Some("a token".to_owned());
        let signer = signer(Some(Credentials::new("AKID", "secret", token, None, "made up")));
        let headers = signer.sign(&request("lambda", "https://lambda.example/a?b=c")).await.unwrap();
        let value = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str());
        let authorization = value("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
        assert!(
            authorization.contains("/eu-central-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;"),
            "{authorization}"
        );
        assert_eq!(value("x-amz-security-token"), Some("a token"));
        assert!(!headers.iter().any(|(_, value)| value.contains("secret")));
        let of_s3 = signer.sign(&request("s3", "https://s3.example/a")).await.unwrap();
        assert!(of_s3.iter().any(|(name, _)| name == "x-amz-content-sha256"), "S3 asks for the digest of the body");
    }

    #[tokio::test]
    async fn expired_credentials_are_fetched_anew_once_for_all_that_were_refused() {
        let provider = Some(SharedCredentialsProvider::new(Counting::default()));
        let signer = Signer::new(Arc::new(CredentialCache::new(provider)));
        let key = async || {
            let headers = signer.sign(&request("lambda", "https://lambda.example/")).await.unwrap();
            let (_, authorization) = headers.into_iter().find(|(name, _)| name == "authorization").unwrap();
            authorization.split_once("Credential=").and_then(|(_, rest)| Some(rest.split_once('/')?.0.to_owned()))
        };
        assert_eq!([key().await, key().await], [Some("0".to_owned()), Some("0".to_owned())]);
        for _ in 0..3 {
            signer.forget();
            assert_eq!(key().await.as_deref(), Some("1"));
        }
    }

    #[tokio::test]
    async fn nothing_is_signed_without_credentials_or_a_url() {
        let none = signer(None).sign(&request("lambda", "https://lambda.example/")).await;
        assert_eq!(none, Err(NotSigned::NoCredentials("there are no credentials".to_owned())));
        let signer = signer(Some(Credentials::new("AKID", "secret", None, None, "made up")));
        assert_eq!(signer.sign(&request("lambda", "not a url")).await, Err(NotSigned::Malformed));
    }
}
