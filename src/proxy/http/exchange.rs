//! A request with its answer, and what rules do to them.

use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::action::{Action, ResetAfter, Stage};
use super::message::Answer;
use super::rule::{ActiveRule, RuleSet, Subject};

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) is_head: bool,
    pub(super) is_connect: bool,
    /// Whether the connection is to end after the answer.
    pub(super) closes: bool,
    pub(super) expects_continue: bool,
    /// Whether the client has sent all of the request.
    pub(super) is_sent: bool,
    pub(super) source: Source,
    pub(super) plan: Plan,
    /// When a late answer came and when it begins; none until it is there.
    pub(super) release: Option<Hold>,
}

/// For how long an answer is held back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub(super) came: Instant,
    pub(super) until: Instant,
}

/// Where an answer comes from.
#[derive(Debug)]
pub(super) enum Source {
    Upstream,
    /// From a rule: the upstream was not asked.
    Rule(Answer),
    /// From the proxy, about what the client did; with a reset after it or not.
    Refusal {
        answer: Answer,
        resets: bool,
    },
    /// None comes; the connection is closed then, or when the rule is taken away.
    Nowhere {
        until: Option<Instant>,
    },
}

/// What rules do to one exchange, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Plan {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    rule: Arc<ActiveRule>,
    generator: ChaCha8Rng,
    is_counted: bool,
    /// The delay that was drawn, until it is over.
    delay: Option<Duration>,
}

impl Step {
    fn is_live(&self) -> bool {
        !self.rule.is_removed()
    }

    fn changes_body(&self) -> bool {
        match &self.rule.spec.action {
            Action::Truncate(_) | Action::SlowBody(_) | Action::Corrupt(_) => true,
            Action::Reset(action) => action.after == ResetAfter::Bytes,
            Action::Timeout(action) => action.stage == Stage::Body,
            Action::Latency(_) | Action::HttpError(_) | Action::AwsError(_) | Action::Headers(_) => false,
        }
    }

    fn count(&mut self, now: Instant) {
        if !self.is_counted {
            self.is_counted = true;
            self.rule.count_applied(now);
        }
    }
}

/// How the body of an answer is passed on.
#[derive(Debug)]
pub(super) enum BodyFault {
    Cut { left: u64, how: Cut },
    Slow { bytes: u64, interval: Duration },
    Stall { until: Option<Instant> },
    Corrupt,
}

/// How a body breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Close,
    Reset,
}

impl Plan {
    /// Lets each rule say whether it picks the request.
    pub(super) fn of(rules: &RuleSet, subject: &Subject<'_>) -> Self {
        let mut steps = Vec::new();
        for rule in rules.iter() {
            if matches!(rule.spec.action, Action::AwsError(_)) && subject.call().is_none() {
                continue;
            }
            if let Some(generator) = rule.pick(subject) {
                steps.push(Step { rule: Arc::clone(rule), generator, is_counted: false, delay: None });
            }
        }
        Self { steps }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a rule still keeps what was asked without an answer.
    pub(super) fn is_silent(&mut self) -> bool {
        self.live().any(|step| matches!(step.rule.spec.action, Action::Timeout(_)))
    }

    /// Whether a rule still does something to the body.
    pub(super) fn changes_body(&mut self) -> bool {
        self.live().any(|step| step.changes_body())
    }

    fn live(&mut self) -> impl Iterator<Item = &mut Step> {
        self.steps.iter_mut().filter(|step| step.is_live())
    }

    /// What the proxy answers instead of the upstream, which is not called.
    pub(super) fn source(&mut self, subject: &Subject<'_>, now: Instant) -> Source {
        for step in self.live() {
            match &step.rule.spec.action {
                Action::HttpError(action) if !action.call_upstream => return Source::Rule(action.answer()),
                Action::AwsError(action) => {
                    if let Some(call) = subject.call() {
                        return Source::Rule(action.answer(call, &mut step.generator));
                    }
                }
                Action::Timeout(action) if action.stage == Stage::Request => {
                    let until = action.timeout.map(|timeout| now + timeout.0);
                    step.count(now);
                    return Source::Nowhere { until };
                }
                Action::HttpError(_)
                | Action::Timeout(_)
                | Action::Latency(_)
                | Action::Truncate(_)
                | Action::SlowBody(_)
                | Action::Corrupt(_)
                | Action::Headers(_)
                | Action::Reset(_) => {}
            }
        }
        Source::Upstream
    }

    /// Counts that an answer of a rule went out.
    pub(super) fn count_answer(&mut self, now: Instant) {
        let gives_answer =
            |step: &&mut Step| matches!(step.rule.spec.action, Action::HttpError(_) | Action::AwsError(_));
        if let Some(step) = self.steps.iter_mut().find(gives_answer) {
            step.count(now);
        }
    }

    /// Whether the request is to ask for a body that is not compressed.
    pub(super) fn needs_plain_body(&mut self) -> bool {
        self.live().any(|step| matches!(step.rule.spec.action, Action::Corrupt(_)))
    }

    /// For how long the answer is held back.
    pub(super) fn delay(&mut self, now: Instant) -> Option<Duration> {
        let mut total = None;
        for step in self.live() {
            if let Action::Latency(action) = &step.rule.spec.action {
                let delay = action.draw(&mut step.generator);
                step.count(now);
                step.delay = Some(delay);
                total = Some(total.unwrap_or(Duration::ZERO) + delay);
            }
        }
        total
    }

    /// Counts for how long the answer was held back. Where several rules did so, each has its share.
    pub(super) fn count_delay(&mut self, waited: Duration) {
        let drawn: Duration = self.steps.iter().filter_map(|step| step.delay).sum();
        for step in &mut self.steps {
            if let Some(delay) = step.delay.take() {
                let share = if drawn.is_zero() { 0.0 } else { delay.as_secs_f64() / drawn.as_secs_f64() };
                step.rule.count_delay(waited.mul_f64(share));
            }
        }
    }

    /// Whether a rule still holds the answer back.
    pub(super) fn is_delaying(&mut self) -> bool {
        self.live().any(|step| matches!(step.rule.spec.action, Action::Latency(_)))
    }

    /// Whether the answer is lost, and when the connection is closed then.
    pub(super) fn loses_answer(&mut self, now: Instant) -> Option<Option<Instant>> {
        self.live().find_map(|step| match &step.rule.spec.action {
            Action::Timeout(action) if action.stage == Stage::Response => {
                let until = action.timeout.map(|timeout| now + timeout.0);
                step.count(now);
                Some(until)
            }
            _ => None,
        })
    }

    /// Whether the connection is reset at a point that is reached now.
    pub(super) fn resets(&mut self, at: ResetAfter, now: Instant) -> bool {
        let step = self.live().find(|step| matches!(&step.rule.spec.action, Action::Reset(reset) if reset.after == at));
        step.map(|step| step.count(now)).is_some()
    }

    /// The answer in place of that of an upstream that was called.
    pub(super) fn replaced(&mut self) -> Option<Answer> {
        self.live().find_map(|step| match &step.rule.spec.action {
            Action::HttpError(action) if action.call_upstream => Some(action.answer()),
            _ => None,
        })
    }

    /// Whether an answer's headers are changed.
    pub(super) fn edits_headers(&mut self, now: Instant) -> bool {
        let mut edits = false;
        for step in self.live().filter(|step| matches!(step.rule.spec.action, Action::Headers(_))) {
            step.count(now);
            edits = true;
        }
        edits
    }

    /// Whether a header that came is not passed on.
    pub(super) fn drops_header(&self, name: &str) -> bool {
        self.steps.iter().any(|step| matches!(&step.rule.spec.action, Action::Headers(edit) if edit.drops(name)))
    }

    /// The headers that are added.
    pub(super) fn added_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps
            .iter()
            .filter_map(|step| match &step.rule.spec.action {
                Action::Headers(edit) => Some(&edit.set),
                _ => None,
            })
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What is done to the body: the first rule that does something.
    pub(super) fn body_fault(&mut self, now: Instant) -> Option<BodyFault> {
        self.live().find_map(|step| match &step.rule.spec.action {
            Action::Truncate(action) => Some(BodyFault::Cut { left: action.bytes, how: Cut::Close }),
            Action::Reset(action) => action.bytes.map(|left| BodyFault::Cut { left, how: Cut::Reset }),
            Action::SlowBody(action) => Some(BodyFault::Slow { bytes: action.bytes, interval: action.interval.0 }),
            Action::Corrupt(_) => Some(BodyFault::Corrupt),
            Action::Timeout(action) if action.stage == Stage::Body => {
                let until = action.timeout.map(|timeout| now + timeout.0);
                step.count(now);
                Some(BodyFault::Stall { until })
            }
            Action::Timeout(_)
            | Action::Latency(_)
            | Action::HttpError(_)
            | Action::AwsError(_)
            | Action::Headers(_) => None,
        })
    }

    /// Counts that something was done to the body. False where its rule was taken away meanwhile: it passes.
    pub(super) fn touches_body(&mut self, now: Instant) -> bool {
        let step = self.live().find(|step| step.changes_body());
        step.map(|step| step.count(now)).is_some()
    }

    /// Counts for how long a piece of the body was held back while it was there.
    pub(super) fn count_body_delay(&mut self, waited: Duration) {
        if let Some(step) = self.live().find(|step| step.changes_body()) {
            step.rule.count_delay(waited);
        }
    }

    /// The changed body, if a rule changes it.
    pub(super) fn corrupted(&mut self, body: &[u8], now: Instant) -> Option<Vec<u8>> {
        self.live().find_map(|step| match &step.rule.spec.action {
            Action::Corrupt(action) => {
                let changed = action.apply(body, &mut step.generator)?;
                step.count(now);
                Some(changed)
            }
            _ => None,
        })
    }
}
