//! `GET /events`: what a page lacks, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use futures_util::stream;
use tokio::sync::watch;

use super::hub::Hub;
use super::screen::Seen;
use super::session::Seat;
use crate::ui::board::View;

/// How long a stream may be silent: something in between may close one that is.
pub(super) const PING_EVERY: Duration = Duration::from_secs(15);
/// What a page hears last that has to make room for a newer one of its session.
const REPLACED: &[u8] = b"event: replaced\ndata: {}\n\n";
/// How soon a page that lost its stream tries again, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// A page that looks.
struct Viewer {
    hub: Arc<Hub>,
    view: View,
    seen: Seen,
    is_first: bool,
    changed: watch::Receiver<u64>,
    has_ended: bool,
    seat: Seat,
}

/// The stream of a page that has seen everything up to the event `after`. It is asked for more only when the connection takes more:
/// whoever does not read holds nothing up, and is sent the newest when it reads again.
pub(super) fn open(hub: &Arc<Hub>, view: View, after: Option<u64>, seat: Seat) -> Response<Body> {
    let viewer = Viewer {
        hub: Arc::clone(hub),
        view,
        seen: after.map_or(Seen::Nothing, Seen::Event),
        is_first: true,
        changed: hub.changed(view),
        has_ended: false,
        seat,
    };
    let frames = stream::unfold(viewer, async |mut viewer| {
        let frame = viewer.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(frame), viewer))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy in between would keep events until it has enough of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Viewer {
    /// The next that goes to the page; none once the server ends, its place is taken or its session is over.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        let ended = self.seat.ended();
        tokio::select! {
            biased;
            () = ended.cancelled() => {
                self.has_ended = true;
                self.seat.has_session().then_some(Bytes::from_static(REPLACED))
            }
            frame = self.frame() => frame,
        }
    }

    async fn frame(&mut self) -> Option<Bytes> {
        if self.is_first {
            self.is_first = false;
            while self.hub.screen(self.view).version() == 0 {
                self.changed.changed().await.ok()?;
            }
            let frame = self.take();
            return Some(Bytes::from([format!("retry: {RETRY_MS}\n").as_bytes(), &frame].concat()));
        }
        let mut has_ended = false;
        loop {
            // What came while the last was sent counts as well.
            self.changed.borrow_and_update();
            if self.seen != Seen::Update(self.hub.screen(self.view).version()) {
                return Some(self.take());
            }
            if has_ended {
                return None;
            }
            match tokio::time::timeout(PING_EVERY, self.changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => has_ended = true,
                Err(_) => {
                    let now_ms = self.hub.now_ms();
                    return Some(Bytes::from(format!("event: time\ndata: {{\"now_ms\":{now_ms}}}\n\n")));
                }
            }
        }
    }

    fn take(&mut self) -> Bytes {
        let (frame, version) = self.hub.screen(self.view).since(self.seen, self.hub.now_ms());
        self.seen = Seen::Update(version);
        frame
    }
}
