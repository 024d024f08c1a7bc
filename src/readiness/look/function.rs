//! Functions, what feeds them, and queues.

use std::collections::BTreeSet;

use super::super::outcome::Why;
use super::{Look, Subject, TARGETS_MAX};

impl Subject<'_> {
    pub(super) async fn ask_functions(&self, look: &mut Look) {
        let lambda = &self.survey.aws.lambda;
        let (sources, limit) =
            tokio::join!(self.asker.ask(lambda.all_event_sources()), self.asker.ask(lambda.concurrency_limit()),);
        look.sources = sources;
        look.limit = limit;
        let targets = || self.scope.targets().take(TARGETS_MAX);
        let aliased = targets().map(|function| (function.name.clone(), function.alias.clone()));
        let told = self
            .asker
            .each(aliased, |(name, alias)| async move { lambda.invoke_configuration(&name, alias.as_deref()).await })
            .await;
        look.invoke = told.into_iter().map(|((name, _), told)| (name, told)).collect();
        let names = targets().map(|function| function.name.clone());
        let told = self
            .asker
            .each(names, |name| async move {
                let aliases = lambda.aliases(&name).await?;
                Ok::<_, crate::aws::AwsError>((aliases, lambda.versions(&name).await?.len()))
            })
            .await;
        look.versions = told.into_iter().collect();
        for function in self.scope.targets().skip(TARGETS_MAX) {
            let why = Why::new(format!("only {TARGETS_MAX} targets are asked for that"));
            look.invoke.insert(function.name.clone(), Err(why.clone()));
            look.versions.insert(function.name.clone(), Err(why));
        }
        self.ask_queues(look).await;
    }

    /// The scenario's queues, and those in front of functions.
    async fn ask_queues(&self, look: &mut Look) {
        let mut names: BTreeSet<String> = self.scope.queues.clone();
        let sources = look.sources.iter().flat_map(|list| &list.sources);
        let fed = sources.filter(|source| self.feeds_scope(&source.function_arn));
        names.extend(fed.filter_map(|source| queue_name(&source.source_arn)));
        let (asked, rest): (Vec<_>, Vec<_>) =
            names.into_iter().enumerate().partition(|(index, _)| *index < TARGETS_MAX);
        let sqs = &self.survey.aws.sqs;
        let asked = asked.into_iter().map(|(_, name)| name);
        let told = self.asker.each(asked, |name| async move { sqs.settings(&sqs.queue_url(&name).await?).await }).await;
        look.queues = told.into_iter().collect();
        let why = Why::new(format!("only {TARGETS_MAX} queues are asked for that"));
        look.queues.extend(rest.into_iter().map(|(_, name)| (name, Err(why.clone()))));
    }

    fn feeds_scope(&self, function_arn: &str) -> bool {
        function_name(function_arn).is_some_and(|name| self.scope.functions.contains_key(name))
    }
}

/// `arn:aws:lambda:eu-west-1:111122223333:function:orders:live` is of `orders`.
pub(crate) fn function_name(arn: &str) -> Option<&str> {
    arn.split_once(":function:").and_then(|(_, rest)| rest.split(':').next()).filter(|name| !name.is_empty())
}

/// The queue of an ARN; none where it is of something else.
pub(crate) fn queue_name(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "sqs", _, _, name] => Some((*name).to_owned()),
        _ => None,
    }
}
