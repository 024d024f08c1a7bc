//! What of an account is looked at: what the scenario works on, and the functions that the workload names.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::AwsResource;
use crate::plan::{Plan, TargetPlan};
use crate::unit::{ComponentId, MetricName};
use crate::workspace::Workload;

/// A function that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionInScope {
    /// Its name.
    pub(crate) name: String,
    /// Whether the scenario works on it; otherwise the workload alone names it.
    pub(crate) is_target: bool,
    /// The alias through which its traffic comes, where that is said.
    pub(crate) alias: Option<String>,
    /// The component that it is.
    pub(crate) component: Option<ComponentId>,
}

/// What is looked at, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub(crate) functions: BTreeMap<String, FunctionInScope>,
    pub(crate) queues: BTreeSet<String>,
    pub(crate) tables: BTreeSet<String>,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) streams: BTreeSet<String>,
}

impl Scope {
    /// What a plan works on, and what the workload names beside it.
    #[must_use]
    pub fn of(plan: &Plan, workload: Option<&Workload>) -> Self {
        let mut scope = Self::default();
        for target in plan.targets.values() {
            match target {
                TargetPlan::Lambda { function, alias, .. } => {
                    let (name, alias) = (function.clone(), alias.clone());
                    let found = scope.functions.entry(name.clone());
                    let found =
                        found.or_insert(FunctionInScope { name, is_target: true, alias: None, component: None });
                    found.alias = found.alias.take().or(alias);
                }
                TargetPlan::Resource(resource) => scope.add(resource),
                TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => {}
            }
        }
        for (id, component) in workload.iter().flat_map(|workload| &workload.components) {
            let Some(lambda) = &component.lambda else { continue };
            let name = lambda.function.clone();
            let found = scope.functions.entry(name.clone());
            let found = found.or_insert(FunctionInScope { name, is_target: false, alias: None, component: None });
            found.alias = found.alias.take().or(lambda.alias.clone());
            found.component = Some(id.clone());
        }
        scope
    }

    fn add(&mut self, resource: &AwsResource) {
        let (names, name) = match resource {
            AwsResource::Queue(name) => (&mut self.queues, name),
            AwsResource::Table(name) => (&mut self.tables, name),
            AwsResource::Topic(name) => (&mut self.topics, name),
            AwsResource::Stream(name) => (&mut self.streams, name),
            AwsResource::Role(_)
            | AwsResource::Rule { .. }
            | AwsResource::Parameter(_)
            | AwsResource::Bus(_)
            | AwsResource::Other(_) => return,
        };
        names.insert(name.clone());
    }

    /// The functions that the scenario works on.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &FunctionInScope> {
        self.functions.values().filter(|function| function.is_target)
    }

    /// Whether a metric is one of something in it.
    pub(crate) fn has(&self, metric: &MetricName) -> bool {
        let is_in = |(name, value): (&String, &String)| match name.as_str() {
            "FunctionName" => self.functions.contains_key(value),
            "QueueName" => self.queues.contains(value),
            "TableName" => self.tables.contains(value),
            "TopicName" => self.topics.contains(value),
            "StreamName" => self.streams.contains(value),
            _ => false,
        };
        metric.dimensions.iter().any(is_in)
    }
}
