//! The body of an answer: all of it is received and counted, and as much of it kept as is looked at.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio_util::bytes::{Bytes, BytesMut};

use super::Failure;

/// How much of a body is kept to look at; the rest is received and timed, but not looked at.
pub(super) const BODY_KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Receives a body to its end; `bytes` counts what came, also of one that broke off.
pub(super) async fn receive(mut body: Incoming, is_kept: bool, bytes: &mut u64) -> Result<Bytes, Failure> {
    let mut kept = Kept::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of_connection(&error))?;
        // The only other kind of frame is trailers.
        if let Ok(data) = frame.into_data() {
            *bytes = bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if is_kept {
                kept.add(data);
            }
        }
    }
    Ok(kept.finish())
}

/// What is kept; a body that came in one piece, as most do, is not copied.
#[derive(Debug, Default)]
struct Kept {
    first: Bytes,
    all: BytesMut,
}

impl Kept {
    fn add(&mut self, data: Bytes) {
        if self.first.is_empty() && self.all.is_empty() {
            self.first = data;
            self.first.truncate(BODY_KEPT_BYTES_MAX);
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        let room = BODY_KEPT_BYTES_MAX.saturating_sub(self.all.len());
        self.all.extend_from_slice(data.get(..room).unwrap_or(&data));
    }

    fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_its_limit_and_loses_nothing_below_it() {
        let mut kept = Kept::default();
        for piece in [&b"one "[..], b"two ", b"three"] {
            kept.add(Bytes::from_static(piece));
        }
        assert_eq!(kept.finish(), "one two three");
        let mut kept = Kept::default();
        for _ in 0..5 {
            kept.add(vec![7; BODY_KEPT_BYTES_MAX / 2].into());
        }
        assert_eq!(kept.finish().len(), BODY_KEPT_BYTES_MAX);
    }
}
