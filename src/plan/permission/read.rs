//! What `gameday readiness` asks of an account. All of it reads; a run in an account makes the calls of the checks that weigh most, too.

use std::collections::BTreeSet;

use super::grant::Grant;
use super::policy::Policy;

/// The actions, by name. They are for lists of the whole account, most of which AWS permits on `*` alone.
pub const READINESS_CALLS: &[&str] = &[
    "cloudformation:ListStacks",
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetAlarmMuteRule",
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListAlarmMuteRules",
    "cloudwatch:ListDashboards",
    "fis:GetSafetyLever",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "lambda:GetAccountSettings",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:ListAliases",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "lambda:ListVersionsByFunction",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "sns:ListSubscriptionsByTopic",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "synthetics:DescribeCanariesLastRun",
    "tag:GetResources",
    "xray:GetTraceSegmentDestination",
    "xray:GetTraceSummaries",
];

/// The policy that permits them, and nothing that changes anything.
pub(super) fn policy() -> Policy {
    let everything = Grant { resource: "*".to_owned(), condition: None };
    let needs: BTreeSet<_> = READINESS_CALLS.iter().map(|call| (*call, everything.clone())).collect();
    Policy { needs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_only_reads() {
        assert!(READINESS_CALLS.is_sorted());
        let reads = ["Describe", "Get", "List", "Filter", "Simulate"];
        for call in READINESS_CALLS {
            let (_, name) = call.split_once(':').unwrap();
            assert!(reads.iter().any(|start| name.starts_with(start)), "{call}");
        }
    }
}
