//! What checks judge by.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::look::{FunctionInScope, Look, Scope};
use super::outcome::{Tally, Why};
use crate::aws::{AlarmReading, ListedFunction};
use crate::plan::{Place, Plan};
use crate::unit::{AlarmSettings, MetricName, alarm_matches};
use crate::workspace::Environment;

/// What checks judge by: the plan, the environment, what files say, and what the account was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) environment: &'a Environment,
    pub(crate) facts: &'a Facts,
    pub(crate) look: &'a Look,
    pub(crate) scope: &'a Scope,
}

impl<'a> Ground<'a> {
    /// Asks about every function that the scenario or the workload names, by what the account tells of it.
    pub(crate) fn each_function(
        &self,
        targets_alone: bool,
        mut ask: impl FnMut(&mut Tally, &'a FunctionInScope, &'a ListedFunction),
    ) -> Tally {
        let mut tally = Tally::default();
        for function in self.scope.functions.values().filter(|it| it.is_target || !targets_alone) {
            match self.function(&function.name) {
                Ok(listed) => ask(&mut tally, function, listed),
                Err(why) => tally.unknown(&why.0),
            }
        }
        tally
    }

    /// What the account tells of a function.
    pub(crate) fn function(&self, name: &str) -> Result<&'a ListedFunction, Why> {
        let list = self.look.functions.as_ref().map_err(Clone::clone)?;
        list.functions.iter().find(|listed| listed.name == name).ok_or_else(|| match list.is_cut {
            true => Why::new(format!("function `{name}` is not among the first {}", list.functions.len())),
            false => Why::new(format!("there is no function `{name}`")),
        })
    }

    /// The alarms that watch a metric whose dimensions include these.
    ///
    /// # Errors
    /// None was found, and not all alarms were read.
    pub(crate) fn alarms_on(
        &self,
        namespace: &str,
        names: &[&str],
        dimensions: &[(&str, &str)],
    ) -> Result<Vec<&'a AlarmReading>, Why> {
        let list = self.look.alarms.as_ref().map_err(Clone::clone)?;
        let is_it = |metric: &MetricName| {
            let has = |(name, value): &(&str, &str)| metric.dimensions.get(*name).is_some_and(|found| found == value);
            metric.namespace == namespace && names.contains(&metric.name.as_str()) && dimensions.iter().all(has)
        };
        let found: Vec<_> = list.alarms.values().filter(|alarm| alarm.settings.metrics().iter().any(is_it)).collect();
        if found.is_empty() && list.is_cut {
            return Err(Why::new(format!("only the first {} alarms were read", list.alarms.len())));
        }
        Ok(found)
    }

    /// The alarms that the scenario names and that must be there: found ones, and the names of those that are not.
    pub(crate) fn expected_alarms(&self) -> Result<(Vec<&'a AlarmReading>, Vec<String>), Why> {
        let Some(planned) = &self.plan.alarms else { return Ok((Vec::new(), Vec::new())) };
        let list = self.look.alarms.as_ref().map_err(Clone::clone)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in planned.names().filter(|name| planned.needs(name)) {
            match list.alarms.get(name) {
                Some(alarm) => found.push(alarm),
                None => missing.push(name.to_owned()),
            }
        }
        Ok((found, missing))
    }

    /// The alarms that watch a function, queue or table of the scenario, and those that it names.
    pub(crate) fn own_alarms(&self) -> Result<Vec<&'a AlarmReading>, Why> {
        let list = self.look.alarms.as_ref().map_err(Clone::clone)?;
        let names: Vec<&str> = self.plan.alarms.iter().flat_map(|alarms| alarms.names()).collect();
        let globs: Vec<&str> = self.plan.alarms.iter().flat_map(|alarms| alarms.globs()).collect();
        let is_own = |alarm: &&AlarmReading| {
            names.contains(&alarm.name.as_str())
                || globs.iter().any(|glob| alarm_matches(glob, &alarm.name))
                || alarm.settings.metrics().iter().any(|metric| self.scope.has(metric))
        };
        let mut own: Vec<_> = list.alarms.values().filter(is_own).collect();
        // People are called by the composite alarm, as a rule.
        let children: Vec<String> = own.iter().map(|alarm| alarm.name.clone()).collect();
        let is_parent = |alarm: &&AlarmReading| {
            alarm.settings.children().iter().any(|child| children.contains(child)) && !children.contains(&alarm.name)
        };
        own.extend(list.alarms.values().filter(is_parent));
        Ok(own)
    }

    /// The settings of all alarms, by name.
    pub(crate) fn settings(&self) -> BTreeMap<String, AlarmSettings> {
        let alarms = self.look.alarms.iter().flat_map(|list| list.alarms.values());
        alarms.map(|alarm| (alarm.name.clone(), alarm.settings.clone())).collect()
    }

    /// The ARN of a function: what the account tells, else what it must be.
    pub(crate) fn function_arn(&self, name: &str) -> String {
        if let Ok(listed) = self.function(name)
            && !listed.arn.is_empty()
        {
            return listed.arn.clone();
        }
        self.account().map(|account| Place::new(&self.look.region, &account).function(name)).unwrap_or_default()
    }

    /// The ARNs of what the scenario works on and that can carry tags, each with its name in words.
    pub(crate) fn target_arns(&self) -> Vec<(String, String)> {
        let functions = self.scope.targets().map(|it| (format!("function `{}`", it.name), self.function_arn(&it.name)));
        let place = self.account().map(|account| Place::new(&self.look.region, &account));
        let of = |what: &str, name: &String, arn: &dyn Fn(&Place, &str) -> String| {
            (format!("{what} `{name}`"), place.as_ref().map(|place| arn(place, name)).unwrap_or_default())
        };
        let queues = self.scope.queues.iter().map(|name| of("queue", name, &Place::queue));
        let tables = self.scope.tables.iter().map(|name| of("table", name, &Place::table));
        let topics = self.scope.topics.iter().map(|name| of("topic", name, &Place::topic));
        let streams = self.scope.streams.iter().map(|name| of("stream", name, &Place::stream));
        functions.chain(queues).chain(tables).chain(topics).chain(streams).collect()
    }

    /// The account: that of the environment, else that of a function's ARN.
    fn account(&self) -> Option<String> {
        let bound = self.plan.environment.kind.account().map(str::to_owned);
        bound.or_else(|| {
            let functions = self.look.functions.iter().flat_map(|list| &list.functions);
            let mut arns = functions.map(|function| function.arn.split(':').nth(4).unwrap_or_default());
            arns.find(|account| !account.is_empty()).map(str::to_owned)
        })
    }

    /// Tags of something by its ARN.
    pub(crate) fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, Why> {
        let list = self.look.tags.as_ref().map_err(Clone::clone)?;
        match list.tags.get(arn) {
            Some(tags) => Ok(tags.clone()),
            None if arn.is_empty() => Err(Why::new("its ARN is not known")),
            None if list.is_cut => {
                Err(Why::new(format!("only the tags of the first {} things were read", list.tags.len())))
            }
            None => Ok(BTreeMap::new()),
        }
    }
}
