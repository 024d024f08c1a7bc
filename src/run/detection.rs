//! When the alarms that hypotheses speak of can fire at all: told before a run, from their settings. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::place::{Place, PlaceError};
use crate::aws::{AlarmQuery, AwsError};
use crate::observe::{Detection, predict};
use crate::plan::{DetectionBound, Plan};
use crate::unit::{AlarmSettings, Failpoints, error_chain, format_duration};
use crate::workspace::{Environment, EnvironmentKind};

/// How long an environment may take to tell the settings of alarms: a plan is no run.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// What is known before a run of how soon an alarm can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedDetection {
    /// Which alarm, and how soon it has to tell.
    pub bound: DetectionBound,
    /// When it can fire, or why that is not known.
    pub detection: Result<Detection, String>,
}

/// Why the settings of alarms are not known.
#[derive(Debug, thiserror::Error)]
enum SettingsError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Call(#[from] AwsError),
    #[error("no answer in {}", format_duration(ANSWER_WAIT))]
    Late,
}

/// Predicts every detection that a plan's hypotheses bound. A sandbox's alarms stand in a file; an endpoint and an account are asked
/// by `cloudwatch:DescribeAlarms`, once, and only where there is something to predict and `may_ask` says so.
pub async fn detections(plan: &Plan, environment: &Environment, may_ask: bool) -> Vec<PredictedDetection> {
    let bounds = plan.detection_bounds();
    if bounds.is_empty() {
        return Vec::new();
    }
    let known = match environment.kind() {
        EnvironmentKind::Sandbox(spec) => {
            Ok(spec.alarms.iter().map(|(name, alarm)| (name.clone(), alarm.settings())).collect())
        }
        EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) if !may_ask => Err("nobody was asked".to_owned()),
        EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) => {
            let names: BTreeSet<String> = bounds.iter().map(|bound| bound.alarm.to_string()).collect();
            let asked = tokio::time::timeout(ANSWER_WAIT, ask(plan, names)).await;
            asked.unwrap_or(Err(SettingsError::Late)).map_err(|error| error_chain(&error))
        }
    };
    let is_local = plan.environment.kind.is_local();
    let of = |bound: DetectionBound| {
        let detection = detection(bound.alarm.as_str(), &known, is_local);
        PredictedDetection { bound, detection }
    };
    bounds.into_iter().map(of).collect()
}

fn detection(
    alarm: &str,
    known: &Result<BTreeMap<String, AlarmSettings>, String>,
    is_local: bool,
) -> Result<Detection, String> {
    let known = known.as_ref().map_err(Clone::clone)?;
    let settings = known.get(alarm).ok_or("there is no such alarm")?;
    predict(settings, known, is_local).map_err(|why| why.to_string())
}

/// The settings of alarms by name, with those of the alarms that composite ones name.
async fn ask(plan: &Plan, names: BTreeSet<String>) -> Result<BTreeMap<String, AlarmSettings>, SettingsError> {
    let place = Place::connect(&plan.environment, None, "gameday-plan", &Failpoints::default()).await?;
    if let Some(guard) = &place.account {
        guard.check(&place.aws).await.map_err(PlaceError::from)?;
    }
    let cloudwatch = place.aws.alarm_poll();
    let mut known = BTreeMap::new();
    let mut asked: Vec<String> = names.into_iter().collect();
    // The alarms themselves, and then those that their rules name.
    for _ in 0..2 {
        let found = cloudwatch.alarms(&AlarmQuery::Names(&asked)).await?;
        let found = found.alarms.into_iter().map(|(name, alarm)| (name, alarm.settings));
        let found: BTreeMap<String, AlarmSettings> = found.collect();
        asked = found.values().flat_map(AlarmSettings::children).filter(|name| !known.contains_key(name)).collect();
        known.extend(found);
        if asked.is_empty() {
            break;
        }
    }
    Ok(known)
}
