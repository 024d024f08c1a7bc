//! What comes of the run: the lessons that it touched, the questions that it answers, and what it took.

use super::Run;
use crate::action::Record as Action;
use crate::debrief::Record;
use crate::lesson::Lesson;
use crate::report::facts::Facts;
use crate::report::folder::Evidence;
use crate::report::model::{ActionRow, Debrief, Effort, Finding, Hypothesis, LessonRow, Practice, Report};
use crate::report::number::{float, nine_decimals};
use crate::unit::QUESTIONS;

/// The longest note that the Well-Architected Tool takes (AWS: UpdateAnswer, `Notes`).
const NOTE_CHARS_MAX: usize = 2_084;
/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;
/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

pub(super) fn lessons(run: &Run<'_>, evidence: &Evidence, report: &Report) -> Vec<LessonRow> {
    let scenario = report.header.scenario.as_str();
    let row = |lesson: &Lesson| {
        let front = &lesson.front;
        let retest = evidence.kept.retests.iter().find(|retest| retest.lesson == front.id);
        let test = front.regression.as_ref();
        LessonRow {
            id: front.id.to_string(),
            title: front.title.clone(),
            severity: front.severity.as_str().to_owned(),
            before: retest.map_or(front.status, |retest| retest.before).as_str().to_owned(),
            after: retest.map(|retest| retest.after.as_str().to_owned()),
            note: retest.map(|retest| retest.note.clone()).or_else(|| gap_note(report, front.id.as_str())),
            owner: front.owner.clone(),
            retest_by: front.retest_by,
            is_tested_here: test.is_some_and(|test| {
                let is_asked = |id: &str| run.facts.hypotheses.iter().any(|hypothesis| hypothesis.id == id);
                test.scenario.as_str() == scenario && is_asked(test.hypothesis.as_str())
            }),
        }
    };
    evidence.kept.lessons.iter().map(row).collect()
}

/// What the run has shown of a lesson that a hypothesis names as its known gap.
fn gap_note(report: &Report, lesson: &str) -> Option<String> {
    let names = |hypothesis: &&Hypothesis| hypothesis.known_gap.as_deref() == Some(lesson);
    let hypothesis = report.hypotheses.iter().find(names)?;
    let id = &hypothesis.id;
    match hypothesis.verdict.name.as_str() {
        "gap_holds" => Some(format!("still so: {id} does not hold, as is known")),
        "gap_closed" => Some(format!("no longer so: {id} holds")),
        _ => None,
    }
}

/// The actions that the folder keeps: those that came of this run first, then the most pressing.
pub(super) fn actions(evidence: &Evidence, report: &Report) -> Vec<ActionRow> {
    let named = report.debrief.record.as_ref().map(|record| record.actions.as_slice()).unwrap_or_default();
    let is_of_this_run = |action: &Action| {
        named.contains(&action.id) || action.found_in.as_ref().is_some_and(|run| run.as_str() == report.header.run)
    };
    let mut actions: Vec<&Action> = evidence.kept.actions.iter().collect();
    actions.sort_by_key(|action| (!is_of_this_run(action), action.status, action.due, &action.id));
    let row = |action: &Action| ActionRow {
        id: action.id.to_string(),
        text: action.text.clone(),
        kind: action.kind.as_str().to_owned(),
        owner: action.owner.clone(),
        due: action.due,
        status: action.status.as_str().to_owned(),
        tracker: action.tracker.clone(),
        retest: action.retest.as_ref().map(ToString::to_string),
        is_of_this_run: is_of_this_run(action),
    };
    actions.into_iter().map(row).collect()
}

pub(super) fn debrief(facts: &Facts, evidence: &Evidence) -> Debrief {
    let mut debrief = facts.debrief.clone();
    match &evidence.kept.debrief {
        Some(Ok(record)) => {
            debrief.held_ms = record.minutes.map(|minutes| u64::from(minutes) * MINUTE_MS);
            debrief.record = Some(record.clone()).filter(Record::is_held);
        }
        Some(Err(why)) => debrief.unread = Some(why.clone()),
        None => {}
    }
    debrief
}

pub(super) fn practices(report: &Report) -> Vec<Practice> {
    let covered: &[String] = report.why.as_ref().map(|why| why.ops.as_slice()).unwrap_or_default();
    QUESTIONS
        .iter()
        .map(|question| {
            let is_covered = covered.iter().any(|id| id == question.id);
            let about = |finding: &&Finding| finding.questions.iter().any(|id| id == question.id);
            let findings: Vec<String> =
                report.findings.iter().filter(about).map(|finding| finding.text.clone()).collect();
            let state = match (findings.is_empty(), is_covered) {
                (false, _) => "gap",
                (true, true) if has_shown(report) => "exercised",
                (true, true) => "unknown",
                (true, false) => "not_covered",
            };
            Practice {
                question: question.id.to_owned(),
                about: question.about.to_owned(),
                is_covered,
                state: state.to_owned(),
                note: note(report, state, &findings),
                findings,
            }
        })
        .collect()
}

/// Whether the run has shown whether something that was believed holds.
fn has_shown(report: &Report) -> bool {
    report.hypotheses.iter().any(|hypothesis| hypothesis.verdict.holds().is_some())
}

fn note(report: &Report, state: &str, findings: &[String]) -> String {
    let header = &report.header;
    let day = header.started_at.format("%Y-%m-%d");
    let start = format!("Game day {} on {day} in {} ({}).", header.run, header.environment.name, header.outcome.result);
    let text = match state {
        "gap" => format!("{start} Findings: {}", findings.join(" ")),
        "exercised" => format!("{start} Exercised; nothing was found."),
        "unknown" => format!("{start} The scenario covers it, but this run has shown nothing of it."),
        _ => format!("{start} Not exercised."),
    };
    if text.chars().count() <= NOTE_CHARS_MAX {
        return text;
    }
    let kept: String = text.chars().take(NOTE_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

pub(super) fn effort(run: &Run<'_>, report: &Report) -> Effort {
    let header = &report.header;
    let people_count = header.people.len();
    let debrief_ms = report.debrief.held_ms;
    let present = people_count > 0 && run.has_people();
    let hours = |people: usize, length_ms: u64| {
        let people = float(u64::try_from(people).unwrap_or(u64::MAX));
        nine_decimals(people * float(length_ms) / float(HOUR_MS))
    };
    // Who was there is written down by name; where nobody is, those who took part are taken to have been.
    let in_debrief = match report.debrief.record.as_ref().map_or(0, |record| record.present.len()) {
        0 => people_count,
        present => present,
    };
    let debrief_hours = match (&report.debrief.record, debrief_ms) {
        (_, Some(length_ms)) => Some(hours(in_debrief, length_ms)),
        (None, None) => Some(0.0),
        (Some(_), None) => None,
    };
    let request_count = report.loads.iter().map(|load| load.request_count).fold(0, u64::saturating_add);
    let cost = match header.environment.kind.as_str() {
        "account" => {
            "not measured: AWS tells the day's cost in Cost Explorer, a day later; what the loads asked for stands above"
        }
        _ => "nothing: no AWS account took part",
    };
    Effort {
        people_count,
        run_ms: header.duration_ms,
        debrief_ms,
        person_hours: debrief_hours
            .filter(|_| present)
            .map(|debrief_hours| nine_decimals(hours(people_count, header.duration_ms) + debrief_hours)),
        request_count,
        cost: cost.to_owned(),
    }
}
