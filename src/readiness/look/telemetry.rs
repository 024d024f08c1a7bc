//! Log groups with a sample of each, traces, canaries.

use chrono::TimeDelta;

use super::super::outcome::Why;
use super::{Look, Subject, TARGETS_MAX};
use crate::observe::filter_expression;

/// What the log groups of functions begin with, unless a function names its own.
const GROUP_PREFIX: &str = "/aws/lambda/";
/// How many groups are asked for that begin otherwise.
const OWN_GROUPS_MAX: usize = 10;
/// From how far back a sample of a log is.
const SAMPLE: TimeDelta = TimeDelta::hours(1);
/// How many lines of a sample are kept.
const LINES_MAX: usize = 200;
/// How many characters of a line are kept.
const LINE_CHARACTERS_MAX: usize = 2_000;
/// From how far back traces are counted.
const TRACES: TimeDelta = TimeDelta::minutes(5);

impl Subject<'_> {
    pub(super) async fn ask_telemetry(&self, look: &mut Look) {
        let aws = &self.survey.aws;
        let functions: Vec<String> = self.scope.functions.keys().cloned().collect();
        // Of more functions than one expression takes all traces of the account are counted.
        let filter = filter_expression(&functions);
        let (canaries, destination, traces) = tokio::join!(
            self.asker.ask(aws.synthetics.last_runs()),
            self.asker.ask(aws.xray.destination()),
            self.asker.ask(aws.xray.summaries((self.now - TRACES, self.now), filter.as_deref())),
        );
        look.canaries = canaries;
        look.destination = destination;
        look.traces = traces.map(|list| list.traces.len());
        self.ask_groups(look).await;
        self.ask_samples(look).await;
    }

    async fn ask_groups(&self, look: &mut Look) {
        let logs = &self.survey.aws.logs;
        look.log_groups = self.asker.ask(logs.groups(GROUP_PREFIX)).await;
        let functions = look.functions.iter().flat_map(|list| &list.functions);
        let own = functions.filter(|it| self.scope.functions.contains_key(&it.name));
        let own = own.map(|function| function.log_group.clone()).filter(|name| !name.starts_with(GROUP_PREFIX));
        let own: std::collections::BTreeSet<String> = own.collect();
        let named =
            self.asker.each(own.into_iter().take(OWN_GROUPS_MAX), |name| async move { logs.groups(&name).await }).await;
        let Ok(list) = &mut look.log_groups else { return };
        for (name, found) in named {
            match found {
                Ok(found) => list.groups.extend(found.groups.into_iter().filter(|group| group.name == name)),
                Err(why) => {
                    look.log_groups = Err(why);
                    return;
                }
            }
        }
    }

    async fn ask_samples(&self, look: &mut Look) {
        let logs = &self.survey.aws.logs;
        let group = |name: &str| {
            let functions = look.functions.iter().flat_map(|list| &list.functions);
            functions.into_iter().find(|function| function.name == name).map(|function| function.log_group.clone())
        };
        let groups: Vec<String> = self.scope.targets().filter_map(|function| group(&function.name)).collect();
        let (window, count) = ((self.now - SAMPLE, self.now), groups.len());
        let told = self
            .asker
            .each(groups.iter().take(TARGETS_MAX).cloned(), |group| async move {
                let page = logs.page(&group, None, window, None).await?;
                let cut = |text: String| text.chars().take(LINE_CHARACTERS_MAX).collect::<String>();
                let lines = page.rows.into_iter().take(LINES_MAX).map(|row| cut(row.message));
                Ok::<_, crate::aws::AwsError>(lines.collect::<Vec<String>>())
            })
            .await;
        look.samples = told.into_iter().collect();
        if count > TARGETS_MAX {
            let why = Why::new(format!("only the logs of {TARGETS_MAX} targets are sampled"));
            look.samples.extend(groups.into_iter().skip(TARGETS_MAX).map(|group| (group, Err(why.clone()))));
        }
    }
}
