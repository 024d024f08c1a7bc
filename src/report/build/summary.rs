//! The draft of the summary: what was asked, what happened, the verdicts, the worst number, the one thing to fix.

use super::fault::CARD;
use crate::report::model::{Hypothesis, Report};
use crate::report::number::{count, duration, latency, percent, stopwatch};
use crate::unit::plural;

/// How many hypotheses the first line quotes; the section below has them all.
const QUOTED_HYPOTHESES_MAX: usize = 2;

pub(super) fn summary(report: &Report) -> Vec<String> {
    let lines = [asked(report), Some(happened(report)), verdicts(report), worst(report), fix(report)];
    lines.into_iter().flatten().collect()
}

fn asked(report: &Report) -> Option<String> {
    let quoted: Vec<String> =
        report.hypotheses.iter().take(QUOTED_HYPOTHESES_MAX).map(|it| format!("“{}” ({})", it.text, it.id)).collect();
    let more = report.hypotheses.len().saturating_sub(quoted.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!quoted.is_empty()).then(|| format!("We asked whether this holds: {}{more}.", quoted.join(", ")))
}

fn happened(report: &Report) -> String {
    let faults = report.faults.iter().filter(|fault| fault.applied_ms.is_some()).count();
    let requests: u64 = report.loads.iter().map(|load| load.request_count).sum();
    let load = if requests > 0 { format!(" under {}", requested(requests)) } else { String::new() };
    let end = match report.header.outcome.name.as_str() {
        "completed" => "walked to its end".to_owned(),
        "gate_shut" => "ended by a gate that stayed shut".to_owned(),
        "no_go" => "ended by a poll in which not everybody agreed".to_owned(),
        "aborted" => {
            let by = report.safety.aborted_by.as_deref().unwrap_or("an unknown cause");
            format!("aborted by {by}")
        }
        _ => "cut off: the run crashed".to_owned(),
    };
    let is_table = report.faults.iter().any(|fault| fault.kind == CARD);
    let safety = match report.safety.state.as_str() {
        "clean" if is_table => "Nothing was changed.",
        "clean" if report.safety.recovered_at.is_some() => "Every change was undone by a recovery afterwards.",
        "clean" if is_something_unread(report) => "Every change was undone, and not all of it could be read back.",
        "clean" => "Every change was undone and read back.",
        "dirty" => "Some change is not undone.",
        _ => "Nothing was changed.",
    };
    let faults = match (faults, is_table) {
        (0, _) => "no fault was injected".to_owned(),
        (_, false) => format!("{} injected", plural(faults, "fault was", "faults were")),
        (_, true) => format!("{} on the table", plural(faults, "card was", "cards were")),
    };
    let length = duration(report.header.duration_ms);
    format!("In {length}, {faults}{load}; the timeline was {end}. {safety}")
}

fn is_something_unread(report: &Report) -> bool {
    report.faults.iter().any(|fault| matches!(fault.end.as_deref(), Some("not_read_back" | "expired")))
}

/// `1 request`, `12,345 requests`.
pub(super) fn requested(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "request" } else { "requests" })
}

fn verdicts(report: &Report) -> Option<String> {
    const NAMES: [(&str, &str); 7] = [
        ("upheld", "upheld"),
        ("refuted", "refuted"),
        ("gap_holds", "gap holds"),
        ("gap_closed", "gap closed"),
        ("inconclusive", "inconclusive"),
        ("not_tested", "not tested"),
        ("not_judged", "not judged"),
    ];
    let counts: Vec<String> = NAMES
        .iter()
        .filter_map(|(name, words)| {
            let number = report.hypotheses.iter().filter(|it| it.verdict.name == *name).count();
            (number > 0).then(|| format!("{number} {words}"))
        })
        .collect();
    let all = plural(report.hypotheses.len(), "hypothesis", "hypotheses");
    (!counts.is_empty()).then(|| format!("Of {all}: {}.", counts.join(", ")))
}

/// The number that missed its bound in the worst hypothesis; where all held, the worst second of a load.
fn worst(report: &Report) -> Option<String> {
    const RANKS: [&str; 4] = ["low", "medium", "high", "critical"];
    let rank = |it: &&Hypothesis| RANKS.iter().position(|name| *name == it.severity);
    let missed = report.hypotheses.iter().filter(|it| matches!(it.verdict.name.as_str(), "refuted" | "gap_holds"));
    let of_worst = missed.rev().max_by_key(rank).and_then(|it| {
        let term = it.terms.iter().find(|term| term.held == Some(false))?;
        let observed = term.observed.as_ref()?;
        Some(format!("The worst number: {observed}, where {} expects `{}`.", it.id, term.term))
    });
    of_worst
        .or_else(|| {
            let (load, worst) = report
                .loads
                .iter()
                .filter_map(|load| Some((load, load.failed_worst.filter(|it| it.value > 0.0)?)))
                .max_by(|left, right| left.1.value.total_cmp(&right.1.value))?;
            let (failed, at) = (percent(worst.value), stopwatch(worst.second * 1_000));
            Some(format!("The worst number: {failed} of the requests of `{}` failed in the second at {at}.", load.load))
        })
        .or_else(|| {
            let (load, worst) = report
                .loads
                .iter()
                .filter_map(|load| Some((load, load.p99_worst?)))
                .max_by(|left, right| left.1.value.total_cmp(&right.1.value))?;
            let (p99, at) = (latency(worst.value), stopwatch(worst.second * 1_000));
            Some(format!("The worst number: a p99 of {p99} on `{}` in the second at {at}.", load.load))
        })
}

fn fix(report: &Report) -> Option<String> {
    match report.findings.first() {
        Some(finding) => {
            let next = finding.next.as_ref().map(|next| format!(" {next}")).unwrap_or_default();
            Some(format!("The one thing to fix: {}{next}", finding.text))
        }
        None => Some("No finding was drafted from the record; the debrief may still bring some.".to_owned()),
    }
}
