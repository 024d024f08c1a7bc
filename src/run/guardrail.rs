//! Guardrails: looked at apart from load and timeline, at their own pace, over what was recorded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ledger::Recorder;
use crate::plan::{GuardrailPlan, GuardrailRule, Plan};
use crate::scenario::OnMissing;
use crate::unit::{Clock, GuardrailId, elapsed_ms};
use crate::verdict::Judge;

/// How often guardrails are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What a guardrail has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The run must end.
    Trip { guardrail: GuardrailId, observed: String },
    /// Something to know.
    Warn { guardrail: GuardrailId, observed: String },
}

/// What one guardrail says now; none while all is well.
pub(super) fn look(guardrail: &GuardrailPlan, judge: &Judge<'_>) -> Option<Finding> {
    let id = guardrail.id.clone();
    match &guardrail.rule {
        GuardrailRule::MaxDuration(limit) => (judge.now_ms >= elapsed_ms(limit.0))
            .then(|| Finding::Trip { guardrail: id, observed: format!("the run has lasted {limit}") }),
        GuardrailRule::AbortIf(expectation) => {
            let (held, results) = judge.holds_now(expectation);
            match held {
                Some(true) => {
                    let seen: Vec<String> = results.into_iter().filter_map(|result| result.observed).collect();
                    Some(Finding::Trip { guardrail: id, observed: format!("{expectation}: {}", seen.join(", ")) })
                }
                Some(false) => None,
                None => {
                    let terms = expectation.terms.iter().zip(results);
                    let missing = terms.filter(|(term, result)| result.held.is_none() && judge.should_have_data(term));
                    let why: Vec<String> = missing.filter_map(|(_, result)| result.missing).collect();
                    if why.is_empty() {
                        return None;
                    }
                    let observed = format!("no data for {expectation}: {}", why.join("; "));
                    match guardrail.on_missing {
                        OnMissing::Abort => Some(Finding::Trip { guardrail: id, observed }),
                        OnMissing::Warn => Some(Finding::Warn { guardrail: id, observed }),
                        OnMissing::Ignore => None,
                    }
                }
            }
        }
    }
}

/// Looks at every guardrail until the receiver is gone. A warning is given once for each guardrail.
pub(super) async fn watch(plan: Arc<Plan>, recorder: Recorder, clock: Clock, findings: mpsc::Sender<Finding>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut warned = BTreeSet::new();
    loop {
        interval.tick().await;
        let now_ms = elapsed_ms(clock.elapsed());
        let found: Vec<Finding> = {
            let recording = recorder.recording();
            let judge = Judge { recording: &recording, signals: &plan.signals, baseline: plan.baseline(), now_ms };
            plan.guardrails.iter().filter_map(|guardrail| look(guardrail, &judge)).collect()
        };
        for finding in found {
            let is_news = match &finding {
                Finding::Warn { guardrail, .. } => warned.insert(guardrail.clone()),
                Finding::Trip { .. } => true,
            };
            if is_news && findings.send(finding).await.is_err() {
                return;
            }
        }
    }
}
