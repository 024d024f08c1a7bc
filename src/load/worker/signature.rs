//! Requests that are signed.

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};

use super::http::{Client, Failure, Outgoing, Received};
use super::service;
use crate::load::failure::FailureKind;
use crate::load::plan::PlannedSignature;
use crate::unit::{NotSigned, RequestToSign, SignRequest};

/// How a step's requests are signed.
#[derive(Debug)]
pub(super) struct Signature {
    service: String,
    region: String,
    signer: Arc<dyn SignRequest>,
}

impl Signature {
    /// Signs as planned; an error says why that is impossible.
    pub(super) fn new(planned: &PlannedSignature, client: &Client) -> Result<Self, String> {
        let signer = client.signer().ok_or_else(|| "nothing says with what it is signed".to_owned())?;
        Ok(Self { service: planned.service.clone(), region: planned.region.clone(), signer })
    }

    /// Has other credentials fetched where an answer says that these have expired.
    pub(super) fn heed(&self, received: &Received) {
        if service::says_expired(received) {
            self.signer.forget();
        }
    }

    /// Adds the headers that make a request a signed one, in the place of those of a signature before.
    pub(super) async fn add_to(&self, outgoing: &mut Outgoing) -> Result<(), Failure> {
        let url = outgoing.target.to_string();
        let covered = outgoing.headers.iter().filter(|(name, _)| is_covered(name));
        let headers: Vec<(&str, &str)> =
            covered.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let request = RequestToSign {
            service: &self.service,
            region: &self.region,
            method: outgoing.method.as_str(),
            url: &url,
            headers: &headers,
            body: &outgoing.body,
        };
        let fail = |error: NotSigned| match error {
            // What a helper of credentials says may be a secret itself.
            NotSigned::NoCredentials(_) => {
                Failure::new(FailureKind::Credentials, "there are no credentials to sign it with")
            }
            NotSigned::Malformed => Failure::new(FailureKind::Other, error),
        };
        let signed = self.signer.sign(&request).await.map_err(fail)?;
        let headers = Arc::make_mut(&mut outgoing.headers);
        for (name, value) in signed {
            let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
            let (name, mut value) = header.ok_or_else(|| fail(NotSigned::Malformed))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(())
    }
}

/// Whether a header must be signed (AWS, "Create a signed AWS API request").
fn is_covered(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amz-") || [CONTENT_TYPE, HOST].contains(name)
}
