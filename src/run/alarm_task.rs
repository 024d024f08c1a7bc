//! The alarms of a run: looked for before anything may change, and read again and again while it lasts.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::aws::{AlarmQuery, AlarmReading, Aws, AwsError, CloudWatch};
use crate::event::EventKind;
use crate::observe::{ALARMS_MAX, AlarmChange, AlarmPoll, AlarmWatch, alarm_interval};
use crate::plan::{ALARM_CALLS, AlarmPlan, EnvironmentKind, Plan};
use crate::unit::{AlarmState, Clock, alarm_matches, elapsed_ms};

/// Why a run does not begin: what it means to see could not be seen.
#[derive(Debug, thiserror::Error)]
pub enum AlarmsNotReady {
    /// The call failed.
    #[error("failed to read the alarms that the scenario names, which needs `{}`", ALARM_CALLS.join("`, `"))]
    Unread(#[source] Box<AwsError>),
    /// There are no such alarms.
    #[error("environment `{environment}` has no alarm {}; {remedy}", .missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    Missing {
        /// The environment.
        environment: String,
        /// Names, and patterns that no name fits.
        missing: Vec<String>,
        /// What to do.
        remedy: &'static str,
    },
    /// More than are read.
    #[error("the scenario names more than {ALARMS_MAX} alarms (`{pattern}`); write patterns that fit fewer names")]
    TooMany {
        /// The pattern that is too wide, or the last one.
        pattern: String,
    },
}

/// What comes of reading alarms.
#[derive(Debug)]
pub(super) enum AlarmNews {
    /// Something that the log is to have.
    Told(Box<EventKind>),
    /// A poll that began at `asked_ms` came back; what it said was told before.
    Read { asked_ms: u64 },
}

/// The alarms of a run, ready to be read.
#[derive(Debug)]
pub(super) struct Alarms {
    watch: AlarmWatch,
    cloudwatch: CloudWatch,
    interval: Duration,
}

impl Alarms {
    /// Looks for the alarms that a plan names, and says what was found in one line each. None where it names none.
    pub(super) async fn look(
        plan: &Plan,
        aws: &Aws,
        clock: Clock,
        checks: &mut Vec<String>,
    ) -> Result<Option<Self>, AlarmsNotReady> {
        let Some(alarms) = &plan.alarms else { return Ok(None) };
        let unread = |error| AlarmsNotReady::Unread(Box::new(error));
        let mut names: BTreeSet<String> = alarms.names().map(str::to_owned).collect();
        let mut missing = Vec::new();
        for pattern in alarms.globs() {
            let fitting = fitting(&aws.cloudwatch, pattern).await?;
            if fitting.is_empty() {
                missing.push(pattern.to_owned());
            }
            names.extend(fitting);
            if names.len() > ALARMS_MAX {
                return Err(AlarmsNotReady::TooMany { pattern: pattern.to_owned() });
            }
        }
        let asked: Vec<String> = names.iter().cloned().collect();
        let poll = AlarmWatch::poll(&aws.cloudwatch, &asked).await.map_err(unread)?;
        missing.extend(asked.into_iter().filter(|name| alarms.needs(name) && !poll.named.alarms.contains_key(name)));
        let is_sandbox = plan.environment.kind == EnvironmentKind::Sandbox;
        if !missing.is_empty() {
            let remedy = match is_sandbox {
                true => "define it under the environment's `alarms` in gameday.yaml, or take it out of the scenario",
                false => "make it, or take it out of the scenario",
            };
            return Err(AlarmsNotReady::Missing { environment: plan.environment.name.clone(), missing, remedy });
        }
        checks.extend(lines(alarms, &names, &poll));
        Ok(Some(Self {
            watch: AlarmWatch::new(names, poll, clock.origin()),
            cloudwatch: aws.alarm_poll(),
            interval: alarm_interval(plan.environment.kind.is_local()),
        }))
    }

    /// What was read before the first phase.
    pub(super) fn found(&self) -> impl Iterator<Item = EventKind> {
        self.watch.readings().map(found)
    }

    /// Reads until the receiver is gone. A poll that fails says so once; the next one is its retry.
    pub(super) async fn watch(mut self, clock: Clock, news: mpsc::UnboundedSender<AlarmNews>) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let now_ms = || elapsed_ms(clock.elapsed());
        let (mut read_ms, mut is_unread) = (now_ms(), false);
        loop {
            ticks.tick().await;
            let asked_ms = now_ms();
            let told = match AlarmWatch::poll(&self.cloudwatch, &self.watch.names()).await {
                Ok(poll) => {
                    let changes = self.watch.take(poll);
                    let told = changes.into_iter().map(|change| event(change, read_ms, now_ms(), clock));
                    let reread = std::mem::take(&mut is_unread).then_some(EventKind::AlarmsReread);
                    let told = told.chain(reread).map(|kind| AlarmNews::Told(Box::new(kind)));
                    let told = told.chain([AlarmNews::Read { asked_ms }]).collect::<Vec<AlarmNews>>();
                    read_ms = asked_ms;
                    told
                }
                Err(error) => {
                    self.watch.missed();
                    let is_news = !std::mem::replace(&mut is_unread, true);
                    let unread = || {
                        AlarmNews::Told(Box::new(EventKind::AlarmsUnread { since_ms: read_ms, why: error.to_string() }))
                    };
                    is_news.then(unread).into_iter().collect()
                }
            };
            if news.is_closed() || told.into_iter().any(|told| news.send(told).is_err()) {
                return;
            }
        }
    }
}

/// The names that fit a pattern with a `*`.
async fn fitting(cloudwatch: &CloudWatch, pattern: &str) -> Result<Vec<String>, AlarmsNotReady> {
    let prefix = pattern.split('*').next().unwrap_or_default();
    let list = cloudwatch.alarms(&AlarmQuery::Prefix(prefix)).await;
    let list = list.map_err(|error| AlarmsNotReady::Unread(Box::new(error)))?;
    if list.is_cut {
        return Err(AlarmsNotReady::TooMany { pattern: pattern.to_owned() });
    }
    Ok(list.alarms.into_keys().filter(|name| alarm_matches(pattern, name)).collect())
}

fn lines(alarms: &AlarmPlan, names: &BTreeSet<String>, poll: &AlarmPoll) -> Vec<String> {
    let mut lines = Vec::new();
    for name in names {
        let Some(alarm) = poll.named.alarms.get(name) else {
            lines.push(format!("the tolerated alarm {name} is not there"));
            continue;
        };
        let is_expected = alarms.expected.iter().chain(&alarms.detected).any(|expected| expected.as_str() == name);
        let note = match (alarm.state, is_expected, alarm.settings.actions_enabled) {
            (AlarmState::Alarm, true, _) => ", so that it can not show that a fault is detected",
            (AlarmState::Alarm | AlarmState::Ok | AlarmState::InsufficientData, _, false) => ", its actions disabled",
            (AlarmState::Alarm, false, true) | (AlarmState::Ok | AlarmState::InsufficientData, _, true) => "",
        };
        lines.push(format!("alarm {name} is there, {}{note}", alarm.state));
    }
    if poll.in_alarm.is_cut {
        lines.push("more alarms are in ALARM than are read: not every unexpected one will be seen".to_owned());
    }
    lines
}

fn found(alarm: &AlarmReading) -> EventKind {
    EventKind::AlarmFound {
        alarm: alarm.name.clone(),
        state: alarm.state,
        transitioned_at: alarm.transitioned_at,
        actions_enabled: alarm.settings.actions_enabled,
        looks_back_ms: alarm.settings.looks_back().map(elapsed_ms),
        settings: Some(Box::new(alarm.settings.clone())),
    }
}

/// A change as the log has it. `read_ms` is when alarms were last read before.
fn event(change: AlarmChange, read_ms: u64, now_ms: u64, clock: Clock) -> EventKind {
    match change {
        AlarmChange::Found(alarm) => found(&alarm),
        AlarmChange::Unseen(alarm) => {
            EventKind::AlarmUnseen { alarm: alarm.name, state: alarm.state, from_ms: read_ms }
        }
        AlarmChange::Lost(alarm) => EventKind::AlarmLost { alarm, from_ms: read_ms },
        AlarmChange::Transitioned { alarm, from, is_unseen } => {
            let since_start = alarm.transitioned_at.signed_duration_since(clock.origin()).num_milliseconds();
            // AWS's clock may be a little ahead of ours, and nothing is known of what is to come.
            let at_ms = u64::try_from(since_start).unwrap_or(0).min(now_ms);
            EventKind::AlarmTransitioned {
                alarm: alarm.name,
                from,
                to: alarm.state,
                at_ms,
                transitioned_at: alarm.transitioned_at,
                is_exact: alarm.is_exact,
                reason: alarm.reason,
                unseen_from_ms: is_unseen.then_some(read_ms.min(at_ms)),
            }
        }
    }
}
