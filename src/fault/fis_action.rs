//! The actions of AWS FIS that are of use to serverless applications, with the parameters that each takes, so that files
//! are checked without asking AWS.
//!
//! Source: AWS FIS User Guide, "AWS FIS Actions reference".

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::about::{Objection, Step};
use crate::unit::nearest;

/// AWS: an action lasts from 1 minute to 12 hours.
pub(super) const DURATION: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(12 * 3_600);
/// AWS: `alarmArns` of `aws:cloudwatch:assert-alarm-state` names at most so many.
const ALARMS_MAX: usize = 5;
const PERCENT: Values = Values::Whole(1..=100);
const FLAG: Values = Values::OneOf(&["true", "false"]);

/// An action of AWS FIS.
pub(super) struct ActionInfo {
    /// Its id: `aws:lambda:invocation-error`.
    pub(super) id: &'static str,
    /// What it works on.
    pub(super) on: WorksOn,
    /// The parameter that says how long it lasts; none for what ends at once.
    pub(super) duration: Option<&'static str>,
    parameters: &'static [Parameter],
}

/// What an action works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorksOn {
    /// Nothing that is named in the template.
    Nothing,
    /// A Lambda function: `Functions`, `aws:lambda:function`.
    Function,
    /// An IAM role: `Roles`, `aws:iam:role`.
    Role,
    /// A DynamoDB global table: `Tables`, `aws:dynamodb:global-table`.
    GlobalTable,
    /// Something that is no kind of target here, in words.
    Elsewhere(&'static str),
}

struct Parameter {
    name: &'static str,
    is_required: bool,
    values: Values,
}

/// What a parameter may be.
enum Values {
    /// A whole number in a range.
    Whole(RangeInclusive<u32>),
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// Some of some words, with commas between them.
    SomeOf(&'static [&'static str]),
    /// One ARN.
    Arn,
    /// Up to so many ARNs, with commas between them.
    Arns(usize),
    /// A JSON object.
    Object,
    /// Any text but an empty one.
    Text,
}

const fn required(name: &'static str, values: Values) -> Parameter {
    Parameter { name, is_required: true, values }
}

const fn optional(name: &'static str, values: Values) -> Parameter {
    Parameter { name, is_required: false, values }
}

const fn lasting(id: &'static str, on: WorksOn, parameters: &'static [Parameter]) -> ActionInfo {
    ActionInfo { id, on, duration: Some("duration"), parameters }
}

const API_ERROR: &[Parameter] = &[
    required("service", Values::OneOf(&["ec2", "kinesis"])),
    required("percentage", PERCENT),
    required("operations", Values::Text),
];
const STREAM: WorksOn = WorksOn::Elsewhere("Kinesis streams");
const SUBNET: WorksOn = WorksOn::Elsewhere("subnets");

/// The actions in the order of their ids.
pub(super) const ACTIONS: &[ActionInfo] = &[
    lasting(
        "aws:arc:start-zonal-autoshift",
        WorksOn::Elsewhere("resources that ARC shifts between zones"),
        &[
            required("availabilityZoneIdentifier", Values::Text),
            required("managedResourceTypes", Values::SomeOf(&["ASG", "ALB", "NLB", "EKS"])),
            optional("zonalAutoshiftStatus", Values::OneOf(&["ENABLED", "DISABLED", "ANY"])),
        ],
    ),
    ActionInfo {
        id: "aws:cloudwatch:assert-alarm-state",
        on: WorksOn::Nothing,
        duration: None,
        parameters: &[
            required("alarmArns", Values::Arns(ALARMS_MAX)),
            required("alarmStates", Values::SomeOf(&["OK", "ALARM", "INSUFFICIENT_DATA"])),
        ],
    },
    lasting("aws:dynamodb:global-table-pause-replication", WorksOn::GlobalTable, &[]),
    lasting(
        "aws:elasticache:replicationgroup-interrupt-az-power",
        WorksOn::Elsewhere("replication groups of ElastiCache"),
        &[],
    ),
    lasting("aws:fis:inject-api-internal-error", WorksOn::Role, API_ERROR),
    lasting("aws:fis:inject-api-throttle-error", WorksOn::Role, API_ERROR),
    lasting("aws:fis:inject-api-unavailable-error", WorksOn::Role, API_ERROR),
    lasting("aws:fis:wait", WorksOn::Nothing, &[]),
    lasting("aws:kinesis:stream-expired-iterator-exception", STREAM, &[required("percentage", PERCENT)]),
    lasting("aws:kinesis:stream-provisioned-throughput-exception", STREAM, &[required("percentage", PERCENT)]),
    lasting(
        "aws:lambda:invocation-add-delay",
        WorksOn::Function,
        &[optional("invocationPercentage", PERCENT), optional("startupDelayMilliseconds", Values::Whole(0..=900_000))],
    ),
    lasting(
        "aws:lambda:invocation-error",
        WorksOn::Function,
        &[optional("invocationPercentage", PERCENT), required("preventExecution", FLAG)],
    ),
    lasting(
        "aws:lambda:invocation-http-integration-response",
        WorksOn::Function,
        &[
            required("contentTypeHeader", Values::Text),
            optional("invocationPercentage", PERCENT),
            required("preventExecution", FLAG),
            required("statusCode", Values::Whole(0..=999)),
        ],
    ),
    lasting(
        "aws:network:disrupt-connectivity",
        SUBNET,
        &[
            optional("prefixListIdentifier", Values::Text),
            required(
                "scope",
                Values::OneOf(&["all", "availability-zone", "dynamodb", "prefix-list", "s3", "s3express", "vpc"]),
            ),
        ],
    ),
    lasting("aws:network:disrupt-vpc-endpoint", WorksOn::Elsewhere("interface endpoints of a VPC"), &[]),
    lasting("aws:network:route-table-disrupt-cross-region-connectivity", SUBNET, &[required("region", Values::Text)]),
    ActionInfo {
        id: "aws:rds:failover-db-cluster",
        on: WorksOn::Elsewhere("clusters of Aurora"),
        duration: None,
        parameters: &[],
    },
    lasting(
        "aws:s3:bucket-pause-replication",
        WorksOn::Elsewhere("buckets, by their tags"),
        &[
            optional("destinationBuckets", Values::Text),
            optional("prefixes", Values::Text),
            required("region", Values::Text),
        ],
    ),
    ActionInfo {
        id: "aws:ssm:start-automation-execution",
        on: WorksOn::Nothing,
        duration: Some("maxDuration"),
        parameters: &[
            required("documentArn", Values::Arn),
            optional("documentParameters", Values::Object),
            optional("documentVersion", Values::Text),
        ],
    },
];

impl ActionInfo {
    /// The action with this id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| action.id == id)
    }

    fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

impl Values {
    /// What of a value AWS would not take: what to write instead.
    fn remedy(&self, value: &str) -> Option<String> {
        let parts = || value.split(',').map(str::trim);
        let is_arn = |text: &str| text.starts_with("arn:");
        let (is_good, remedy) = match self {
            Self::Whole(range) => {
                let is_good = value.parse().is_ok_and(|number| range.contains(&number));
                (is_good, format!("write a whole number from {} to {}", range.start(), range.end()))
            }
            Self::OneOf(words) => (words.contains(&value), format!("write one of {}", words.join(", "))),
            Self::SomeOf(words) => (
                parts().all(|part| words.contains(&part)),
                format!("write some of {}, with commas between them", words.join(", ")),
            ),
            Self::Arn => (is_arn(value), "write an ARN".to_owned()),
            Self::Arns(most) => (
                parts().all(is_arn) && parts().count() <= *most,
                format!("write 1 to {most} ARNs, with commas between them"),
            ),
            Self::Object => (
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(value).is_ok(),
                "write a JSON object as text, such as '{\"QueueName\": \"orders\"}'".to_owned(),
            ),
            Self::Text => (!value.trim().is_empty(), "write some text".to_owned()),
        };
        (!is_good).then_some(remedy)
    }

    /// Whether a value may be shown in a message.
    fn is_shown(&self) -> bool {
        match self {
            Self::Object => false,
            Self::Whole(_) | Self::OneOf(_) | Self::SomeOf(_) | Self::Arn | Self::Arns(_) | Self::Text => true,
        }
    }
}

/// What of an action and its parameters AWS would not take, or cannot be made here. `at` are the keys that lead to it.
pub(super) fn objections(at: &str, id: &str, given: &BTreeMap<String, String>) -> Vec<Objection> {
    let path = |keys: &[&str]| [at].iter().chain(keys).map(|key| Step::Key((*key).to_owned())).collect();
    let objection = |keys: &[&str], is_about_key, code, message, help| Objection {
        path: path(keys),
        is_about_key,
        code,
        message,
        help: Some(help),
    };
    let Some(action) = ActionInfo::find(id) else {
        let help = match nearest(id, ACTIONS.iter().map(|action| action.id)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "write one such as `aws:lambda:invocation-error`, or name a template of yours with `template`"
                .to_owned(),
        };
        return vec![objection(&["id"], false, "unknown-action", format!("`{id}` is no action that is known"), help)];
    };
    let mut objections = Vec::new();
    if let WorksOn::Elsewhere(things) = action.on {
        let message = format!("`{id}` works on {things}, which no target names");
        let help = "make an experiment template in AWS, and name it with `template`".to_owned();
        objections.push(objection(&["id"], false, "wrong-target", message, help));
    }
    for (name, value) in given {
        let keys = ["parameters", name.as_str()];
        if action.duration == Some(name.as_str()) {
            let message = format!("`{name}` is not written here");
            let help = "write `duration` beside `action`, such as `duration: 2m`".to_owned();
            objections.push(objection(&keys, true, "unknown-parameter", message, help));
        } else if let Some(parameter) = action.parameter(name) {
            if let Some(remedy) = parameter.values.remedy(value) {
                let shown =
                    if parameter.values.is_shown() { format!(" of `{value}`") } else { " like this".to_owned() };
                let message = format!("`{id}` takes no `{name}`{shown}");
                objections.push(objection(&keys, false, "out-of-range", message, remedy));
            }
        } else {
            let help = match nearest(name, action.parameters.iter().map(|parameter| parameter.name)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => known_parameters(action),
            };
            let message = format!("`{id}` has no parameter `{name}`");
            objections.push(objection(&keys, true, "unknown-parameter", message, help));
        }
    }
    for parameter in action.parameters {
        let needs_list =
            parameter.name == "prefixListIdentifier" && given.get("scope").is_some_and(|scope| scope == "prefix-list");
        if (parameter.is_required || needs_list) && !given.contains_key(parameter.name) {
            let message = format!("`{id}` needs the parameter `{}`", parameter.name);
            let help = format!("add `{}` under `parameters`", parameter.name);
            objections.push(objection(&[], true, "missing-key", message, help));
        }
    }
    objections
}

fn known_parameters(action: &ActionInfo) -> String {
    let names: Vec<&str> = action.parameters.iter().map(|parameter| parameter.name).collect();
    if names.is_empty() { "take it away: it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
}

/// A duration as FIS writes it, in whole seconds: `PT1H30M`.
pub(super) fn iso_8601(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3_600, 'H'), (seconds / 60 % 60, 'M'), (seconds % 60, 'S')];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "PT0S".to_owned() } else { format!("PT{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, given: &[(&str, &str)]) -> Vec<(String, &'static str, String)> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let of = |objection: Objection| {
            let key = match objection.path.last() {
                Some(Step::Key(key)) => key.clone(),
                Some(Step::Item(_)) | None => String::new(),
            };
            (key, objection.code, objection.help.unwrap_or_default())
        };
        objections("action", id, &given).into_iter().map(of).collect()
    }

    #[test]
    fn the_table_is_in_order_and_no_parameter_stands_twice() {
        assert!(ACTIONS.is_sorted_by(|one, next| one.id < next.id));
        for action in ACTIONS {
            assert!(action.parameters.is_sorted_by(|one, next| one.name != next.name), "{}", action.id);
            assert!(action.parameters.iter().all(|parameter| Some(parameter.name) != action.duration), "{}", action.id);
        }
    }

    #[test]
    fn what_aws_takes_is_not_objected_to() {
        let alarm = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:errors";
        let document = "arn:aws:ssm:us-east-1::document/Deny";
        for (id, given) in [
            ("aws:lambda:invocation-error", vec![("invocationPercentage", "30"), ("preventExecution", "true")]),
            ("aws:lambda:invocation-add-delay", vec![("startupDelayMilliseconds", "900000")]),
            (
                "aws:lambda:invocation-http-integration-response",
                vec![("contentTypeHeader", "text/html"), ("preventExecution", "false"), ("statusCode", "503")],
            ),
            ("aws:fis:wait", vec![]),
            (
                "aws:fis:inject-api-throttle-error",
                vec![("service", "kinesis"), ("percentage", "50"), ("operations", "PutRecord,PutRecords")],
            ),
            ("aws:dynamodb:global-table-pause-replication", vec![]),
            ("aws:cloudwatch:assert-alarm-state", vec![("alarmArns", alarm), ("alarmStates", "OK,ALARM")]),
            (
                "aws:ssm:start-automation-execution",
                vec![("documentArn", document), ("documentParameters", r#"{"Queue": "orders"}"#)],
            ),
        ] {
            assert_eq!(told(id, &given), [], "{id}");
        }
    }

    #[test]
    fn what_aws_does_not_take_is_told_with_the_nearest_name() {
        let one = |id: &str, given: &[(&str, &str)]| {
            let told: [_; 1] = told(id, given).try_into().unwrap_or_else(|told| panic!("{id} {given:?}: {told:?}"));
            let [(key, code, help)] = told;
            (key, code, help)
        };
        let error = "aws:lambda:invocation-error";
        let prevented = ("preventExecution", "true");
        for (id, given, key, code, part) in [
            ("aws:lambda:invocation-eror", vec![], "id", "unknown-action", "aws:lambda:invocation-error"),
            ("banana", vec![], "id", "unknown-action", "template"),
            (error, vec![], "action", "missing-key", "preventExecution"),
            (
                error,
                vec![prevented, ("invocationPercentag", "3")],
                "invocationPercentag",
                "unknown-parameter",
                "`invocationPercentage`",
            ),
            (error, vec![prevented, ("invocationPercentage", "0")], "invocationPercentage", "out-of-range", "1 to 100"),
            (
                error,
                vec![prevented, ("invocationPercentage", "30%")],
                "invocationPercentage",
                "out-of-range",
                "1 to 100",
            ),
            (error, vec![("preventExecution", "yes")], "preventExecution", "out-of-range", "true, false"),
            (error, vec![prevented, ("duration", "PT5M")], "duration", "unknown-parameter", "duration: 2m"),
            (
                "aws:lambda:invocation-add-delay",
                vec![("startupDelayMilliseconds", "900001")],
                "startupDelayMilliseconds",
                "out-of-range",
                "900000",
            ),
            ("aws:fis:wait", vec![("colour", "red")], "colour", "unknown-parameter", "none"),
            (
                "aws:kinesis:stream-expired-iterator-exception",
                vec![("percentage", "5")],
                "id",
                "wrong-target",
                "`template`",
            ),
        ] {
            let (found_key, found_code, help) = one(id, &given);
            assert_eq!((found_key.as_str(), found_code), (key, code), "{id} {given:?}");
            assert!(help.contains(part), "{id} {given:?}: {help}");
        }
        let told = told("aws:network:disrupt-connectivity", &[("scope", "prefix-list")]);
        assert!(told.iter().any(|(_, code, help)| *code == "missing-key" && help.contains("prefixListIdentifier")));
    }

    #[test]
    fn a_documents_parameters_are_not_quoted() {
        let given = [("documentArn", "arn:x"), ("documentParameters", "s3cr3t")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let told = objections("action", "aws:ssm:start-automation-execution", &given);
        assert!(told.len() == 1 && !format!("{told:?}").contains("s3cr3t"), "{told:?}");
    }

    #[test]
    fn durations_are_written_as_fis_reads_them() {
        for (seconds, text) in [(60, "PT1M"), (90, "PT1M30S"), (5_400, "PT1H30M"), (43_200, "PT12H"), (0, "PT0S")] {
            assert_eq!(iso_8601(Duration::from_secs(seconds)), text);
        }
    }
}
