//! One connection's HTTP/1 as a state machine without I/O: bytes of the client and of the server come in, bytes for them
//! go out. This file has the client's half, `response.rs` the server's.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::bytes::BytesMut;

use super::body::Body;
use super::exchange::{Exchange, Plan, Source};
use super::head::{HeadEnd, HeadError, RequestHead, slots};
use super::message::{Answer, rewrite};
use super::progress::{Progress, Step};
use super::response::Responses;
use super::rule::{RuleSet, Subject};
use super::signing::{BodyRoom, Room, Signing, SigningWish, is_signed};
use crate::unit::NotResigned;

/// How many bytes are kept in each of the four places where they may have to wait.
pub(super) const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// How many requests may wait for their answers; more are not read until one is answered.
const EXCHANGES_MAX: usize = 64;

/// How long a client may take for a request's head, from its first byte on; then it is answered 408 and cut off.
pub(super) const HEAD_WAIT: Duration = Duration::from_secs(30);

/// How much of a form is waited for before rules look at it: the operation of an AWS query stands at its start.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// How a connection ends when all that is for the client was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    Reset,
}

/// What the client's next byte is.
#[derive(Debug)]
pub(super) enum Reading {
    /// The first of the connection: it tells whether this is HTTP/1 at all.
    First,
    /// One of a request's head, or of the empty lines before it.
    Head,
    /// One of a request's body, which is passed on or not.
    Body { body: Body, passes: bool },
    /// One of a body that is kept with its head until that is signed.
    Signing(Box<Signing>),
    /// It may be of another protocol: what the server answers decides.
    Undecided,
    /// Nothing is read any more.
    Nothing,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) reading: Reading,
    head_end: HeadEnd,
    /// When the present head must be complete.
    head_due: Option<Instant>,
    client_input: BytesMut,
    client_ended: bool,
    pub(super) to_server: BytesMut,
    pub(super) exchanges: VecDeque<Exchange>,
    pub(super) responses: Responses,
    pub(super) server_input: BytesMut,
    pub(super) server_ended: bool,
    /// It could not be reached at all.
    pub(super) is_server_missing: bool,
    pub(super) to_client: BytesMut,
    /// Bytes pass in both directions as they come: another protocol.
    pub(super) is_opaque: bool,
    pub(super) end: Option<Ending>,
    /// Requests whose heads were taken.
    pub(super) requests: u64,
    /// Room for the bodies of requests that are signed anew; there where signed requests are to be.
    pub(super) body_room: Option<BodyRoom>,
    /// The room of bodies that are signed and not sent.
    pub(super) unsent: Room,
    /// Nothing else than HTTP/1 is taken from the client.
    pub(super) only_http: bool,
    /// What is to be signed next.
    pub(super) signing_wish: Option<SigningWish>,
    /// Why signed requests were passed on as they were.
    pub(super) not_signed: Vec<NotResigned>,
}

impl Engine {
    pub(super) fn new(body_room: Option<BodyRoom>) -> Self {
        Self {
            reading: Reading::First,
            head_end: HeadEnd::default(),
            head_due: None,
            client_input: BytesMut::new(),
            client_ended: false,
            to_server: BytesMut::new(),
            exchanges: VecDeque::new(),
            responses: Responses::default(),
            server_input: BytesMut::new(),
            server_ended: false,
            is_server_missing: false,
            to_client: BytesMut::new(),
            is_opaque: false,
            end: None,
            requests: 0,
            body_room,
            unsent: None,
            only_http: false,
            signing_wish: None,
            not_signed: Vec::new(),
        }
    }

    /// How many bytes of the client are taken now.
    pub(super) fn client_room(&self) -> usize {
        if self.to_server.len() >= BUFFER_BYTES_MAX { 0 } else { BUFFER_BYTES_MAX - self.client_input.len() }
    }

    /// Whether bytes of the server are taken now.
    pub(super) fn has_server_room(&self) -> bool {
        !self.server_ended && self.server_input.len() < BUFFER_BYTES_MAX
    }

    /// Takes bytes of the client, no more than there is room for. So many of the first are for the server as they are, ahead
    /// of `to_server`: the caller sends them. The others are kept here.
    pub(super) fn take_client(&mut self, bytes: &[u8], rules: &RuleSet, now: Instant) -> usize {
        if !self.client_input.is_empty() {
            self.client_input.extend_from_slice(bytes);
            return 0;
        }
        let progress = self.read_requests(bytes, rules, now);
        self.client_input.extend_from_slice(progress.rest(bytes));
        progress.verbatim
    }

    /// Whether the client says nothing more.
    pub(super) fn has_client_ended(&self) -> bool {
        self.client_ended
    }

    /// The server says nothing more.
    pub(super) fn end_server(&mut self) {
        self.server_ended = true;
    }

    /// The server can not be reached. Only rules can answer now; without any, the client sees a reset, as without the proxy.
    pub(super) fn miss_server(&mut self, rules: &RuleSet) {
        self.server_ended = true;
        self.is_server_missing = true;
        if rules.is_empty() {
            self.end = Some(Ending::Reset);
        }
    }

    /// How many bytes that the client says next are for the server as they are, without a look at them.
    pub(super) fn unread_from_client(&self) -> u64 {
        if !self.client_input.is_empty() || !self.to_server.is_empty() || self.is_closed() {
            return 0;
        }
        match &self.reading {
            _ if self.is_opaque => u64::MAX,
            Reading::Body { body, passes: true } => body.unread(),
            Reading::Body { .. }
            | Reading::Signing(_)
            | Reading::First
            | Reading::Head
            | Reading::Undecided
            | Reading::Nothing => 0,
        }
    }

    /// Takes note that so many of those bytes have passed.
    pub(super) fn skip_client(&mut self, bytes: u64) {
        if let Reading::Body { body, .. } = &mut self.reading {
            body.skip(bytes);
            if body.is_done() {
                self.request_sent();
            }
        }
    }

    /// The client says nothing more.
    pub(super) fn end_client(&mut self) {
        self.client_ended = true;
    }

    /// Whether all that the client said was passed on or dropped.
    pub(super) fn is_client_done(&self) -> bool {
        self.client_input.is_empty() && self.to_server.is_empty() && !self.is_signing()
    }

    /// Whether the client may say nothing any more.
    pub(super) fn is_closed(&self) -> bool {
        match self.end {
            Some(Ending::Reset) => true,
            // Each direction of another protocol ends by itself.
            Some(Ending::Close) => !self.is_opaque,
            None => matches!(self.reading, Reading::Nothing),
        }
    }

    /// Whether nothing can be done before one of the sides says something: so it is most of the time.
    pub(super) fn is_quiet(&self) -> bool {
        let is_only_passed_on =
            |exchange: &Exchange| exchange.plan.is_empty() && matches!(exchange.source, Source::Upstream);
        self.client_input.is_empty()
            && self.server_input.is_empty()
            && !self.client_ended
            && !self.server_ended
            && self.end.is_none()
            && !self.is_signing()
            && self.exchanges.front().is_none_or(is_only_passed_on)
    }

    /// Does all that can be done at `now`.
    pub(super) fn advance(&mut self, rules: &RuleSet, now: Instant) {
        loop {
            if !self.client_input.is_empty() {
                self.read_kept(rules, now);
            }
            if self.client_ended && self.client_input.is_empty() {
                self.end_signing();
            }
            let decided = self.write_kept(now);
            if !decided {
                return;
            }
        }
    }

    /// When something happens by itself, if no bytes come.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.head_due, self.responses.due].into_iter().flatten().min()
    }

    /// Whether a rule holds something, so that its removal must be noticed.
    pub(super) fn is_holding(&self) -> bool {
        self.exchanges.front().is_some_and(|exchange| !exchange.plan.is_empty())
    }

    /// Reads on in what was kept.
    fn read_kept(&mut self, rules: &RuleSet, now: Instant) {
        let mut input = std::mem::take(&mut self.client_input);
        let progress = self.read_requests(&input, rules, now);
        progress.settle(&mut input, &mut self.to_server);
        self.client_input = input;
    }

    /// Reads the requests in `input` as far as they can be read now.
    fn read_requests(&mut self, input: &[u8], rules: &RuleSet, now: Instant) -> Progress {
        let mut progress = Progress::default();
        while !self.is_closed() && self.to_server.len() < BUFFER_BYTES_MAX {
            let step = self.read_on(progress.rest(input), rules, now);
            if !progress.take(step, input, &mut self.to_server) {
                break;
            }
        }
        if self.is_closed() {
            progress.taken = input.len();
        }
        progress
    }

    /// Takes one step with what the client said.
    fn read_on(&mut self, input: &[u8], rules: &RuleSet, now: Instant) -> Step {
        if self.is_opaque {
            return Step::Passes(input.len());
        }
        match &mut self.reading {
            Reading::First if self.only_http => self.read_first_of_http(input),
            Reading::First => self.read_first(input),
            Reading::Head => self.read_head(input, rules, now),
            Reading::Body { body, passes } => {
                let Ok(taken) = body.take(input, |_| {}) else {
                    self.refuse(HeadError::Chunk.status(), false);
                    return Step::Moved;
                };
                let step = if *passes { Step::Passes(taken) } else { Step::Drops(taken) };
                if body.is_done() {
                    self.request_sent();
                }
                step
            }
            Reading::Signing(_) => self.read_signing(input),
            Reading::Undecided | Reading::Nothing => Step::Waits,
        }
    }

    /// TLS begins with 22, HTTP/2 with a method that HTTP/1 does not have, HTTP/1 with a letter or an empty line.
    fn read_first(&mut self, input: &[u8]) -> Step {
        const HTTP2: &[u8] = b"PRI ";
        let seen = input.get(..HTTP2.len()).unwrap_or(input);
        let Some(first) = seen.first() else { return Step::Waits };
        let may_be_http = first.is_ascii_alphabetic() || matches!(first, b'\r' | b'\n');
        if !may_be_http || seen == HTTP2 {
            self.is_opaque = true;
        } else if HTTP2.starts_with(seen) && !self.client_ended {
            return Step::Waits;
        } else {
            self.reading = Reading::Head;
        }
        Step::Moved
    }

    /// Nobody is there for another protocol: it would be kept, and nothing ever come of it.
    fn read_first_of_http(&mut self, input: &[u8]) -> Step {
        match input.first() {
            None => return Step::Waits,
            Some(first) if first.is_ascii_alphabetic() || b"\r\n".contains(first) => self.reading = Reading::Head,
            Some(_) => self.refuse(HeadError::Malformed.status(), false),
        }
        Step::Moved
    }

    fn read_head(&mut self, input: &[u8], rules: &RuleSet, now: Instant) -> Step {
        if self.exchanges.len() >= EXCHANGES_MAX {
            return Step::Waits;
        }
        if input.starts_with(b"\r\n") {
            // Empty lines before a request are allowed (RFC 9112, 2.2).
            self.head_end = HeadEnd::default();
            return Step::Passes(2);
        }
        match self.take_head(input, rules, now) {
            Ok(Step::Waits) => self.wait_for_head(input, now),
            Ok(step) => {
                self.head_due = None;
                step
            }
            Err(error) => {
                self.refuse(error.status(), false);
                Step::Moved
            }
        }
    }

    /// Bounds how long an incomplete head is waited for.
    fn wait_for_head(&mut self, input: &[u8], now: Instant) -> Step {
        if input.is_empty() || self.client_ended {
            self.head_due = None;
            return Step::Drops(input.len());
        }
        if now < *self.head_due.get_or_insert(now + HEAD_WAIT) {
            return Step::Waits;
        }
        self.refuse(408, true);
        Step::Moved
    }

    /// Takes a request's head if it is complete, and lets rules look at it.
    fn take_head(&mut self, input: &[u8], rules: &RuleSet, now: Instant) -> Result<Step, HeadError> {
        let Some(length) = self.head_end.find(input)? else { return Ok(Step::Waits) };
        let (bytes, after) = input.split_at(length);
        let mut room = slots();
        let head = RequestHead::parse(bytes, &mut room)?;
        let body = head.body()?;
        let mut exchange = Exchange {
            is_head: head.method == "HEAD",
            is_connect: head.method == "CONNECT",
            closes: head.wants_close(),
            expects_continue: head.expects_continue(),
            is_sent: false,
            source: Source::Upstream,
            plan: Plan::default(),
            held_since: None,
        };
        let is_undecided = head.wants_upgrade();
        let mut rewritten = None;
        if !rules.is_empty() {
            if !exchange.expects_continue && rules.reads_bodies() && is_form_incomplete(&head, &body, after) {
                return Ok(Step::Waits);
            }
            let subject = Subject::new(&head, after);
            exchange.plan = Plan::of(rules, &subject);
            exchange.source = exchange.plan.source(&subject, now);
            if exchange.plan.needs_plain_body() {
                let is_coding = |name: &str| name.eq_ignore_ascii_case("accept-encoding");
                rewritten = Some(rewrite(bytes, head.headers, is_coding, []));
            }
        }
        let passes = matches!(exchange.source, Source::Upstream);
        let signs = passes && self.body_room.is_some() && is_signed(&head);
        let expects_continue = exchange.expects_continue;
        let is_sent = body.is_done();
        self.requests += 1;
        self.exchanges.push_back(exchange);
        self.responses.is_undecided = is_undecided && passes;
        if signs {
            let head = rewritten.as_deref().unwrap_or(bytes);
            self.begin_signing(Signing::new(head, body, expects_continue));
            return Ok(Step::Drops(length));
        }
        self.reading = Reading::Body { body, passes };
        if is_sent {
            self.request_sent();
        }
        Ok(match rewritten {
            _ if !passes => Step::Drops(length),
            Some(rewritten) => Step::Becomes(length, rewritten),
            None => Step::Passes(length),
        })
    }

    pub(super) fn request_sent(&mut self) {
        if let Some(exchange) = self.exchanges.back_mut() {
            exchange.is_sent = true;
        }
        self.reading = if self.responses.is_undecided { Reading::Undecided } else { Reading::Head };
    }

    /// The server did not change the protocol: the next request may follow.
    pub(super) fn stay_with_http(&mut self) {
        if matches!(self.reading, Reading::Undecided) {
            self.responses.is_undecided = false;
            self.reading = Reading::Head;
        }
    }

    /// Whether the client's half is over: when all is answered, the connection is.
    pub(super) fn reads_nothing(&self) -> bool {
        matches!(self.reading, Reading::Nothing)
    }

    /// Whether whoever reads has something to do.
    pub(super) fn wants_reader(&self) -> bool {
        !self.to_client.is_empty()
            || self.end.is_some()
            || self.is_holding()
            || self.due().is_some()
            || self.signing_wish.is_some()
    }

    /// Whether the client has said nothing yet.
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self.reading, Reading::First)
    }

    /// Answers what the client said by a refusal, after the answers that are still to come, and reads nothing any more.
    pub(super) fn refuse(&mut self, status: u16, resets: bool) {
        let answer = Answer::new(status, Vec::new());
        if let Reading::Body { .. } | Reading::Signing(_) = self.reading
            && let Some(exchange) = self.exchanges.back_mut()
        {
            // The request that broke off is the one that is refused; the server does not see its end.
            exchange.is_sent = true;
            exchange.closes = true;
            exchange.source = Source::Refusal { answer, resets };
        } else {
            self.exchanges.push_back(Exchange {
                is_head: false,
                is_connect: false,
                closes: true,
                expects_continue: false,
                is_sent: true,
                source: Source::Refusal { answer, resets },
                plan: Plan::default(),
                held_since: None,
            });
        }
        self.head_due = None;
        self.reading = Reading::Nothing;
    }
}

/// Whether more of a form must come before the operation that it names can be read.
fn is_form_incomplete(head: &RequestHead<'_>, body: &Body, seen: &[u8]) -> bool {
    let is_form =
        head.header("content-type").is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    match body {
        Body::Length(length) if is_form => {
            let wanted = usize::try_from(*length).unwrap_or(usize::MAX).min(FORM_BYTES_MAX);
            seen.len() < wanted
        }
        Body::Length(_) | Body::Chunked(_) | Body::UntilClose => false,
    }
}
