//! Requests whose heads are signed anew before they are passed on: the head is kept until it is signed, and the body with it
//! where the signature needs its digest.

use sha2::{Digest as _, Sha256};
use tokio_util::bytes::BytesMut;

use super::body::Body;
use super::engine::{Engine, Reading};
use super::head::{HeadError, RequestHead};
use super::progress::Step;
use crate::unit::{NotResigned, hex};

/// How long a body may be that is kept for its digest; Lambda takes 6 MB, DynamoDB and Kinesis 16 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The start of what stands in `Authorization` of a request that is signed.
const SCHEME: &str = "AWS4-";

/// The parameter of a URL that is signed.
const SIGNATURE_PARAMETER: &str = "X-Amz-Signature=";

/// What is to be signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SigningWish {
    pub(super) head: Vec<u8>,
    /// In hexadecimal digits; none where the head tells it, or where it is not known yet.
    pub(super) body_sha256: Option<String>,
}

/// A request that is not passed on yet.
#[derive(Debug)]
pub(super) struct Signing {
    head: BytesMut,
    body: Body,
    /// What came of the body.
    raw: BytesMut,
    digest: Option<Sha256>,
    expects_continue: bool,
}

/// Whether somebody has signed a request, in its head or in its URL.
pub(super) fn is_signed(head: &RequestHead<'_>) -> bool {
    head.header("authorization").is_some_and(|value| value.starts_with(SCHEME))
        || head.target.contains(SIGNATURE_PARAMETER)
}

impl Signing {
    pub(super) fn new(head: &[u8], body: Body, expects_continue: bool) -> Self {
        Self { head: BytesMut::from(head), body, raw: BytesMut::new(), digest: None, expects_continue }
    }

    fn wish(&self, body_sha256: Option<String>) -> SigningWish {
        SigningWish { head: self.head.to_vec(), body_sha256 }
    }
}

impl Engine {
    /// Keeps a request until its head is signed.
    pub(super) fn begin_signing(&mut self, signing: Signing) {
        self.signing_wish = Some(signing.wish(None));
        self.reading = Reading::Signing(Box::new(signing));
    }

    /// Whether a request is kept until it is signed.
    pub(super) fn is_signing(&self) -> bool {
        matches!(self.reading, Reading::Signing(_))
    }

    /// Reads the body of a request that is kept, where its digest is needed.
    pub(super) fn read_signing(&mut self, input: &[u8]) -> Step {
        let Reading::Signing(signing) = &mut self.reading else { return Step::Waits };
        let Some(digest) = &mut signing.digest else { return Step::Waits };
        let Ok(taken) = signing.body.take(input, |data| digest.update(data)) else {
            self.refuse(HeadError::Chunk.status(), false);
            return Step::Moved;
        };
        signing.raw.extend_from_slice(input.get(..taken).unwrap_or_default());
        if signing.body.is_done() {
            let digest = signing.digest.take().map(|digest| hex(&digest.finalize()));
            self.signing_wish = Some(signing.wish(digest));
        } else if signing.raw.len() > BODY_BYTES_MAX {
            self.take_signed(Err(NotResigned::BodyTooLong));
        }
        Step::Drops(taken)
    }

    /// Takes the head as it was signed anew, or the reason why it goes on as it is.
    pub(super) fn take_signed(&mut self, outcome: Result<Vec<u8>, NotResigned>) {
        let Reading::Signing(signing) = &mut self.reading else { return };
        // A client that waits for `100 Continue` would wait for ever.
        let may_keep = !signing.expects_continue && signing.raw.is_empty() && signing.digest.is_none();
        if outcome == Err(NotResigned::BodyNeeded) && may_keep {
            signing.digest = Some(Sha256::new());
            return;
        }
        let (head, raw) = (signing.head.split(), signing.raw.split());
        let body = signing.body.clone();
        match outcome {
            Ok(signed) => self.to_server.extend_from_slice(&signed),
            Err(reason) => {
                self.to_server.extend_from_slice(&head);
                self.not_signed.push(reason);
            }
        }
        self.to_server.extend_from_slice(&raw);
        let is_done = body.is_done();
        self.reading = Reading::Body { body, passes: true };
        if is_done {
            self.request_sent();
        }
    }
}
