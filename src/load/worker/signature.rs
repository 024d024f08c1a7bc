//! Requests that are signed.

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};

use super::http::{Client, Failure, Outgoing};
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

    /// Adds the headers that make a request a signed one, in the place of those of a signature before.
    pub(super) async fn add_to(&self, outgoing: &mut Outgoing) -> Result<(), Failure> {
        let url = outgoing.target.absolute().to_string();
        let request = RequestToSign {
            service: &self.service,
            region: &self.region,
            method: outgoing.method.as_str(),
            url: &url,
            body: &outgoing.body,
        };
        let fail = |error: NotSigned| {
            let kind = match error {
                NotSigned::NoCredentials(_) => FailureKind::Credentials,
                NotSigned::Malformed => FailureKind::Other,
            };
            Failure::new(kind, error)
        };
        for (name, value) in self.signer.sign(&request).await.map_err(fail)? {
            let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
            let (name, mut value) = header.ok_or_else(|| fail(NotSigned::Malformed))?;
            value.set_sensitive(true);
            outgoing.headers.insert(name, value);
        }
        Ok(())
    }
}
