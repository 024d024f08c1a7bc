//! Alarms, whom they tell, what keeps them silent, and what became of them.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{Depth, Look, Subject};
use crate::aws::AlarmQuery;

/// How far back the history of an alarm is asked for. AWS keeps it for 30 days at least.
pub(crate) const HISTORY_DAYS: i64 = 90;
/// How many alarms' histories are asked for.
const HISTORIES_MAX: usize = 20;
/// How many topics' subscriptions are asked for.
const TOPICS_MAX: usize = 20;
/// How many dashboards are read.
const DASHBOARDS_MAX: usize = 10;

impl Subject<'_> {
    pub(super) async fn ask_alarms(&self, look: &mut Look) {
        let cloudwatch = &self.survey.aws.cloudwatch;
        let (alarms, mutes) =
            tokio::join!(self.asker.ask(cloudwatch.alarms(&AlarmQuery::All)), self.asker.ask(cloudwatch.mute_rules()),);
        look.alarms = alarms;
        look.mutes = mutes;
        self.ask_named(look).await;
        let topics = self.topics(look);
        let sns = &self.survey.aws.sns;
        let told = self.asker.each(topics, |arn| async move { sns.subscriptions(&arn).await }).await;
        look.subscriptions = told.into_iter().collect();
        if self.depth == Depth::All {
            self.ask_history(look).await;
            self.ask_dashboards(look).await;
        }
    }

    /// Alarms that the scenario names are never cut off.
    async fn ask_named(&self, look: &mut Look) {
        let Ok(list) = &mut look.alarms else { return };
        let planned = self.plan.alarms.iter().flat_map(|alarms| alarms.names());
        let names: Vec<String> = planned.filter(|name| !list.alarms.contains_key(*name)).map(str::to_owned).collect();
        if !list.is_cut || names.is_empty() {
            return;
        }
        match self.asker.ask(self.survey.aws.cloudwatch.alarms(&AlarmQuery::Names(&names))).await {
            Ok(named) => list.alarms.extend(named.alarms),
            Err(why) => look.alarms = Err(why),
        }
    }

    /// The topics that the alarms tell: of those that the scenario names first.
    fn topics(&self, look: &Look) -> Vec<String> {
        let planned: BTreeSet<&str> = self.plan.alarms.iter().flat_map(|alarms| alarms.names()).collect();
        let alarms = look.alarms.iter().flat_map(|list| list.alarms.values());
        let mut own: Vec<_> = alarms
            .filter(|alarm| {
                let is_own = alarm.settings.metrics().iter().any(|metric| self.scope.has(metric));
                is_own || planned.contains(alarm.name.as_str()) || !alarm.settings.children().is_empty()
            })
            .collect();
        own.sort_by_key(|alarm| !planned.contains(alarm.name.as_str()));
        let mut topics: Vec<String> = Vec::new();
        for arn in own.iter().flat_map(|alarm| &alarm.settings.actions).filter(|arn| is_topic(arn)) {
            if topics.len() < TOPICS_MAX && !topics.contains(arn) {
                topics.push(arn.clone());
            }
        }
        topics
    }

    async fn ask_history(&self, look: &mut Look) {
        let Some(planned) = &self.plan.alarms else { return };
        let known = |name: &&str| look.alarms.as_ref().is_ok_and(|list| list.alarms.contains_key(*name));
        let names = planned.names().filter(|name| planned.needs(name)).filter(known);
        let names: Vec<String> = names.take(HISTORIES_MAX).map(str::to_owned).collect();
        let (cloudwatch, window) = (&self.survey.aws.cloudwatch, (self.now - TimeDelta::days(HISTORY_DAYS), self.now));
        let told = self.asker.each(names, |name| async move { cloudwatch.alarm_history(&name, window).await }).await;
        look.history = told.into_iter().collect();
    }

    async fn ask_dashboards(&self, look: &mut Look) {
        let cloudwatch = &self.survey.aws.cloudwatch;
        let list = match self.asker.ask(cloudwatch.dashboards()).await {
            Ok(list) => list,
            Err(why) => {
                look.dashboards = Err(why);
                return;
            }
        };
        let is_cut = list.is_cut || list.names.len() > DASHBOARDS_MAX;
        let names = list.names.into_iter().take(DASHBOARDS_MAX);
        let bodies = self.asker.each(names, |name| async move { cloudwatch.dashboard(&name).await }).await;
        let bodies: Result<_, _> = bodies.into_iter().map(|(name, body)| body.map(|body| (name, body))).collect();
        look.dashboards = bodies.map(|bodies| (bodies, is_cut));
    }
}

/// Whether an action is to tell a topic.
pub(crate) fn is_topic(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("sns")
}
