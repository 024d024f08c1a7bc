//! The server's half of a connection's HTTP/1: answers in the order of their requests, and what rules do to them.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::bytes::BytesMut;

use super::action::{CORRUPT_BYTES_MAX, ResetAfter};
use super::body::Body;
use super::engine::{BUFFER_BYTES_MAX, Ending, Engine};
use super::exchange::{BodyFault, Cut, Exchange, Source, StepIndex};
use super::head::{HeadEnd, ResponseHead, slots};
use super::message::{Answer, is_framing, rewrite};
use super::progress::{Progress, Step};

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

/// What becomes of a body, as long as the rule that does it is there.
#[derive(Debug)]
enum Mode {
    Pass,
    Cut {
        by: StepIndex,
        left: u64,
        how: Cut,
    },
    /// `left` of the present piece; the next one begins at `next`, and is there since `came`.
    Slow {
        by: StepIndex,
        bytes: u64,
        interval: Duration,
        left: u64,
        next: Option<Instant>,
        came: Option<Instant>,
    },
    Stall {
        by: StepIndex,
        until: Option<Instant>,
    },
    /// It is kept whole, with the marks of chunks and without, to be changed at its end.
    Keep {
        by: StepIndex,
        head: BytesMut,
        raw: BytesMut,
        payload: Vec<u8>,
    },
    /// It is dropped, and another answer goes out at its end.
    Replace {
        by: StepIndex,
        answer: Answer,
    },
}

impl Mode {
    /// Whose rule does it.
    fn by(&self) -> Option<StepIndex> {
        match self {
            Self::Pass => None,
            Self::Cut { by, .. }
            | Self::Slow { by, .. }
            | Self::Stall { by, .. }
            | Self::Keep { by, .. }
            | Self::Replace { by, .. } => Some(*by),
        }
    }
}

impl Engine {
    /// Takes bytes of the server. So many of the first are for the client as they are, ahead of `to_client`: the caller
    /// sends them. The others are kept here.
    pub(super) fn take_server(&mut self, bytes: &[u8], now: Instant) -> usize {
        if !self.server_input.is_empty() {
            self.server_input.extend_from_slice(bytes);
            return 0;
        }
        let progress = self.write_responses(bytes, now);
        self.server_input.extend_from_slice(progress.rest(bytes));
        progress.verbatim
    }

    /// How many bytes that the server says next are for the client as they are, without a look at them.
    pub(super) fn unread_from_server(&self) -> u64 {
        if !self.server_input.is_empty() || !self.to_client.is_empty() || self.server_ended || self.end.is_some() {
            return 0;
        }
        match &self.responses.state {
            _ if self.is_opaque => u64::MAX,
            State::Body { body, mode: Mode::Pass } => body.unread(),
            State::Body { .. } | State::Head | State::Answered => 0,
        }
    }

    /// Takes note that so many of those bytes have passed.
    pub(super) fn skip_server(&mut self, bytes: u64) {
        if let State::Body { body, .. } = &mut self.responses.state {
            body.skip(bytes);
        }
    }

    /// Writes what can be written of what was kept; true where the client's half may go on now.
    pub(super) fn write_kept(&mut self, now: Instant) -> bool {
        let before = (self.exchanges.len(), self.is_opaque);
        let mut input = std::mem::take(&mut self.server_input);
        let progress = self.write_responses(&input, now);
        progress.settle(&mut input, &mut self.to_client);
        self.server_input = input;
        self.end.is_none() && before != (self.exchanges.len(), self.is_opaque)
    }

    /// Writes the answers in `input`, and those of the proxy's own, as far as they can be written now.
    fn write_responses(&mut self, input: &[u8], now: Instant) -> Progress {
        self.responses.due = None;
        let mut progress = Progress::default();
        while self.end.is_none() && self.to_client.len() < BUFFER_BYTES_MAX {
            let step = self.write_on(progress.rest(input), now);
            if !progress.take(step, input, &mut self.to_client) {
                break;
            }
        }
        progress
    }

    fn write_on(&mut self, input: &[u8], now: Instant) -> Step {
        if self.is_opaque {
            return if input.is_empty() { self.end_with_server() } else { Step::Passes(input.len()) };
        }
        match &self.responses.state {
            State::Head => self.write_head(input, now),
            State::Body { .. } => self.write_body(input, now),
            State::Answered => match self.exchanges.front() {
                Some(exchange) if exchange.is_sent => self.finish(),
                Some(_) | None => self.end_with_server(),
            },
        }
    }

    /// Whether every answer that has begun has come to its own end.
    pub(super) fn is_between_answers(&self) -> bool {
        !self.is_opaque && self.exchanges.is_empty() && matches!(self.responses.state, State::Head)
    }

    /// Waits for the server, or ends with it.
    fn end_with_server(&mut self) -> Step {
        if self.server_ended {
            self.end = Some(if self.is_server_missing { Ending::Reset } else { Ending::Close });
        }
        Step::Waits
    }

    fn wait_until(&mut self, due: Option<Instant>) -> Step {
        self.responses.due = due;
        Step::Waits
    }

    fn write_head(&mut self, input: &[u8], now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return self.write_unasked(input) };
        if exchange.is_sent && exchange.plan.resets(ResetAfter::Request, now) {
            self.end = Some(Ending::Reset);
            return Step::Waits;
        }
        match &exchange.source {
            Source::Upstream => self.write_upstream_head(input, now),
            Source::Rule { .. } | Source::Refusal { .. } => self.write_own(now),
            Source::Nowhere { by, until } => {
                let until = *until;
                let is_over = !exchange.plan.is_live(*by) || until.is_some_and(|until| until <= now);
                if is_over {
                    self.end = Some(Ending::Close);
                }
                self.wait_until(until)
            }
        }
    }

    /// What a server says though nobody asks: a protocol in which it speaks first, or that it is about to close.
    fn write_unasked(&mut self, input: &[u8]) -> Step {
        if self.reads_nothing() {
            self.end = Some(Ending::Close);
            return Step::Waits;
        }
        if self.is_server_missing && !self.has_client_ended() {
            return Step::Waits;
        }
        if input.is_empty() {
            return self.end_with_server();
        }
        if self.is_untouched() {
            self.is_opaque = true;
            return Step::Moved;
        }
        self.end = Some(Ending::Close);
        Step::Passes(input.len())
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
            Source::Rule { by, answer } => {
                exchange.plan.count(*by, now);
                (answer, false)
            }
            Source::Refusal { answer, resets } => (answer, *resets),
            Source::Upstream | Source::Nowhere { .. } => return Step::Waits,
        };
        self.to_client.extend_from_slice(&answer.bytes(exchange.is_head, closes));
        if closes {
            self.end = Some(if resets { Ending::Reset } else { Ending::Close });
            return Step::Waits;
        }
        self.finish()
    }

    fn write_upstream_head(&mut self, input: &[u8], now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        if exchange.is_sent
            && let Some((by, until)) = exchange.plan.loses_answer(now)
        {
            exchange.source = Source::Nowhere { by, until };
            return Step::Moved;
        }
        let length = match self.responses.head_end.find(input) {
            Ok(Some(length)) => length,
            Ok(None) if self.server_ended && input.is_empty() => return self.end_with_server(),
            Ok(None) if self.server_ended => return Step::Passes(input.len()),
            Ok(None) => return Step::Waits,
            Err(_) => return self.refuse_answer(),
        };
        let bytes = input.get(..length).unwrap_or_default();
        let mut room = slots();
        let Ok(head) = ResponseHead::parse(bytes, &mut room) else { return self.refuse_answer() };
        let Ok(body) = head.body(exchange.is_head) else { return self.refuse_answer() };
        let switches = head.status == 101 || (exchange.is_connect && (200..300).contains(&head.status));
        if head.is_interim() {
            return Step::Passes(length);
        }
        if let Some(due) = held_until(exchange, now) {
            return self.wait_until(Some(due));
        }
        if !switches && let Some((by, answer)) = exchange.plan.replaced() {
            self.responses.state = State::Body { body, mode: Mode::Replace { by, answer } };
            return Step::Drops(length);
        }
        let edits = exchange.plan.edits_headers(head.headers, now);
        let plan = &exchange.plan;
        let edited = edits.then(|| rewrite(bytes, head.headers, |name| plan.drops_header(name), plan.added_headers()));
        if switches {
            self.is_opaque = true;
            return passed(bytes, edited);
        }
        self.begin_body(bytes, edited, body, now)
    }

    /// Decides what becomes of an answer whose head is here, as it came and as it was edited.
    fn begin_body(&mut self, head: &[u8], edited: Option<BytesMut>, body: Body, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        // Where there is none, nothing is done to it: bytes behind such a head would be taken for the next answer.
        let fault = if body.is_done() { None } else { exchange.plan.body_fault(now) };
        let mode = match fault {
            Some((by, BodyFault::Corrupt)) => {
                let length = head.len();
                let head = edited.unwrap_or_else(|| BytesMut::from(head));
                let mode = Mode::Keep { by, head, raw: BytesMut::new(), payload: Vec::new() };
                self.responses.state = State::Body { body, mode };
                return Step::Drops(length);
            }
            None => Mode::Pass,
            Some((by, BodyFault::Cut { left, how })) => Mode::Cut { by, left, how },
            Some((by, BodyFault::Slow { bytes, interval })) => {
                Mode::Slow { by, bytes, interval, left: 0, next: None, came: None }
            }
            Some((by, BodyFault::Stall { until })) => Mode::Stall { by, until },
        };
        if exchange.plan.resets(ResetAfter::Headers, now) {
            self.end = Some(Ending::Reset);
        }
        self.responses.state = State::Body { body, mode };
        passed(head, edited)
    }

    /// The server's answer can not be understood in one way only.
    fn refuse_answer(&mut self) -> Step {
        let is_head = self.exchanges.front().is_some_and(|exchange| exchange.is_head);
        self.to_client.extend_from_slice(&Answer::new(502, Vec::new()).bytes(is_head, true));
        self.end = Some(Ending::Close);
        Step::Waits
    }

    fn write_body(&mut self, input: &[u8], now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let State::Body { body, mode } = &mut self.responses.state else { return Step::Waits };
        if body.is_done() || (self.server_ended && input.is_empty() && matches!(body, Body::UntilClose)) {
            return self.end_body(now);
        }
        if mode.by().is_some_and(|by| !exchange.plan.is_live(by)) {
            return self.let_go_of_body(now);
        }
        let limit = match mode {
            Mode::Keep { .. } if self.server_ended && input.is_empty() => return self.let_go_of_body(now),
            Mode::Pass | Mode::Keep { .. } | Mode::Replace { .. } => u64::MAX,
            Mode::Cut { by, left: 0, how } => {
                exchange.plan.count(*by, now);
                self.end = Some(match how {
                    Cut::Close => Ending::Close,
                    Cut::Reset => Ending::Reset,
                });
                return Step::Waits;
            }
            Mode::Cut { left, .. } => *left,
            Mode::Slow { by, bytes, interval, left, next, came } => {
                if *left == 0 {
                    let begins = *next.get_or_insert(now + *interval);
                    if !input.is_empty() {
                        came.get_or_insert(now);
                    }
                    if now < begins {
                        self.responses.due = Some(begins);
                        return Step::Waits;
                    }
                    if let Some(came) = came.take() {
                        exchange.plan.count_body_delay(*by, now.saturating_duration_since(came), now);
                    }
                    *left = *bytes;
                    *next = None;
                }
                *left
            }
            Mode::Stall { by, until } => {
                let until = *until;
                exchange.plan.count(*by, now);
                if until.is_some_and(|until| until <= now) {
                    self.end = Some(Ending::Close);
                }
                return self.wait_until(until);
            }
        };
        self.move_body(input, limit)
    }

    /// What a rule held of a body goes on, since the rule is gone or the server has broken off. Where something is lost the
    /// connection ends.
    fn let_go_of_body(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let State::Body { mode, .. } = &mut self.responses.state else { return Step::Waits };
        match std::mem::replace(mode, Mode::Pass) {
            Mode::Slow { by, came: Some(came), .. } => {
                exchange.plan.count_body_delay(by, now.saturating_duration_since(came), now);
                Step::Moved
            }
            Mode::Pass | Mode::Cut { .. } | Mode::Slow { .. } => Step::Moved,
            Mode::Keep { mut head, raw, .. } => {
                head.unsplit(raw);
                Step::Becomes(0, head)
            }
            Mode::Stall { .. } | Mode::Replace { .. } => {
                self.end = Some(Ending::Close);
                Step::Waits
            }
        }
    }

    /// Moves what is there of a body, at most so many bytes.
    fn move_body(&mut self, input: &[u8], limit: u64) -> Step {
        let State::Body { body, mode } = &mut self.responses.state else { return Step::Waits };
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(input.len());
        if most == 0 {
            return self.end_with_server();
        }
        let piece = input.get(..most).unwrap_or_default();
        let taken = match mode {
            Mode::Keep { payload, .. } => body.take(piece, |data| payload.extend_from_slice(data)),
            Mode::Pass | Mode::Cut { .. } | Mode::Slow { .. } | Mode::Stall { .. } | Mode::Replace { .. } => {
                body.take(piece, |_| {})
            }
        };
        let Ok(taken) = taken else {
            self.end = Some(Ending::Reset);
            return Step::Waits;
        };
        match mode {
            Mode::Pass | Mode::Stall { .. } => Step::Passes(taken),
            Mode::Cut { left, .. } | Mode::Slow { left, .. } => {
                *left -= u64::try_from(taken).unwrap_or(u64::MAX);
                Step::Passes(taken)
            }
            Mode::Keep { head, raw, payload, .. } => {
                raw.extend_from_slice(piece.get(..taken).unwrap_or_default());
                if payload.len() <= CORRUPT_BYTES_MAX && raw.len() <= 2 * CORRUPT_BYTES_MAX {
                    return Step::Drops(taken);
                }
                let mut kept = head.split();
                kept.unsplit(raw.split());
                *mode = Mode::Pass;
                Step::Becomes(taken, kept)
            }
            Mode::Replace { .. } => Step::Drops(taken),
        }
    }

    fn end_body(&mut self, now: Instant) -> Step {
        let Some(exchange) = self.exchanges.front_mut() else { return Step::Waits };
        let is_until_close = matches!(&self.responses.state, State::Body { body: Body::UntilClose, .. });
        match std::mem::replace(&mut self.responses.state, State::Answered) {
            State::Body { mode: Mode::Keep { head, raw, payload, .. }, .. } => {
                let changed = exchange.plan.corrupted(&payload, now);
                let head = if changed.is_some() { with_length(&head, changed.as_deref()) } else { head };
                self.to_client.extend_from_slice(&head);
                match changed {
                    Some(body) => self.to_client.extend_from_slice(&body),
                    None => self.to_client.extend_from_slice(&raw),
                }
            }
            State::Body { mode: Mode::Replace { by, answer }, .. } => {
                exchange.plan.count(by, now);
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

/// A head that passes as it came, or as it was edited.
fn passed(head: &[u8], edited: Option<BytesMut>) -> Step {
    match edited {
        Some(edited) => Step::Becomes(head.len(), edited),
        None => Step::Passes(head.len()),
    }
}

/// Until when an answer that is here is held back.
fn held_until(exchange: &mut Exchange, now: Instant) -> Option<Instant> {
    if exchange.plan.is_empty() {
        return None;
    }
    if exchange.held_since.is_none() {
        exchange.plan.draw_delays(now);
    }
    let came = *exchange.held_since.get_or_insert(now);
    let until = came + exchange.plan.delay();
    if now < until {
        return Some(until);
    }
    exchange.plan.count_delay(now.saturating_duration_since(came));
    None
}

/// The head of an answer that has another body.
fn with_length(head: &BytesMut, body: Option<&[u8]>) -> BytesMut {
    let mut room = slots();
    let parsed = ResponseHead::parse(head, &mut room).expect("invariant: a head that was taken can be read again");
    let length = body.unwrap_or_default().len().to_string();
    let is_length = |name: &str| is_framing(name) && !name.eq_ignore_ascii_case("connection");
    rewrite(head, parsed.headers, is_length, [("Content-Length", length.as_str())])
}
