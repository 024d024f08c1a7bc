//! How soon an alarm can tell of a fault, by the settings that were read of it, beside what hypotheses ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Run;
use crate::event::AlarmRecord;
use crate::observe::{Detection, Fit, mended, predict};
use crate::report::model::{AlarmBound, AlarmPrediction};
use crate::unit::{AlarmSettings, elapsed_ms};

/// What is predicted of an alarm, and how that fits what hypotheses ask for.
pub(super) fn detection(run: &Run<'_>, name: &str, record: &AlarmRecord) -> (Option<AlarmPrediction>, Vec<AlarmBound>) {
    let predicted = record.settings().map(|settings| predict(settings, &known(run), is_local(run)));
    let fit = |bound: Duration| match &predicted {
        Some(Ok(detection)) => match detection.fits(bound) {
            fit @ Fit::Keeps => (fit.as_str(), "its settings keep that"),
            fit @ Fit::May => (fit.as_str(), "a matter of when in a period the fault begins"),
            fit @ Fit::Misses => (fit.as_str(), "it can not be that quick"),
        },
        Some(Err(_)) | None => ("unknown", "whether it can be that quick is not known"),
    };
    let asked = run.facts.alarms.iter().flat_map(|alarms| &alarms.bounds).filter(|bound| bound.alarm == name);
    let bounds = asked.map(|asked| {
        let (fit, text) = fit(Duration::from_millis(asked.bound_ms));
        let (hypothesis, bound_ms) = (asked.hypothesis.clone(), asked.bound_ms);
        AlarmBound { hypothesis, bound_ms, fit: fit.to_owned(), text: text.to_owned() }
    });
    let bounds = bounds.collect();
    let prediction = predicted.as_ref().map(|predicted| match predicted {
        Ok(detection) => of(detection),
        Err(why) => {
            let text = format!("it can not be said when it fires: {why}");
            AlarmPrediction { earliest_ms: None, latest_ms: None, text, doubts: Vec::new() }
        }
    });
    (prediction, bounds)
}

fn of(detection: &Detection) -> AlarmPrediction {
    AlarmPrediction {
        earliest_ms: Some(elapsed_ms(detection.earliest.0)),
        latest_ms: Some(elapsed_ms(detection.latest.0)),
        text: format!("it can fire {detection}"),
        doubts: detection.doubts.clone(),
    }
}

/// The settings with which an alarm keeps a bound that it does not keep for certain now; none where there are none, or none are needed.
pub(super) fn mended_settings(run: &Run<'_>, name: &str, bound_ms: u64) -> Option<AlarmSettings> {
    let settings = run.alarms.get(name)?.settings()?;
    mended(settings, Duration::from_millis(bound_ms), is_local(run))
}

/// Whether a bound is one that an alarm does not keep for certain, by the word of its fit.
pub(super) fn is_at_risk(bound: &AlarmBound) -> bool {
    [Fit::May, Fit::Misses].iter().any(|fit| fit.as_str() == bound.fit)
}

fn is_local(run: &Run<'_>) -> bool {
    run.facts.alarms.as_ref().is_some_and(|alarms| alarms.is_local)
}

/// The settings of all alarms that were read: composite ones speak of others.
fn known(run: &Run<'_>) -> BTreeMap<String, AlarmSettings> {
    let settings = |name: &str| Some((name.to_owned(), run.alarms.get(name)?.settings()?.clone()));
    run.alarms.names().filter_map(settings).collect()
}
