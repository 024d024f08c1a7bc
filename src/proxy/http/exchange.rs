//! A request with its answer, and what rules do to them.

use std::sync::Arc;
use std::time::Duration;

use httparse::Header;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::action::{Action, Headers, ResetAfter, Stage};
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
    /// When the answer came, which may be held back from then on; none until it is there.
    pub(super) held_since: Option<Instant>,
}

/// Where an answer comes from.
#[derive(Debug)]
pub(super) enum Source {
    Upstream,
    /// From a rule: the upstream was not asked.
    Rule {
        by: StepIndex,
        answer: Answer,
    },
    /// From the proxy, about what the client did; with a reset after it or not.
    Refusal {
        answer: Answer,
        resets: bool,
    },
    /// None comes; the connection is closed then, or when the rule is taken away.
    Nowhere {
        by: StepIndex,
        until: Option<Instant>,
    },
}

/// What rules do to one exchange, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Plan {
    steps: Vec<Step>,
}

/// Which step of a plan does something, so that it is done as long as that step's rule is there, and counted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepIndex(usize);

#[derive(Debug)]
struct Step {
    rule: Arc<ActiveRule>,
    generator: ChaCha8Rng,
    is_counted: bool,
    /// The delay that was drawn, until the answer goes out.
    delay: Option<Duration>,
}

impl Step {
    fn is_live(&self) -> bool {
        !self.rule.is_removed()
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

    /// Whether the rule that does something is still there: otherwise it lets go.
    pub(super) fn is_live(&self, by: StepIndex) -> bool {
        self.steps.get(by.0).is_some_and(Step::is_live)
    }

    /// Counts that a rule has done something.
    pub(super) fn count(&mut self, by: StepIndex, now: Instant) {
        if let Some(step) = self.steps.get_mut(by.0) {
            step.count(now);
        }
    }

    fn live(&mut self) -> impl Iterator<Item = (StepIndex, &mut Step)> {
        let steps = self.steps.iter_mut().enumerate().map(|(index, step)| (StepIndex(index), step));
        steps.filter(|(_, step)| step.is_live())
    }

    /// What the proxy answers instead of the upstream, which is not called.
    pub(super) fn source(&mut self, subject: &Subject<'_>, now: Instant) -> Source {
        for (by, step) in self.live() {
            match &step.rule.spec.action {
                Action::HttpError(action) if !action.call_upstream => {
                    return Source::Rule { by, answer: action.answer() };
                }
                Action::AwsError(action) => {
                    if let Some(call) = subject.call() {
                        return Source::Rule { by, answer: action.answer(call, &mut step.generator) };
                    }
                }
                Action::Timeout(action) if action.stage == Stage::Request => {
                    let until = action.timeout.map(|timeout| now + timeout.0);
                    step.count(now);
                    return Source::Nowhere { by, until };
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

    /// Whether the request is to ask for a body that is not compressed.
    pub(super) fn needs_plain_body(&mut self) -> bool {
        self.live().any(|(_, step)| matches!(step.rule.spec.action, Action::Corrupt(_)))
    }

    /// Draws for how long each rule holds the answer back, which is here now.
    pub(super) fn draw_delays(&mut self, now: Instant) {
        for (_, step) in self.live() {
            if let Action::Latency(action) = &step.rule.spec.action {
                step.delay = Some(action.draw(&mut step.generator));
                step.count(now);
            }
        }
    }

    /// For how long the rules that are still there hold the answer back, all together.
    pub(super) fn delay(&self) -> Duration {
        self.steps.iter().filter(|step| step.is_live()).filter_map(|step| step.delay).sum()
    }

    /// Counts for how long the answer was held back. Where several rules did so, each has its share; those that were taken
    /// away meanwhile share what the others leave of it.
    pub(super) fn count_delay(&mut self, waited: Duration) {
        let left = waited.saturating_sub(self.delay());
        let added = |step: &Step| step.delay.map(|delay| if step.is_live() { delay } else { delay.min(left) });
        let shares: Vec<_> = self.steps.iter().map(added).collect();
        let all: Duration = shares.iter().flatten().sum();
        for (step, added) in self.steps.iter_mut().zip(shares) {
            step.delay = None;
            if let Some(added) = added {
                let share = if all.is_zero() { 0.0 } else { added.as_secs_f64() / all.as_secs_f64() };
                step.rule.count_delay(waited.mul_f64(share));
            }
        }
    }

    /// Whether the answer is lost, and when the connection is closed then.
    pub(super) fn loses_answer(&mut self, now: Instant) -> Option<(StepIndex, Option<Instant>)> {
        self.live().find_map(|(by, step)| {
            let Action::Timeout(action) = &step.rule.spec.action else { return None };
            if action.stage != Stage::Response {
                return None;
            }
            let until = action.timeout.map(|timeout| now + timeout.0);
            step.count(now);
            Some((by, until))
        })
    }

    /// Whether the connection is reset at a point that is reached now.
    pub(super) fn resets(&mut self, at: ResetAfter, now: Instant) -> bool {
        let resets = |step: &Step| matches!(&step.rule.spec.action, Action::Reset(reset) if reset.after == at);
        self.live().find(|(_, step)| resets(step)).map(|(_, step)| step.count(now)).is_some()
    }

    /// The answer in place of that of an upstream that was called.
    pub(super) fn replaced(&mut self) -> Option<(StepIndex, Answer)> {
        self.live().find_map(|(by, step)| {
            let Action::HttpError(action) = &step.rule.spec.action else { return None };
            action.call_upstream.then(|| (by, action.answer()))
        })
    }

    /// Whether an answer's headers are changed.
    pub(super) fn edits_headers(&mut self, headers: &[Header<'_>], now: Instant) -> bool {
        let mut edits = false;
        for (_, step) in self.live() {
            if matches!(&step.rule.spec.action, Action::Headers(edit) if edit.changes(headers)) {
                step.count(now);
                edits = true;
            }
        }
        edits
    }

    /// What rules that are still there do to headers.
    fn header_edits(&self) -> impl Iterator<Item = &Headers> {
        self.steps.iter().filter(|step| step.is_live()).filter_map(|step| {
            let Action::Headers(edit) = &step.rule.spec.action else { return None };
            Some(edit)
        })
    }

    /// Whether a header that came is not passed on.
    pub(super) fn drops_header(&self, name: &str) -> bool {
        self.header_edits().any(|edit| edit.drops(name))
    }

    /// The headers that are added.
    pub(super) fn added_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.header_edits().flat_map(|edit| &edit.set).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What is done to the body: the first rule that does something.
    pub(super) fn body_fault(&mut self, now: Instant) -> Option<(StepIndex, BodyFault)> {
        self.live().find_map(|(by, step)| {
            let fault = match &step.rule.spec.action {
                Action::Truncate(action) => BodyFault::Cut { left: action.bytes, how: Cut::Close },
                Action::Reset(action) => BodyFault::Cut { left: action.bytes?, how: Cut::Reset },
                Action::SlowBody(action) => BodyFault::Slow { bytes: action.bytes, interval: action.interval.0 },
                Action::Corrupt(_) => BodyFault::Corrupt,
                Action::Timeout(action) if action.stage == Stage::Body => {
                    BodyFault::Stall { until: action.timeout.map(|timeout| now + timeout.0) }
                }
                Action::Timeout(_)
                | Action::Latency(_)
                | Action::HttpError(_)
                | Action::AwsError(_)
                | Action::Headers(_) => return None,
            };
            Some((by, fault))
        })
    }

    /// Counts for how long a rule held back a piece of the body that was there.
    pub(super) fn count_body_delay(&mut self, by: StepIndex, waited: Duration, now: Instant) {
        if let Some(step) = self.steps.get_mut(by.0) {
            step.count(now);
            step.rule.count_delay(waited);
        }
    }

    /// The changed body, if a rule changes it.
    pub(super) fn corrupted(&mut self, body: &[u8], now: Instant) -> Option<Vec<u8>> {
        self.live().find_map(|(_, step)| {
            let Action::Corrupt(action) = &step.rule.spec.action else { return None };
            let changed = action.apply(body, &mut step.generator)?;
            step.count(now);
            Some(changed)
        })
    }
}
