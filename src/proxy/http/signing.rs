//! Requests whose heads are signed anew before they are passed on: the head is kept until it is signed, and the body with it
//! where the signature needs its digest.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::bytes::BytesMut;

use super::body::Body;
use super::engine::{Engine, Reading};
use super::head::{HeadError, RequestHead};
use super::progress::Step;
use crate::unit::{NotResigned, hex};

/// How long a body may be that is kept for its digest; Lambda takes 6 MB, DynamoDB and Kinesis 16 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many bytes of bodies are kept at once in a process, until they are signed and sent; what is beyond goes on as it is.
const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;

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

/// Room for the bodies that are kept at once. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct BodyRoom(Arc<Semaphore>);

/// The room that a body takes, until it is dropped.
pub(super) type Room = Option<OwnedSemaphorePermit>;

impl Default for BodyRoom {
    fn default() -> Self {
        Self::of(KEPT_BYTES_MAX)
    }
}

impl BodyRoom {
    pub(super) fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    fn take(&self, bytes: usize) -> Room {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

fn join(room: &mut Room, more: Room) {
    let Some(more) = more else { return };
    match room {
        Some(room) => room.merge(more),
        None => *room = Some(more),
    }
}

/// A request that is not passed on yet.
#[derive(Debug)]
pub(super) struct Signing {
    head: BytesMut,
    body: Body,
    /// What came of the body.
    raw: BytesMut,
    room: Room,
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
        Self { head: BytesMut::from(head), body, raw: BytesMut::new(), room: None, digest: None, expects_continue }
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
        let room = self.body_room.as_ref().and_then(|room| room.take(taken));
        let has_room = room.is_some();
        join(&mut signing.room, room);
        if !has_room {
            self.take_signed(Err(NotResigned::NoRoom));
        } else if signing.body.is_done() {
            let digest = signing.digest.take().map(|digest| hex(&digest.finalize()));
            self.signing_wish = Some(signing.wish(digest));
        } else if signing.raw.len() > BODY_BYTES_MAX {
            self.take_signed(Err(NotResigned::BodyTooLong));
        }
        Step::Drops(taken)
    }

    /// The client says nothing more: a body of which the rest would be waited for goes on as far as it came.
    pub(super) fn end_signing(&mut self) {
        if let Reading::Signing(signing) = &self.reading
            && signing.digest.is_some()
        {
            self.take_signed(Err(NotResigned::BodyCutOff));
        }
    }

    /// All that was for the server is sent.
    pub(super) fn all_sent(&mut self) {
        self.to_server = BytesMut::new();
        self.unsent = None;
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
        join(&mut self.unsent, signing.room.take());
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
