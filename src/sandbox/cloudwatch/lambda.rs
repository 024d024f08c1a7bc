//! The metrics that Lambda reports of the sandbox's own functions, in the namespace `AWS/Lambda`.
//!
//! Owns: which metric an invocation counts in, under which dimensions. Must not know: how a function is run.
//!
//! As in AWS, each invocation counts for the account (no dimensions), for its function (`FunctionName`), for the version or
//! alias that was named (`FunctionName`, `Resource`), and for an alias also by the version that ran (`ExecutedVersion`).
//! Unlike AWS's, these metrics have a record of each second, and an invocation counts at its end: an alarm with a period of
//! seconds, which a rehearsal wants, would miss a timeout that is booked at its beginning.

use std::collections::BTreeMap;

use super::CloudWatch;
use super::bucket::Bucket;
use super::metrics::{Dimensions, MetricId, Metrics};
use crate::sandbox::function::Outcome;

const NAMESPACE: &str = "AWS/Lambda";
const COUNT: &str = "Count";

/// How many invocations run under each set of dimensions.
pub(super) type InFlight = BTreeMap<Dimensions, u32>;

/// What an invocation's ARN says about its metrics.
#[derive(Debug)]
struct Subject {
    /// From the account's down to the version's or alias's.
    groups: Vec<Dimensions>,
    /// Those of an alias, to which the version that ran is added.
    by_version: Option<Dimensions>,
}

impl Subject {
    fn of(invoked_arn: &str) -> Self {
        let resource = invoked_arn.split_once(":function:").map_or(invoked_arn, |(_, resource)| resource);
        let (function, qualifier) = resource.split_once(':').map_or((resource, None), |(name, q)| (name, Some(q)));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let of_function = Dimensions::from([pair("FunctionName", function)]);
        let of_resource = Dimensions::from([pair("FunctionName", function), pair("Resource", resource)]);
        let is_alias = |qualifier: &str| qualifier != "$LATEST" && qualifier.chars().any(|c| !c.is_ascii_digit());
        let by_version = qualifier.is_some_and(is_alias).then(|| of_resource.clone());
        Self { groups: vec![Dimensions::new(), of_function, of_resource], by_version }
    }
}

fn record(metrics: &mut Metrics, dimensions: &Dimensions, (name, unit): (&str, &str), value: f64, second: i64) {
    let id = MetricId { namespace: NAMESPACE.to_owned(), name: name.to_owned(), dimensions: dimensions.clone() };
    // With too many custom metrics those of Lambda are lost; there is nobody to tell.
    metrics.record(&id, unit, second, Bucket::of(value, 1.0)).ok();
}

/// An invocation under way. Dropped without [`Measured::end`] it counts no longer as concurrent, and in nothing else.
#[derive(Debug)]
pub(in crate::sandbox) struct Measured<'a> {
    cloudwatch: &'a CloudWatch,
    subject: Subject,
}

impl Measured<'_> {
    /// The invocation has ended; `None`: the sandbox stops.
    pub(in crate::sandbox) fn end(self, outcome: Option<&Outcome>) {
        let Some(outcome) = outcome else { return };
        let second = self.cloudwatch.now().timestamp();
        let with_version = self.subject.by_version.clone().map(|mut dimensions| {
            dimensions.insert("ExecutedVersion".to_owned(), outcome.version.to_string());
            dimensions
        });
        let metrics = &mut self.cloudwatch.data().metrics;
        for dimensions in self.subject.groups.iter().chain(&with_version) {
            record(metrics, dimensions, ("Invocations", COUNT), 1.0, second);
            // The zeros are what makes the average of `Errors` a rate.
            record(metrics, dimensions, ("Errors", COUNT), f64::from(u8::from(outcome.failed)), second);
            record(metrics, dimensions, ("Throttles", COUNT), 0.0, second);
            if let Some(duration) = outcome.duration {
                record(metrics, dimensions, ("Duration", "Milliseconds"), duration.as_secs_f64() * 1_000.0, second);
            }
        }
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let mut data = self.cloudwatch.data();
        for dimensions in &self.subject.groups {
            if let Some(count) = data.in_flight.get_mut(dimensions) {
                *count -= 1;
            }
        }
        data.in_flight.retain(|_, count| *count > 0);
    }
}

impl CloudWatch {
    /// An invocation begins that was let in; `invoked_arn` has the qualifier that it named.
    pub(in crate::sandbox) fn begin(&self, invoked_arn: &str) -> Measured<'_> {
        let subject = Subject::of(invoked_arn);
        let second = self.now().timestamp();
        let data = &mut *self.data();
        for dimensions in &subject.groups {
            let count = data.in_flight.entry(dimensions.clone()).or_default();
            *count += 1;
            let count = f64::from(*count);
            record(&mut data.metrics, dimensions, ("ConcurrentExecutions", COUNT), count, second);
        }
        Measured { cloudwatch: self, subject }
    }

    /// An invocation was refused for lack of concurrency; it counts in nothing else, as in AWS.
    pub(in crate::sandbox) fn throttled(&self, invoked_arn: &str) {
        let second = self.now().timestamp();
        let metrics = &mut self.data().metrics;
        for dimensions in &Subject::of(invoked_arn).groups {
            record(metrics, dimensions, ("Throttles", COUNT), 1.0, second);
        }
    }
}

/// Records what runs at this second, so that a long invocation shows in each.
pub(super) fn record_in_flight(metrics: &mut Metrics, in_flight: &InFlight, second: i64) {
    for (dimensions, count) in in_flight {
        record(metrics, dimensions, ("ConcurrentExecutions", COUNT), f64::from(*count), second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dimensions: &Dimensions) -> String {
        let pairs: Vec<String> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(",")
    }

    #[test]
    fn an_invocation_counts_for_account_function_and_resource() {
        let arn = |rest: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{rest}");
        let groups = |rest: &str| Subject::of(&arn(rest)).groups.iter().map(texts).collect::<Vec<_>>();
        assert_eq!(groups("pay"), ["", "FunctionName=pay", "FunctionName=pay,Resource=pay"]);
        assert_eq!(groups("pay:live"), ["", "FunctionName=pay", "FunctionName=pay,Resource=pay:live"]);
        let by_version = |rest: &str| Subject::of(&arn(rest)).by_version.is_some();
        assert!(by_version("pay:live") && by_version("pay:v2"));
        assert!(!by_version("pay") && !by_version("pay:3") && !by_version("pay:$LATEST"));
    }
}
