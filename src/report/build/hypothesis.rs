//! Hypotheses and gates, with what was seen of each term.

use super::Run;
use crate::event::{EventKind, HypothesisResult, Observation, PredictionProgress, Verdict};
use crate::report::facts::HypothesisFacts;
use crate::report::folder::Evidence;
use crate::report::model::{Bound, EvidenceFile, Gate, GateResult, Hypothesis, Predicted, Term, VerdictText};

pub(super) fn hypotheses(run: &Run<'_>, evidence: &[EvidenceFile]) -> Vec<Hypothesis> {
    run.facts.hypotheses.iter().map(|facts| hypothesis(run, facts, evidence)).collect()
}

fn hypothesis(run: &Run<'_>, facts: &HypothesisFacts, evidence: &[EvidenceFile]) -> Hypothesis {
    // A run that was judged twice, by itself and by a recovery, is read by its latest word.
    let result = run.state.results.iter().rev().find(|result| result.hypothesis.as_str() == facts.id);
    let about_load =
        |file: &&EvidenceFile| facts.loads.iter().any(|load| file.file == format!("evidence/load-{load}.ndjson"));
    Hypothesis {
        id: facts.id.clone(),
        text: facts.text.clone(),
        severity: facts.severity.clone(),
        expected: facts.expected.clone(),
        verdict: result.map_or_else(not_judged, |result| verdict(&result.verdict)),
        known_gap: facts.known_gap.clone(),
        terms: result.map(|result| terms(result, &facts.bounds)).unwrap_or_default(),
        faults: facts.faults.clone(),
        evidence: evidence.iter().filter(about_load).map(|file| file.file.clone()).collect(),
    }
}

/// What people predicted, and how it turned out where a debrief has revealed it.
pub(super) fn predictions(run: &Run<'_>, hypotheses: &[Hypothesis], evidence: &Evidence) -> Vec<Predicted> {
    let is_revealed = matches!(&evidence.kept.debrief, Some(Ok(record)) if record.predictions_revealed);
    let of = |sealed: &PredictionProgress| {
        let hypothesis = sealed.hypothesis.to_string();
        let holds = hypotheses.iter().find(|it| it.id == hypothesis).and_then(|it| it.verdict.holds());
        let opened = is_revealed.then(|| evidence.kept.predictions.get(&sealed.sha256));
        let (said, trouble) = match opened {
            None => (None, None),
            Some(Some(Ok(said))) => (Some(said), None),
            Some(Some(Err(why))) => (None, Some(why.clone())),
            Some(None) => (None, Some("it is not in the run's folder any more".to_owned())),
        };
        let result = said.zip(holds).map(|(said, holds)| if said.holds == holds { "right" } else { "wrong" });
        Predicted {
            hypothesis,
            by: sealed.by.clone(),
            at_ms: sealed.at_ms,
            expected: said.map(|said| if said.holds { "holds" } else { "fails" }.to_owned()),
            note: said.and_then(|said| said.note.clone()),
            result: result.map(str::to_owned),
            trouble,
        }
    };
    run.state.people.predictions.iter().map(of).collect()
}

fn not_judged() -> VerdictText {
    VerdictText { name: "not_judged".to_owned(), why: Some("the run ended before it was judged".to_owned()) }
}

fn verdict(verdict: &Verdict) -> VerdictText {
    let (name, why) = match verdict {
        Verdict::Upheld => ("upheld", None),
        Verdict::Refuted => ("refuted", None),
        Verdict::GapHolds => ("gap_holds", None),
        Verdict::GapClosed => ("gap_closed", None),
        Verdict::Inconclusive(why) => ("inconclusive", Some(why.clone())),
        Verdict::NotTested(why) => ("not_tested", Some(why.clone())),
    };
    VerdictText { name: name.to_owned(), why }
}

fn terms(result: &HypothesisResult, bounds: &[Option<Bound>]) -> Vec<Term> {
    let bounds = bounds.iter().cloned().chain(std::iter::repeat(None));
    result.observations.iter().zip(bounds).map(|(observation, bound)| term(observation, bound)).collect()
}

fn term(observation: &Observation, bound: Option<Bound>) -> Term {
    let [min, p50, p99, max] = observation.spread.clone().map_or([None, None, None, None], |spread| spread.map(Some));
    Term {
        term: observation.term.clone(),
        held: observation.held,
        observed: observation.observed.clone(),
        min,
        p50,
        p99,
        max,
        sample_count: observation.sample_count,
        from_ms: observation.window_ms.map(|(from, _)| from),
        to_ms: observation.window_ms.map(|(_, to)| to),
        held_ms: observation.held_ms,
        // Unknown is never told as a no.
        missing: observation
            .missing
            .clone()
            .or_else(|| observation.held.is_none().then(|| "the record does not tell".to_owned())),
        bound,
    }
}

pub(super) fn gates(run: &Run<'_>) -> Vec<Gate> {
    let gates = run.events.iter().filter_map(|event| match &event.kind {
        EventKind::GateJudged { phase, open, results } => Some(Gate {
            phase: phase.to_string(),
            at_ms: event.elapsed_ms,
            open: *open,
            results: results
                .iter()
                .map(|result| GateResult {
                    id: result.hypothesis.to_string(),
                    verdict: verdict(&result.verdict),
                    terms: terms(result, &[]),
                })
                .collect(),
        }),
        _ => None,
    });
    gates.collect()
}
