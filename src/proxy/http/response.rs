//! The server's half of a connection's HTTP/1: answers in the order of their requests, and what rules do to them.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::bytes::BytesMut;

use super::action::{CORRUPT_BYTES_MAX, ResetAfter};
use super::body::Body;
use super::engine::{BUFFER_BYTES_MAX, Ending, Engine, pass};
use super::exchange::{BodyFault, Cut, Exchange, Source};
use super::head::{HEADERS_MAX, HeadEnd, ResponseHead};
use super::message::{Answer, is_framing, rewrite};

/// Where in the server's answers the next byte is.
#[derive(Debug, Default)]
pub(super) struct Responses {
    state: State,
    head_end: HeadEnd,
    /// When something that is held goes on by itself.
    pub(super) due: Option<Instant>,
    /// Whether the last request asked for another protocol.
    pub(super) is_undecided: bool,
}

#[derive(Debug, Default)]
enum State {
    /// At a head, or at an answer of ours.
    #[default]
    Head,
    Body {
        body: Body,
        mode: Mode,
    },
    /// At the end of an answer to a request that the client is still sending.
    Answered,
}

/// What becomes of a body.
#[derive(Debug)]
enum Mode {
    Pass,
    Cut {
        left: u64,
        how: Cut,
    },
    /// `left` of the present piece; the next one begins at `next`.
    Slow {
        bytes: u64,
        interval: Duration,
        left: u64,
        next: Option<Instant>,
    },
    Stall {
        until: Option<Instant>,
    },
    /// It is kept whole, with the marks of chunks and without, to be changed at its end.
    Keep {
        head: BytesMut,
        raw: BytesMut,
        payload: Vec<u8>,
    },
    /// It is dropped, and another answer goes out at its end.
    Replace(Answer),
}

/// What a step came to.
enum Step {
    /// Something moved: try the next one.
    Moved,
    /// Nothing more can be done now.
    Waits,
}

impl Engine {
    /// Writes what can be written; true where the client's half may go on now.
    pub(super) fn write_responses(&mut self, now: Instant) -> bool {
        let before = (self.exchanges.len(), self.is_opaque);
        self.responses.due = None;
        while self.end.is_none() && self.to_client.len() < BUFFER_BYTES_MAX {
            match self.write_on(now) {
                Step::Moved => {}
                Step::Waits => break,
            }
        }
        if self.server_input.is_empty() {
            self.server_input = BytesMut::new();
        }
        self.end.is_none() && before != (self.exchanges.len(), self.is_opaque)
    }

    fn write_on(&mut self, now: Instant) -> Step {
        if self.is_opaque {
            let all = self.server_input.split();
            pass(&mut self.to_client, all);
            return self.end_with_server();
        }
        match &self.responses.state {
            State::Head => self.write_head(now),
            State::Body { .. } => self.write_body(now),
            State::Answered => match self.exchanges.front() {
                Some(exchange) if exchange.is_sent => self.finish(),
                Some(_) | None => self.end_with_server(),
            },
        }
    }

    /// Waits for the server, or ends with it.
    fn end_with_server(&mut self) -> Step {
        if self.server_ended {
            self.end = Some(Ending::Close);
        }
        Step::Waits
    }

    fn wait_until(&mut self, due: Option<Instant>) -> Step {
        self.responses.due = due;
        Step::Waits
    }

    fn write_head(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return self.write_unasked() };
        if exchange.is_sent && exchange.plan.resets(ResetAfter::Request, now) {
            self.end = Some(Ending::Reset);
            return Step::Waits;
        }
        match &exchange.source {
            Source::Upstream => self.write_upstream_head(now),
            Source::Rule(_) | Source::Refusal { .. } => self.write_own(now),
            Source::Nowhere { until } => {
                let until = *until;
                let is_over = !exchange.plan.is_silent() || until.is_some_and(|until| until <= now);
                if is_over {
                    self.end = Some(Ending::Close);
                }
                self.wait_until(until)
            }
        }
    }

    /// What a server says though nobody asks: a protocol in which it speaks first, or that it is about to close.
    fn write_unasked(&mut self) -> Step {
        if self.reads_nothing() {
            self.end = Some(Ending::Close);
            return Step::Waits;
        }
        if self.server_input.is_empty() {
            return self.end_with_server();
        }
        if self.is_untouched() {
            self.is_opaque = true;
            return Step::Moved;
        }
        let all = self.server_input.split();
        pass(&mut self.to_client, all);
        self.end = Some(Ending::Close);
        Step::Waits
    }

    fn write_own(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        if !exchange.is_sent && !exchange.expects_continue {
            return Step::Waits;
        }
        if let Some(due) = held_until(exchange, now) {
            return self.wait_until(Some(due));
        }
        // A client that waited for `100 Continue` may send its body all the same, or not: nobody knows what follows.
        let closes = exchange.closes || !exchange.is_sent;
        let (answer, resets) = match &exchange.source {
            Source::Rule(answer) => (answer, false),
            Source::Refusal { answer, resets } => (answer, *resets),
            Source::Upstream | Source::Nowhere { .. } => return Step::Waits,
        };
        let bytes = answer.bytes(exchange.is_head, closes);
        exchange.plan.count_answer(now);
        self.to_client.extend_from_slice(&bytes);
        if closes {
            self.end = Some(if resets { Ending::Reset } else { Ending::Close });
            return Step::Waits;
        }
        self.finish()
    }

    fn write_upstream_head(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        if exchange.is_sent
            && let Some(until) = exchange.plan.loses_answer(now)
        {
            exchange.source = Source::Nowhere { until };
            return Step::Moved;
        }
        let found = self.responses.head_end.find(&self.server_input);
        let length = match found {
            Ok(Some(length)) => length,
            Ok(None) if self.server_ended => {
                let rest = self.server_input.split();
                pass(&mut self.to_client, rest);
                return self.end_with_server();
            }
            Ok(None) => return Step::Waits,
            Err(_) => return self.refuse_answer(),
        };
        let bytes = self.server_input.get(..length).unwrap_or_default();
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let Ok(head) = ResponseHead::parse(bytes, &mut slots) else { return self.refuse_answer() };
        let Ok(body) = head.body(exchange.is_head) else { return self.refuse_answer() };
        let switches = head.status == 101 || (exchange.is_connect && (200..300).contains(&head.status));
        if head.is_interim() {
            let interim = self.server_input.split_to(length);
            pass(&mut self.to_client, interim);
            return Step::Moved;
        }
        if let Some(due) = held_until(exchange, now) {
            return self.wait_until(Some(due));
        }
        let edits = exchange.plan.edits_headers(now);
        let plan = &exchange.plan;
        let edited = edits.then(|| rewrite(bytes, head.headers, |name| plan.drops_header(name), plan.added_headers()));
        let original = self.server_input.split_to(length);
        let head = edited.unwrap_or(original);
        if switches {
            self.is_opaque = true;
            pass(&mut self.to_client, head);
            return Step::Moved;
        }
        self.begin_body(head, body, now)
    }

    /// Decides what becomes of an answer whose head is here.
    fn begin_body(&mut self, head: BytesMut, body: Body, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let fault = if exchange.is_head { None } else { exchange.plan.body_fault(now) };
        let mode = match (exchange.plan.replaced(), fault) {
            (Some(answer), _) => {
                self.responses.state = State::Body { body, mode: Mode::Replace(answer) };
                return Step::Moved;
            }
            (None, Some(BodyFault::Corrupt)) => {
                let mode = Mode::Keep { head, raw: BytesMut::new(), payload: Vec::new() };
                self.responses.state = State::Body { body, mode };
                return Step::Moved;
            }
            (None, None) => Mode::Pass,
            (None, Some(BodyFault::Cut { left, how })) => Mode::Cut { left, how },
            (None, Some(BodyFault::Slow { bytes, interval })) => Mode::Slow { bytes, interval, left: 0, next: None },
            (None, Some(BodyFault::Stall { until })) => Mode::Stall { until },
        };
        let resets = exchange.plan.resets(ResetAfter::Headers, now);
        pass(&mut self.to_client, head);
        self.responses.state = State::Body { body, mode };
        if resets {
            self.end = Some(Ending::Reset);
            return Step::Waits;
        }
        Step::Moved
    }

    /// The server's answer can not be understood in one way only.
    fn refuse_answer(&mut self) -> Step {
        let is_head = self.exchanges.front().is_some_and(|exchange| exchange.is_head);
        self.to_client.extend_from_slice(&Answer::new(502, Vec::new()).bytes(is_head, true));
        self.end = Some(Ending::Close);
        Step::Waits
    }

    fn write_body(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let State::Body { body, mode } = &mut self.responses.state else { return Step::Waits };
        if body.is_done() || (self.server_ended && self.server_input.is_empty() && matches!(body, Body::UntilClose)) {
            return self.end_body(now);
        }
        let limit = match mode {
            Mode::Pass | Mode::Keep { .. } | Mode::Replace(_) => u64::MAX,
            Mode::Cut { left: 0, how } => {
                let how = *how;
                if exchange.plan.touches_body(now) {
                    self.end = Some(match how {
                        Cut::Close => Ending::Close,
                        Cut::Reset => Ending::Reset,
                    });
                    return Step::Waits;
                }
                *mode = Mode::Pass;
                return Step::Moved;
            }
            Mode::Cut { left, .. } => *left,
            Mode::Slow { bytes, interval, left, next } => {
                if !exchange.plan.changes_body() {
                    *mode = Mode::Pass;
                    return Step::Moved;
                }
                if *left == 0 {
                    let begins = *next.get_or_insert(now + *interval);
                    if now < begins {
                        self.responses.due = Some(begins);
                        return Step::Waits;
                    }
                    exchange.plan.touches_body(now);
                    *left = *bytes;
                    *next = None;
                }
                *left
            }
            Mode::Stall { until } => {
                let until = *until;
                if !exchange.plan.is_silent() || until.is_some_and(|until| until <= now) {
                    self.end = Some(Ending::Close);
                }
                return self.wait_until(until);
            }
        };
        self.move_body(limit)
    }

    /// Moves what is there of a body, at most so many bytes.
    fn move_body(&mut self, limit: u64) -> Step {
        let State::Body { body, mode } = &mut self.responses.state else { return Step::Waits };
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(self.server_input.len());
        if most == 0 {
            return self.end_with_server();
        }
        let piece = self.server_input.get(..most).unwrap_or_default();
        let taken = match mode {
            Mode::Keep { payload, .. } => body.take(piece, |data| payload.extend_from_slice(data)),
            Mode::Pass | Mode::Cut { .. } | Mode::Slow { .. } | Mode::Stall { .. } | Mode::Replace(_) => {
                body.take(piece, |_| {})
            }
        };
        let Ok(taken) = taken else {
            self.end = Some(Ending::Reset);
            return Step::Waits;
        };
        let moved = u64::try_from(taken).unwrap_or(u64::MAX);
        let piece = self.server_input.split_to(taken);
        match mode {
            Mode::Pass | Mode::Stall { .. } => pass(&mut self.to_client, piece),
            Mode::Cut { left, .. } | Mode::Slow { left, .. } => {
                *left -= moved;
                pass(&mut self.to_client, piece);
            }
            Mode::Keep { head, raw, payload } => {
                raw.unsplit(piece);
                if payload.len() > CORRUPT_BYTES_MAX || raw.len() > 2 * CORRUPT_BYTES_MAX {
                    let (head, raw) = (head.split(), raw.split());
                    pass(&mut self.to_client, head);
                    pass(&mut self.to_client, raw);
                    *mode = Mode::Pass;
                }
            }
            Mode::Replace(_) => {}
        }
        Step::Moved
    }

    fn end_body(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let is_until_close = matches!(&self.responses.state, State::Body { body: Body::UntilClose, .. });
        match std::mem::replace(&mut self.responses.state, State::Answered) {
            State::Body { mode: Mode::Keep { head, raw, payload }, .. } => {
                let changed = exchange.plan.corrupted(&payload, now);
                let head = if changed.is_some() { with_length(&head, changed.as_deref()) } else { head };
                pass(&mut self.to_client, head);
                match changed {
                    Some(body) => self.to_client.extend_from_slice(&body),
                    None => self.to_client.extend_from_slice(&raw),
                }
            }
            State::Body { mode: Mode::Replace(answer), .. } => {
                exchange.plan.count_answer(now);
                self.to_client.extend_from_slice(&answer.bytes(exchange.is_head, exchange.closes || is_until_close));
            }
            State::Body { .. } | State::Head | State::Answered => {}
        }
        if is_until_close {
            self.end = Some(Ending::Close);
            return Step::Waits;
        }
        Step::Moved
    }

    /// Goes on to the next exchange.
    fn finish(&mut self) -> Step {
        self.exchanges.pop_front();
        self.responses.state = State::Head;
        if self.exchanges.is_empty() {
            self.stay_with_http();
        }
        Step::Moved
    }
}

/// Until when an answer that is here is held back.
fn held_until(exchange: &mut Exchange, now: Instant) -> Option<Instant> {
    if exchange.plan.is_empty() {
        return None;
    }
    let release = match exchange.release {
        Some(release) => release,
        None => {
            let delay = exchange.plan.delay(now).unwrap_or(Duration::ZERO);
            *exchange.release.insert(now + delay)
        }
    };
    (now < release && exchange.plan.is_delaying()).then_some(release)
}

/// The head of an answer that has another body.
fn with_length(head: &BytesMut, body: Option<&[u8]>) -> BytesMut {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let parsed = ResponseHead::parse(head, &mut slots).expect("invariant: a head that was taken can be read again");
    let length = body.unwrap_or_default().len().to_string();
    let is_length = |name: &str| is_framing(name) && !name.eq_ignore_ascii_case("connection");
    rewrite(head, parsed.headers, is_length, [("Content-Length", length.as_str())])
}
