//! A CloudFormation template: EventBridge Scheduler starts a CodeBuild project, which runs the scenario.
//!
//! AWS: a cron expression has six fields, weekdays count from 1 (Sunday), one of day and weekday is `?`, and only one `#`, `L` or `W`
//! may stand in a field (EventBridge Scheduler User Guide, "Schedule types").

use serde_json::{Value, json};

use super::pattern::{Fields, list, plain};
use super::{ExportError, Job};

const FORMAT: &str = "EventBridge Scheduler";

/// The template, as YAML.
///
/// # Errors
/// A pattern that AWS can not express exactly.
pub fn template(job: &Job<'_>) -> Result<String, ExportError> {
    let expression = expression(job)?;
    let id = job.id();
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Starts the game day scenario {id}"),
        "Parameters": {
            "Repository": {"Type": "String", "Description": "HTTPS address of the Git repository with the workspace"},
            "Install": {"Type": "String", "Description": "Command that installs gameday into the build's image"},
            "RunPolicyArn": {
                "Type": "String",
                "Description": "Managed policy of what the run may do: gameday plan --iam prints it"
            },
        },
        "Resources": {
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "Delete",
                "UpdateReplacePolicy": "Delete",
                "Properties": {"RetentionInDays": 90}
            },
            "RunRole": run_role(),
            "Run": project(job),
            "StartRole": start_role(),
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {
                "ScheduleExpression": expression,
                "ScheduleExpressionTimezone": job.entry.recurrence.zone.name(),
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": {"Fn::Sub": "arn:${AWS::Partition}:scheduler:::aws-sdk:codebuild:startBuild"},
                    "RoleArn": {"Fn::GetAtt": ["StartRole", "Arn"]},
                    "Input": {"Fn::Sub": "{\"ProjectName\":\"${Run}\"}"},
                    "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
                },
            }},
        },
    });
    Ok(job.to_yaml(&template))
}

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }]})
}

/// What the build may do: write its log, and what the run's own policy says.
fn run_role() -> Value {
    json!({"Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": trust("codebuild.amazonaws.com"),
        "ManagedPolicyArns": [{"Ref": "RunPolicyArn"}],
        "Policies": [{"PolicyName": "logs", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["Logs", "Arn"]},
        }]}}],
    }})
}

fn start_role() -> Value {
    json!({"Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": trust("scheduler.amazonaws.com"),
        "Policies": [{"PolicyName": "start", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Action": "codebuild:StartBuild",
            "Resource": {"Fn::GetAtt": ["Run", "Arn"]},
        }]}}],
    }})
}

fn project(job: &Job<'_>) -> Value {
    let buildspec = json!({
        "version": "0.2",
        "phases": {
            "install": {"commands": ["eval \"$INSTALL\""]},
            "build": {"commands": [job.command()]},
        },
    });
    json!({"Type": "AWS::CodeBuild::Project", "Properties": {
        "Description": format!("Runs the game day scenario {}", job.id()),
        "ServiceRole": {"Fn::GetAtt": ["RunRole", "Arn"]},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "ConcurrentBuildLimit": 1,
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "EnvironmentVariables": [{"Name": "INSTALL", "Value": {"Ref": "Install"}}],
        },
        "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "Logs"}}},
        "Source": {
            "Type": "GITHUB",
            "Location": {"Ref": "Repository"},
            "BuildSpec": serde_yaml::to_string(&buildspec).expect("invariant: JSON values are YAML"),
        },
    }})
}

fn expression(job: &Job<'_>) -> Result<String, ExportError> {
    let fields = Fields::of(&job.entry.recurrence.cron);
    let (day, weekday) = days(&fields).map_err(|why| job.refuse(FORMAT, why))?;
    let (minutes, hours, months) = (list(&fields.minutes, 60), list(&fields.hours, 24), list(&fields.months, 12));
    Ok(format!("cron({minutes} {hours} {day} {months} {weekday} *)"))
}

fn days(fields: &Fields) -> Result<(String, String), &'static str> {
    let Fields { days, weekdays, .. } = fields;
    if !days.is_any && !weekdays.is_any {
        return Err("it takes a day of the month or a weekday, and not both; write two scenarios, or one of the two");
    }
    let from_one = |day: &u16| (day + 1).to_string();
    match (weekdays.values.as_slice(), weekdays.nth.as_slice(), weekdays.last.as_slice()) {
        _ if weekdays.is_any => {}
        ([], [(day, nth)], []) => return Ok(("?".to_owned(), format!("{}#{nth}", from_one(day)))),
        ([], [], [day]) => return Ok(("?".to_owned(), format!("{}L", from_one(day)))),
        (values, [], []) if !values.is_empty() => {
            return Ok(("?".to_owned(), values.iter().map(from_one).collect::<Vec<_>>().join(",")));
        }
        _ => return Err("it takes one `#` or `L` and no other weekday beside it; write a scenario for each"),
    }
    match (days.values.as_slice(), days.has_last, days.has_nearest) {
        _ if days.is_any => Ok(("*".to_owned(), "?".to_owned())),
        ([], true, false) => Ok(("L".to_owned(), "?".to_owned())),
        (values, false, false) => Ok((plain(values), "?".to_owned())),
        _ => Err("`W`, and `L` beside other days, are not translated; name the days"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::now;
    use super::*;
    use crate::scenario::Mode;
    use crate::schedule::testing::{entry, staging};

    fn of(cron: &str) -> Result<String, String> {
        let mut entry = entry("a", &format!("{{cron: '{cron}'}}"));
        entry.scenario.mode = Mode::Regression;
        expression(&Job::of(&entry, &staging(), now()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_are_translated_exactly_or_refused() {
        for (cron, expected) in [
            ("0 10 * * TUE#2", "cron(0 10 ? * 3#2 *)"),
            ("0 10 * * SUN#L", "cron(0 10 ? * 1L *)"),
            ("*/15 8-10 * * MON-FRI", "cron(0,15,30,45 8,9,10 ? * 2,3,4,5,6 *)"),
            ("0 0 * * 7", "cron(0 0 ? * 1 *)"),
            ("0 9 L * *", "cron(0 9 L * ? *)"),
            ("0 9 1,15 1-3 *", "cron(0 9 1,15 1,2,3 ? *)"),
            ("* * * * *", "cron(* * * * ? *)"),
        ] {
            assert_eq!(of(cron).as_deref(), Ok(expected), "{cron}");
        }
        for (cron, why) in [
            ("0 9 1 * MON", "a day of the month or a weekday, and not both"),
            ("0 9 13 * +FRI", "a day of the month or a weekday, and not both"),
            ("0 9 * * TUE#2,TUE#4", "one `#` or `L`"),
            ("0 9 15W * *", "`W`"),
            ("0 9 1,L * *", "`L` beside other days"),
        ] {
            let told = of(cron).unwrap_err();
            assert!(
                told.starts_with(&format!("EventBridge Scheduler can not express `{cron}`: ")) && told.contains(why),
                "{told}"
            );
        }
    }
}
