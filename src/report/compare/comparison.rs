//! Two runs beside each other: what changed from the first to the second.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{Figures, HypothesisFigure, RESPONSES};
use crate::report::metric::Metric;
use crate::report::model::{LoadWindow, Numbers, Quantile, verdict_holds};

/// What changed from one run to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The earlier run.
    pub before: RunReference,
    /// The later one.
    pub after: RunReference,
    /// What else differs between them, so that a change may have other reasons.
    pub cautions: Vec<String>,
    /// Each hypothesis of either.
    pub hypotheses: Vec<HypothesisChange>,
    /// Each time of detection and response that either knows.
    pub responses: Vec<ResponseChange>,
    /// Each alarm of either.
    pub alarms: Vec<AlarmChange>,
    /// Each load by each window of either.
    pub loads: Vec<LoadChange>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunReference {
    /// Its id.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// Its first event.
    pub started_at: DateTime<Utc>,
    /// Where it ran.
    pub environment: String,
    /// How it ended.
    pub result: String,
}

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// For the worse.
    Worse,
    /// For the better.
    Better,
    /// It is as it was, or what was measured does not tell them apart.
    Same,
    /// One of the two does not say.
    Unclear,
    /// Only the later run has it.
    New,
    /// Only the earlier run has it.
    Gone,
}

impl Change {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "same",
            Self::Unclear => "unclear",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

/// A hypothesis in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HypothesisChange {
    /// Its id.
    pub id: String,
    /// In words.
    pub text: String,
    /// The verdict of the earlier run.
    pub before: Option<String>,
    /// Of the later one.
    pub after: Option<String>,
    /// Which way it went.
    pub change: Change,
    /// What was seen of each term of the later run.
    pub terms: Vec<TermChange>,
}

/// A term in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TermChange {
    /// As it was written.
    pub term: String,
    /// What the earlier run saw.
    pub before: Option<String>,
    /// What the later one saw.
    pub after: Option<String>,
}

/// A time of detection or response in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseChange {
    /// The fault.
    pub fault: String,
    /// The key of the time: `time_to_detect`.
    pub response: String,
    /// Of the earlier run.
    pub before: Option<Metric>,
    /// Of the later one.
    pub after: Option<Metric>,
    /// By how much it is longer now, where both were measured.
    pub longer_by_ms: Option<i64>,
    /// Which way it went.
    pub change: Change,
}

/// An alarm in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmChange {
    /// Its name.
    pub alarm: String,
    /// Its outcome in the earlier run.
    pub before: Option<String>,
    /// In the later one.
    pub after: Option<String>,
    /// Which way it went.
    pub change: Change,
}

/// A load in one window of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadChange {
    /// The load.
    pub load: String,
    /// The window's kind: `whole_load`, `phase`, `fault` or `without_fault`.
    pub kind: String,
    /// The phase or the fault.
    pub name: Option<String>,
    /// Of the earlier run.
    pub before: Option<Numbers>,
    /// Of the later one.
    pub after: Option<Numbers>,
    /// The distribution of response times in the earlier run.
    pub before_quantiles: Vec<Quantile>,
    /// In the later one.
    pub after_quantiles: Vec<Quantile>,
}

impl Comparison {
    /// What changed from `before` to `after`.
    #[must_use]
    pub fn of(before: &Figures, after: &Figures) -> Self {
        Self {
            before: reference(before),
            after: reference(after),
            cautions: cautions(before, after),
            hypotheses: hypotheses(before, after),
            responses: responses(before, after),
            alarms: alarms(before, after),
            loads: loads(before, after),
        }
    }

    /// Whether anything went for the worse.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let hypotheses = self.hypotheses.iter().map(|row| row.change);
        let responses = self.responses.iter().map(|row| row.change);
        let alarms = self.alarms.iter().map(|row| row.change);
        hypotheses.chain(responses).chain(alarms).any(|change| change == Change::Worse)
    }

    /// Whether the earlier run tells of a hypothesis, an alarm or a time what the later one does not.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        let is_lost = |change: Change| matches!(change, Change::Unclear | Change::Gone);
        let hypotheses = self
            .hypotheses
            .iter()
            .any(|row| is_lost(row.change) && row.before.as_deref().and_then(verdict_holds).is_some());
        let alarms = self
            .alarms
            .iter()
            .any(|row| is_lost(row.change) && row.before.as_deref().and_then(alarm_is_good).is_some());
        let times = self.responses.iter().any(|row| {
            row.before.as_ref().is_some_and(|time| !is_nothing(time)) && row.after.as_ref().is_none_or(is_nothing)
        });
        hypotheses || alarms || times
    }
}

fn reference(figures: &Figures) -> RunReference {
    RunReference {
        run: figures.run.clone(),
        scenario: figures.scenario.clone(),
        started_at: figures.started_at,
        environment: figures.environment.clone(),
        result: figures.result.clone(),
    }
}

fn cautions(before: &Figures, after: &Figures) -> Vec<String> {
    let mut cautions = Vec::new();
    if before.scenario != after.scenario {
        cautions.push(format!("the scenarios differ: `{}` and `{}`", before.scenario, after.scenario));
    } else if before.scenario_sha256 != after.scenario_sha256 {
        cautions.push("the scenario's file was changed between them".to_owned());
    }
    if before.environment != after.environment {
        cautions.push(format!("they ran in `{}` and in `{}`", before.environment, after.environment));
    }
    if before.version != after.version {
        cautions.push(format!("gameday {} made the one, {} the other", before.version, after.version));
    }
    for figures in [before, after] {
        if figures.is_rehearsal {
            cautions.push(format!("`{}` was a rehearsal: steps were answered by `--yes`", figures.run));
        }
        if !figures.is_over() {
            let result = figures.result.replace('_', " ");
            cautions.push(format!("`{}` did not come to its end: {result}", figures.run));
        }
    }
    cautions
}

/// The names of either, those of `after` first.
fn union<'a>(before: impl Iterator<Item = &'a str>, after: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in after.chain(before) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn hypotheses(before: &Figures, after: &Figures) -> Vec<HypothesisChange> {
    let ids = |figures: &'_ Figures| figures.hypotheses.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    let (old, new) = (ids(before), ids(after));
    let row = |id: &str| {
        let (before, after) = (find(before, id), find(after, id));
        let terms = after.or(before).map(|figure| figure.terms.as_slice()).unwrap_or_default();
        let seen = |figure: Option<&HypothesisFigure>, term: &str| {
            figure.and_then(|figure| figure.terms.iter().find(|known| known.term == term)?.observed.clone())
        };
        HypothesisChange {
            id: id.to_owned(),
            text: after.or(before).map(|figure| figure.text.clone()).unwrap_or_default(),
            before: before.map(|figure| figure.verdict.clone()),
            after: after.map(|figure| figure.verdict.clone()),
            change: change_of_verdict(
                before.map(|figure| figure.verdict.as_str()),
                after.map(|figure| figure.verdict.as_str()),
            ),
            terms: terms
                .iter()
                .map(|figure| TermChange {
                    term: figure.term.clone(),
                    before: seen(before, &figure.term),
                    after: seen(after, &figure.term),
                })
                .collect(),
        }
    };
    union(old.iter().map(String::as_str), new.iter().map(String::as_str)).into_iter().map(row).collect()
}

fn find<'a>(figures: &'a Figures, id: &str) -> Option<&'a HypothesisFigure> {
    figures.hypotheses.iter().find(|row| row.id == id)
}

/// Which way something went that is only good, bad, or unknown.
fn change_of(before: Option<Option<bool>>, after: Option<Option<bool>>) -> Change {
    match (before, after) {
        (None, None) => Change::Unclear,
        (None, Some(_)) => Change::New,
        (Some(_), None) => Change::Gone,
        (Some(Some(before)), Some(Some(after))) if before == after => Change::Same,
        (Some(Some(false)), Some(Some(true))) => Change::Better,
        (Some(Some(true)), Some(Some(false))) => Change::Worse,
        (Some(_), Some(_)) => Change::Unclear,
    }
}

fn change_of_verdict(before: Option<&str>, after: Option<&str>) -> Change {
    change_of(before.map(verdict_holds), after.map(verdict_holds))
}

fn change_of_alarm(before: Option<&str>, after: Option<&str>) -> Change {
    change_of(before.map(alarm_is_good), after.map(alarm_is_good))
}

/// Whether an alarm did what it should; none where that is not known.
fn alarm_is_good(outcome: &str) -> Option<bool> {
    match outcome {
        "fired" | "quiet" => Some(true),
        "silent" | "unexpected" => Some(false),
        _ => None,
    }
}

fn responses(before: &Figures, after: &Figures) -> Vec<ResponseChange> {
    let faults =
        union(before.faults.iter().map(|row| row.fault.as_str()), after.faults.iter().map(|row| row.fault.as_str()));
    let rows = faults.into_iter().flat_map(|fault| RESPONSES.iter().map(move |(response, _)| (fault, *response)));
    let row = |(fault, response): (&str, &str)| {
        let (before, after) = (before.response(fault, response), after.response(fault, response));
        let is_known = |metric: Option<&Metric>| metric.is_some_and(|metric| !is_nothing(metric));
        (is_known(before) || is_known(after)).then(|| {
            let (change, longer_by_ms) = change_of_time(before, after);
            ResponseChange {
                fault: fault.to_owned(),
                response: response.to_owned(),
                before: before.cloned(),
                after: after.cloned(),
                longer_by_ms,
                change,
            }
        })
    };
    rows.filter_map(row).collect()
}

fn is_nothing(metric: &Metric) -> bool {
    matches!(metric, Metric::NotApplicable { .. })
}

/// Which way a time went; one that was not seen is longer than the wait for it.
fn change_of_time(before: Option<&Metric>, after: Option<&Metric>) -> (Change, Option<i64>) {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return (Change::New, None),
        (Some(_), None) => return (Change::Gone, None),
        (None, None) => return (Change::Unclear, None),
    };
    match (before, after) {
        (
            Metric::Measured { ms: old, uncertainty_ms: old_doubt, .. },
            Metric::Measured { ms: new, uncertainty_ms: new_doubt, .. },
        ) => {
            let change = if old.abs_diff(*new) <= old_doubt.saturating_add(*new_doubt) {
                Change::Same
            } else if new > old {
                Change::Worse
            } else {
                Change::Better
            };
            (change, new.checked_signed_diff(*old))
        }
        (Metric::Censored { after_ms, .. }, Metric::Measured { ms, uncertainty_ms, .. })
            if ms.saturating_add(*uncertainty_ms) < *after_ms =>
        {
            (Change::Better, None)
        }
        (Metric::Measured { ms, uncertainty_ms, .. }, Metric::Censored { after_ms, .. })
            if ms.saturating_add(*uncertainty_ms) < *after_ms =>
        {
            (Change::Worse, None)
        }
        (Metric::Measured { .. } | Metric::Censored { .. } | Metric::NotApplicable { .. }, _) => {
            (Change::Unclear, None)
        }
    }
}

fn alarms(before: &Figures, after: &Figures) -> Vec<AlarmChange> {
    let outcome = |figures: &Figures, alarm: &str| {
        figures.alarms.iter().find(|row| row.alarm == alarm).map(|row| row.outcome.clone())
    };
    let names =
        union(before.alarms.iter().map(|row| row.alarm.as_str()), after.alarms.iter().map(|row| row.alarm.as_str()));
    let row = |alarm: &str| {
        let (before, after) = (outcome(before, alarm), outcome(after, alarm));
        let change = change_of_alarm(before.as_deref(), after.as_deref());
        AlarmChange { alarm: alarm.to_owned(), before, after, change }
    };
    names.into_iter().map(row).collect()
}

/// What a window is of, in a load.
type WindowKey<'a> = (&'a str, &'a str, Option<&'a str>);

fn windows(figures: &Figures) -> impl Iterator<Item = (WindowKey<'_>, &LoadWindow)> {
    figures.loads.iter().flat_map(|load| {
        load.windows.iter().map(|window| ((load.load.as_str(), window.kind.as_str(), window.name.as_deref()), window))
    })
}

fn loads(before: &Figures, after: &Figures) -> Vec<LoadChange> {
    let window = |figures: &'_ Figures, key: WindowKey<'_>| {
        let found = windows(figures).find(|(known, _)| *known == key);
        found.map_or_else(|| (None, Vec::new()), |(_, window)| (Some(window.numbers), window.quantiles.clone()))
    };
    let mut keys: Vec<WindowKey<'_>> = Vec::new();
    for (key, _) in windows(after).chain(windows(before)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let row = |key: WindowKey<'_>| {
        let ((before, before_quantiles), (after, after_quantiles)) = (window(before, key), window(after, key));
        LoadChange {
            load: key.0.to_owned(),
            kind: key.1.to_owned(),
            name: key.2.map(ToOwned::to_owned),
            before,
            after,
            before_quantiles,
            after_quantiles,
        }
    };
    // A window in which nothing was measured, by either, is no row.
    let is_measured = |numbers: &Option<Numbers>| numbers.is_some_and(|numbers| numbers.count.is_some());
    let is_known = |row: &LoadChange| is_measured(&row.before) || is_measured(&row.after);
    keys.into_iter().map(row).filter(is_known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare::figures::TermFigure;
    use crate::report::sample;
    use crate::report::{Facts, Report};

    fn figures() -> Figures {
        let facts: Facts = sample::facts();
        Figures::of(&Report::from_facts(&sample::script().events(), &facts, &sample::evidence()))
    }

    #[test]
    fn a_run_beside_itself_has_changed_nothing() {
        let run = figures();
        let comparison = Comparison::of(&run, &run);
        assert_eq!(comparison.cautions, [""; 0]);
        assert!(!comparison.is_worse());
        assert!(comparison.hypotheses.iter().all(|row| matches!(row.change, Change::Same | Change::Unclear)));
        assert!(comparison.responses.iter().all(|row| row.longer_by_ms.is_none_or(|ms| ms == 0)));
        assert!(comparison.loads.iter().all(|row| row.before == row.after && row.before.is_some()));
        assert!(comparison.loads.len() > 4, "{:#?}", comparison.loads);
    }

    #[test]
    fn a_verdict_goes_for_the_better_or_the_worse_and_the_unknown_is_unclear() {
        for (before, after, change) in [
            (Some("refuted"), Some("upheld"), Change::Better),
            (Some("upheld"), Some("refuted"), Change::Worse),
            (Some("gap_holds"), Some("gap_closed"), Change::Better),
            (Some("refuted"), Some("gap_holds"), Change::Same),
            (Some("inconclusive"), Some("upheld"), Change::Unclear),
            (Some("not_tested"), Some("not_tested"), Change::Unclear),
            (None, Some("upheld"), Change::New),
            (Some("upheld"), None, Change::Gone),
        ] {
            assert_eq!(change_of_verdict(before, after), change, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_time_is_the_same_within_its_uncertainty_and_one_that_was_not_seen_is_longer_than_the_wait() {
        let measured = |ms, uncertainty_ms| Metric::Measured { ms, uncertainty_ms, source: String::new() };
        let censored = |after_ms| Metric::Censored { after_ms, text: String::new() };
        let none = Metric::not_applicable("no");
        for (before, after, change, longer) in [
            (measured(60_000, 60_000), measured(100_000, 60_000), Change::Same, Some(40_000)),
            (measured(60_000, 1_000), measured(100_000, 1_000), Change::Worse, Some(40_000)),
            (measured(100_000, 0), measured(99_999, 0), Change::Better, Some(-1)),
            (censored(100_000), measured(99_999, 0), Change::Better, None),
            (censored(50_000), measured(99_999, 0), Change::Unclear, None),
            (measured(10_000, 60_000), censored(11_000), Change::Unclear, None),
            (censored(11_000), measured(10_000, 60_000), Change::Unclear, None),
            (measured(10_000, 0), censored(50_000), Change::Worse, None),
            (measured(60_000, 0), censored(50_000), Change::Unclear, None),
            (censored(1), censored(2), Change::Unclear, None),
            (none.clone(), measured(1, 0), Change::Unclear, None),
        ] {
            assert_eq!(change_of_time(Some(&before), Some(&after)), (change, longer), "{before:?} {after:?}");
        }
        assert_eq!(change_of_time(None, Some(&none)).0, Change::New);
        assert_eq!(change_of_time(Some(&none), None).0, Change::Gone);
    }

    #[test]
    fn what_was_known_and_is_not_any_more_is_unclear_and_no_pass() {
        let before = figures();
        let mut after = before.clone();
        assert!(!Comparison::of(&before, &after).is_unclear(), "what was not known before is no loss");
        after.hypotheses.iter_mut().for_each(|row| "not_judged".clone_into(&mut row.verdict));
        assert!(Comparison::of(&before, &after).is_unclear());
        after.hypotheses.clear();
        assert!(Comparison::of(&before, &after).is_unclear());
        let mut unread = before.clone();
        unread.alarms.iter_mut().for_each(|row| "unknown".clone_into(&mut row.outcome));
        assert!(Comparison::of(&before, &unread).is_unclear(), "an alarm");
        let mut untimed = before.clone();
        untimed.faults.clear();
        assert!(Comparison::of(&before, &untimed).is_unclear(), "a time");
    }

    #[test]
    fn what_only_one_of_the_runs_has_is_told_and_so_is_what_else_differs() {
        let before = figures();
        let mut after = before.clone();
        after.scenario_sha256 = "other".to_owned();
        "staging".clone_into(&mut after.environment);
        "aborted".clone_into(&mut after.result);
        after.is_rehearsal = true;
        let gone = after.hypotheses.remove(0);
        after.hypotheses.push(HypothesisFigure {
            id: "H99".to_owned(),
            text: "new".to_owned(),
            verdict: "upheld".to_owned(),
            terms: vec![TermFigure { term: "t".to_owned(), observed: None }],
        });
        after.loads.clear();
        let comparison = Comparison::of(&before, &after);
        let change = |id: &str| comparison.hypotheses.iter().find(|row| row.id == id).unwrap().change;
        assert_eq!((change(&gone.id), change("H99")), (Change::Gone, Change::New));
        assert!(comparison.loads.iter().all(|row| row.after.is_none() && row.before.is_some()));
        let told = comparison.cautions.join("; ");
        for part in ["file was changed", "`sandbox` and in `staging`", "was a rehearsal", "did not come to its end"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
