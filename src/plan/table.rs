//! A plan for the table: nothing is injected and nothing is sent, and each fault is a card.

use super::compile::environment_facts;
use super::types::{Action, GuardrailRule, Plan};
use crate::scenario::expect::{Condition, Expectation, Measure};
use crate::workspace::Environment;

impl Plan {
    /// What is left of a plan where people walk through it at a table: phases, checklists, messages, hints, and a card for each fault.
    /// It needs no environment, no credentials and no load.
    #[must_use]
    pub fn at_table(mut self) -> Self {
        self.environment = environment_facts(&Environment::table());
        for phase in &mut self.phases {
            phase.gate.clear();
            phase.until = phase.until.take().filter(is_about_people);
        }
        for step in &mut self.steps {
            step.unless = step.unless.take().filter(is_about_people);
            step.action = match step.action.clone() {
                Action::InjectFault { fault, .. } => Action::DealCard(fault),
                Action::UndoFault(fault) => Action::TakeCard(fault),
                other => other,
            };
        }
        self.steps.retain(|step| match &step.action {
            Action::StartLoad(_) | Action::StopLoad(_) => false,
            Action::InjectFault { .. }
            | Action::UndoFault(_)
            | Action::DealCard(_)
            | Action::TakeCard(_)
            | Action::DeliverInject { .. } => true,
        });
        self.guardrails.retain(|guardrail| match &guardrail.rule {
            GuardrailRule::MaxDuration(_) => true,
            GuardrailRule::AbortIf(expectation) => is_about_people(expectation),
            GuardrailRule::MaxTargets(_) | GuardrailRule::MaxFailedRequests(_) => false,
        });
        for hypothesis in &mut self.hypotheses {
            hypothesis.faults.clear();
            hypothesis.known_gap = None;
        }
        self.targets.clear();
        self.routes.clear();
        self.loads.clear();
        self.programs.clear();
        self.alarms = None;
        self.settle = None;
        self
    }
}

/// Whether people alone decide it: at a table there is nothing else to look at.
pub(crate) fn is_about_people(expectation: &Expectation) -> bool {
    expectation.terms.iter().all(|term| match &term.condition {
        Condition::Mark(_) | Condition::Compare { measure: Measure::Steps { .. } | Measure::Ack, .. } => true,
        Condition::Compare { measure: Measure::Signal { .. } | Measure::Detect(_), .. } | Condition::Alarm { .. } => {
            false
        }
    })
}
