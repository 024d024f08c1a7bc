//! The actions that there are, and the parameters that each takes.
//!
//! Source: AWS FIS, "AWS FIS actions reference".

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::duration;
use super::spec::FisSpec;

/// The only resource type that an action of the sandbox has for a target.
pub(super) const FUNCTION_TYPE: &str = "aws:lambda:function";
/// The key under which an action names its target.
pub(super) const FUNCTIONS_KEY: &str = "Functions";

/// An action lasts 1 minute to 12 hours; with `allow_short` from 1 second.
const DURATION_MIN: Duration = Duration::from_secs(60);
/// See [`DURATION_MIN`].
const DURATION_MIN_SHORT: Duration = Duration::from_secs(1);
/// See [`DURATION_MIN`].
const DURATION_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest `startupDelayMilliseconds`, and the default.
const DELAY_MS_MAX: u64 = 900_000;
/// See [`DELAY_MS_MAX`].
const DELAY_MS_DEFAULT: u64 = 1_000;
/// The largest `statusCode`.
const STATUS_CODE_MAX: u16 = 999;

struct Parameter {
    name: &'static str,
    is_required: bool,
    description: &'static str,
}

/// An action as `GetAction` tells of it.
pub(super) struct ActionInfo {
    pub id: &'static str,
    description: &'static str,
    /// Whether it acts on functions; otherwise it has no target.
    pub has_target: bool,
    parameters: &'static [Parameter],
}

const DURATION: Parameter =
    Parameter { name: "duration", is_required: true, description: "How long the action lasts (ISO 8601 duration)." };
const PERCENTAGE: Parameter = Parameter {
    name: "invocationPercentage",
    is_required: false,
    description: "The percentage of invocations that are hit, 1 to 100. The default is 100.",
};
const PREVENT: Parameter = Parameter {
    name: "preventExecution",
    is_required: true,
    description: "Whether the function's code is kept from running.",
};

/// All actions, in the order of their ids.
pub(super) const ACTIONS: [ActionInfo; 4] = [
    ActionInfo {
        id: "aws:fis:wait",
        description: "Wait for the specified duration.",
        has_target: false,
        parameters: &[DURATION],
    },
    ActionInfo {
        id: "aws:lambda:invocation-add-delay",
        description: "Delay the start of the function's code.",
        has_target: true,
        parameters: &[
            DURATION,
            PERCENTAGE,
            Parameter {
                name: "startupDelayMilliseconds",
                is_required: false,
                description: "The delay in milliseconds, 0 to 900000. The default is 1000.",
            },
        ],
    },
    ActionInfo {
        id: "aws:lambda:invocation-error",
        description: "Mark invocations of the function as failed.",
        has_target: true,
        parameters: &[DURATION, PERCENTAGE, PREVENT],
    },
    ActionInfo {
        id: "aws:lambda:invocation-http-integration-response",
        description: "Replace the answer of a function behind an HTTP integration.",
        has_target: true,
        parameters: &[
            DURATION,
            PERCENTAGE,
            PREVENT,
            Parameter { name: "statusCode", is_required: true, description: "The HTTP status code, 0 to 999." },
            Parameter { name: "contentTypeHeader", is_required: true, description: "The Content-Type of the answer." },
        ],
    },
];

impl ActionInfo {
    /// The action with this id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| action.id == id)
    }

    /// As `ListActions` answers it; `GetAction` has the parameters too. `arn_prefix` is what stands before `action/…`.
    pub(super) fn document(&self, arn_prefix: &str, with_parameters: bool) -> Value {
        let mut document = json!({
            "id": self.id,
            "arn": format!("{arn_prefix}action/{}", self.id),
            "description": self.description,
            "tags": {},
        });
        if self.has_target {
            document["targets"] = json!({FUNCTIONS_KEY: {"resourceType": FUNCTION_TYPE}});
        }
        if with_parameters {
            let told = |parameter: &Parameter| {
                (
                    parameter.name.to_owned(),
                    json!({"description": parameter.description, "required": parameter.is_required}),
                )
            };
            document["parameters"] = Value::Object(self.parameters.iter().map(told).collect());
        }
        document
    }
}

/// What an action does to an invocation that it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only passes time.
    Wait,
    Delay(Duration),
    Error {
        is_prevented: bool,
    },
    HttpResponse {
        is_prevented: bool,
        status_code: u16,
        content_type: String,
    },
}

/// An action's parameters, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub duration: Duration,
    /// 1 to 100.
    pub percentage: u8,
    pub effect: Effect,
}

/// Reads an action's parameters.
///
/// # Errors
/// A text: no such action, a parameter that it does not have, one that it needs, or a value out of range.
pub(super) fn parameters(id: &str, given: &BTreeMap<String, String>, spec: &FisSpec) -> Result<Parameters, String> {
    let Some(action) = ActionInfo::find(id) else {
        let known: Vec<&str> = ACTIONS.iter().map(|action| action.id).collect();
        return Err(format!("the sandbox has no action `{id}`; it has {}", known.join(", ")));
    };
    if let Some(name) = given.keys().find(|name| action.parameters.iter().all(|parameter| parameter.name != *name)) {
        return Err(format!("the action `{id}` has no parameter `{name}`"));
    }
    let is_lacking = |parameter: &&Parameter| parameter.is_required && !given.contains_key(parameter.name);
    if let Some(parameter) = action.parameters.iter().find(is_lacking) {
        return Err(format!("the action `{id}` needs the parameter `{}`", parameter.name));
    }
    let get = |name: &str| given.get(name).map(String::as_str);
    let percentage = match get("invocationPercentage") {
        None => 100,
        Some(text) => {
            let percentage = text.parse().ok().filter(|percentage| (1..=100).contains(percentage));
            percentage.ok_or_else(|| format!("`invocationPercentage` must be 1 to 100, not `{text}`"))?
        }
    };
    let effect = match id {
        "aws:lambda:invocation-add-delay" => Effect::Delay(delay(get("startupDelayMilliseconds"))?),
        "aws:lambda:invocation-error" => Effect::Error { is_prevented: flag(get("preventExecution"))? },
        "aws:lambda:invocation-http-integration-response" => Effect::HttpResponse {
            is_prevented: flag(get("preventExecution"))?,
            status_code: status_code(get("statusCode").unwrap_or_default())?,
            content_type: get("contentTypeHeader").unwrap_or_default().to_owned(),
        },
        _ => Effect::Wait,
    };
    Ok(Parameters { duration: lasts(get("duration").unwrap_or_default(), spec)?, percentage, effect })
}

fn lasts(text: &str, spec: &FisSpec) -> Result<Duration, String> {
    let duration = duration::parse(text)
        .ok_or_else(|| format!("`duration` must be an ISO 8601 duration such as `PT5M`, not `{text}`"))?;
    let (shortest, name) = if spec.allow_short { (DURATION_MIN_SHORT, "PT1S") } else { (DURATION_MIN, "PT1M") };
    if duration < shortest || duration > DURATION_MAX {
        return Err(format!("`duration` must be from {name} to PT12H, not `{text}`"));
    }
    Ok(duration)
}

fn delay(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(Duration::from_millis(DELAY_MS_DEFAULT)) };
    let millis = text.parse().ok().filter(|millis| *millis <= DELAY_MS_MAX);
    let millis =
        millis.ok_or_else(|| format!("`startupDelayMilliseconds` must be 0 to {DELAY_MS_MAX}, not `{text}`"))?;
    Ok(Duration::from_millis(millis))
}

fn flag(text: Option<&str>) -> Result<bool, String> {
    match text.unwrap_or_default() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("`preventExecution` must be `true` or `false`, not `{other}`")),
    }
}

fn status_code(text: &str) -> Result<u16, String> {
    let code = text.parse().ok().filter(|code| *code <= STATUS_CODE_MAX);
    code.ok_or_else(|| format!("`statusCode` must be 0 to {STATUS_CODE_MAX}, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: FisSpec = FisSpec { allow_short: true, propagation_ms: 0, seed: 0 };

    fn read(id: &str, pairs: &[(&str, &str)], spec: &FisSpec) -> Result<Parameters, String> {
        let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parameters(id, &given, spec)
    }

    #[test]
    fn parameters_have_awss_defaults() {
        let read = read("aws:lambda:invocation-add-delay", &[("duration", "PT5M")], &FisSpec::default());
        let expected = Parameters {
            duration: Duration::from_secs(300),
            percentage: 100,
            effect: Effect::Delay(Duration::from_millis(1_000)),
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn a_short_duration_is_taken_only_when_the_file_says_so() {
        let wait = |duration, spec: &FisSpec| read("aws:fis:wait", &[("duration", duration)], spec).is_ok();
        assert!(wait("PT5S", &SHORT) && !wait("PT5S", &FisSpec::default()));
        assert!(!wait("PT0S", &SHORT) && wait("PT12H", &SHORT) && !wait("PT12H1S", &SHORT));
    }

    #[test]
    fn what_fis_refuses_is_refused_by_name() {
        let error = [("duration", "PT1M"), ("preventExecution", "true")];
        for (id, pairs, part) in [
            ("aws:ec2:stop-instances", vec![], "aws:ec2:stop-instances"),
            ("aws:fis:wait", vec![], "duration"),
            ("aws:fis:wait", vec![("duration", "5m")], "5m"),
            ("aws:fis:wait", vec![("duration", "PT1M"), ("colour", "red")], "colour"),
            ("aws:lambda:invocation-error", vec![("duration", "PT1M")], "preventExecution"),
            (
                "aws:lambda:invocation-error",
                [&error[..], &[("invocationPercentage", "0")]].concat(),
                "invocationPercentage",
            ),
            ("aws:lambda:invocation-error", [&error[..], &[("invocationPercentage", "101")]].concat(), "101"),
            (
                "aws:lambda:invocation-add-delay",
                vec![("duration", "PT1M"), ("startupDelayMilliseconds", "900001")],
                "900001",
            ),
            (
                "aws:lambda:invocation-http-integration-response",
                [&error[..], &[("contentTypeHeader", "text/html"), ("statusCode", "1000")]].concat(),
                "statusCode",
            ),
        ] {
            let text = read(id, &pairs, &FisSpec::default()).expect_err(id);
            assert!(text.contains(part), "{id} {pairs:?}: {text}");
        }
    }
}
