//! A report as a chart: which of its rows become bars, lines and ticks, and what a chart says to those who cannot see it.

use super::chart::{
    AlarmBar, BoundBand, Chart, FaultBar, LoadLine, LoadPoint, PhaseBand, QualityPoint, StepBar, StepLine, TargetUnit,
    Tick, TickKind,
};
use super::model::{Alarm, BoundLane, Hypothesis, JournalEntry, Load, Report};
use super::number::{duration, float, ratio};
use crate::unit::plural;

/// The one chart of a report.
#[must_use]
pub fn chart_of(report: &Report) -> Chart {
    let length_ms = report.header.duration_ms;
    let faults: Vec<FaultBar> = report.faults.iter().map(fault_bar).collect();
    Chart {
        title: format!("Timeline of {}", report.header.run),
        description: format!(
            "{} over {}: {}, {}, {}. The table below the chart says the same in words.",
            report.header.title,
            duration(length_ms),
            plural(report.phases.len(), "phase", "phases"),
            plural(faults.len(), "fault", "faults"),
            plural(report.loads.len(), "load", "loads"),
        ),
        length_ms,
        phases: report
            .phases
            .iter()
            .map(|phase| PhaseBand {
                name: phase.phase.clone(),
                start_ms: phase.start_ms,
                end_ms: phase.end_ms.unwrap_or(length_ms).min(length_ms),
            })
            .collect(),
        loads: report.loads.iter().map(load_line).collect(),
        bounds: report.hypotheses.iter().flat_map(|hypothesis| bounds(hypothesis, length_ms)).collect(),
        faults,
        alarms: report.alarms.iter().filter(|alarm| !alarm.stretches.is_empty()).map(alarm_bar).collect(),
        steps: report
            .steps
            .iter()
            .map(|step| StepBar {
                name: step.step.clone(),
                opened_ms: step.opened_ms,
                due_ms: step.due_ms,
                closed_ms: step.closed_ms,
                late: step.late_ms.map(duration),
            })
            .collect(),
        ticks: ticks(report),
    }
}

fn fault_bar(fault: &super::model::Fault) -> FaultBar {
    FaultBar {
        name: fault.fault.clone(),
        requested_ms: fault.requested_ms,
        effective_ms: fault.effective_ms,
        reverting_ms: fault.reverting_ms,
        // What drifted or stuck has an end too, but not a good one.
        restored_ms: fault.ended_ms.filter(|_| fault.state == "restored"),
    }
}

fn alarm_bar(alarm: &Alarm) -> AlarmBar {
    let times = |is_it: fn(&str) -> bool| {
        let stretches = alarm.stretches.iter().filter(|stretch| is_it(&stretch.state));
        stretches.map(|stretch| (stretch.from_ms, stretch.to_ms)).collect()
    };
    AlarmBar {
        name: match alarm.outcome.as_str() {
            "silent" | "unexpected" => format!("{} ({})", alarm.alarm, alarm.outcome),
            _ => alarm.alarm.clone(),
        },
        alarm_ms: times(|state| state == "ALARM"),
        unknown_ms: times(|state| matches!(state, "INSUFFICIENT_DATA" | "unknown")),
    }
}

fn load_line(load: &Load) -> LoadLine {
    LoadLine {
        name: load.load.clone(),
        target: match load.target_unit.as_deref() {
            Some("users") => TargetUnit::Users,
            Some("per_second") => TargetUnit::PerSecond,
            _ => TargetUnit::Unknown,
        },
        points: load
            .seconds
            .iter()
            .map(|second| {
                let completed = second.ok_count.saturating_add(second.failed_count);
                LoadPoint {
                    second: second.second,
                    target: second.target,
                    completed: float(completed),
                    quality: quality(second.second, second.ok_count, second.failed_count, second.p99_ms),
                }
            })
            .collect(),
        steps: load
            .steps
            .iter()
            .map(|step| StepLine {
                name: format!("{} › {}", load.load, step.step),
                points: step
                    .seconds
                    .iter()
                    .map(|second| quality(second.second, second.ok_count, second.failed_count, second.p99_ms))
                    .collect(),
            })
            .collect(),
    }
}

fn quality(second: u64, ok_count: u64, failed_count: u64, p99_ms: Option<f64>) -> QualityPoint {
    QualityPoint { second, failed_ratio: ratio(failed_count, ok_count.saturating_add(failed_count)), p99_ms }
}

fn bounds(hypothesis: &Hypothesis, length_ms: u64) -> impl Iterator<Item = BoundBand> + '_ {
    hypothesis.terms.iter().filter_map(move |term| {
        let bound = term.bound.as_ref()?;
        Some(BoundBand {
            label: format!("{}: {}", hypothesis.id, bound.condition),
            is_latency: bound.lane == BoundLane::Latency,
            value: bound.value,
            forbids_above: bound.forbids_above,
            from_ms: term.from_ms?,
            to_ms: term.to_ms?.min(length_ms),
        })
    })
}

fn ticks(report: &Report) -> Vec<Tick> {
    let trouble = report
        .timeline
        .iter()
        .filter(|entry| entry.is_trouble && matches!(entry.kind.as_str(), "run" | "guardrail" | "gate" | "load"));
    let trouble = trouble.filter(|entry| entry.at_ms <= report.header.duration_ms).map(|entry| Tick {
        at_ms: entry.at_ms,
        kind: TickKind::Trouble,
        label: entry.about.as_ref().map_or_else(|| entry.text.clone(), |about| format!("{about} {}", entry.text)),
    });
    let mut ticks: Vec<Tick> = report.journal.iter().map(journal_tick).chain(trouble).collect();
    ticks.sort_by_key(|tick| tick.at_ms);
    ticks
}

fn journal_tick(entry: &JournalEntry) -> Tick {
    let kind = match entry.kind.as_str() {
        "note" => TickKind::Note,
        "inject" => TickKind::Inject,
        _ => TickKind::Mark,
    };
    let label = match (&entry.by, &entry.to) {
        (Some(by), _) => format!("{} ({by})", entry.text),
        (None, Some(to)) => format!("to {to}: {}", entry.text),
        (None, None) => entry.text.clone(),
    };
    Tick { at_ms: entry.at_ms, kind, label }
}
