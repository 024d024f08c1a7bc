//! The port through which load has its requests signed, whoever signs them.

use std::fmt;

use async_trait::async_trait;

/// Signs requests (Signature Version 4).
#[async_trait]
pub trait SignRequest: fmt::Debug + Send + Sync {
    /// The headers that make a request a signed one, by their names in lower case: `authorization`, `x-amz-date` and the like.
    ///
    /// # Errors
    /// Why it is not signed.
    async fn sign(&self, request: &RequestToSign<'_>) -> Result<Vec<(String, String)>, NotSigned>;

    /// Has other credentials fetched for what is signed next: a service said that these have expired.
    fn forget(&self);
}

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct RequestToSign<'r> {
    /// The service's name in signatures: `lambda`, `execute-api`.
    pub service: &'r str,
    /// The Region.
    pub region: &'r str,
    /// The method: `POST`.
    pub method: &'r str,
    /// The whole URL, percent-encoded. Its host is covered.
    pub url: &'r str,
    /// The headers that are covered, by their names in lower case; every `x-amz-*` must be among them (AWS, "Create a signed AWS API
    /// request").
    pub headers: &'r [(&'r str, &'r str)],
    /// The body, all of it.
    pub body: &'r [u8],
}

/// Why a request was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is nothing to sign with.
    #[error("there are no credentials: {0}")]
    NoCredentials(String),
    /// The signer does not take it.
    #[error("the signer does not take the request")]
    Malformed,
}
