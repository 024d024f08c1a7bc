//! The operations, one function each: a request in JSON to an answer or a refusal.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::LogsError;
use super::pattern::FilterPattern;
use super::store::{LogEvent, Logs, Wanted};

/// How many groups a page has. Source: AWS, `DescribeLogGroups`.
const GROUPS_PAGE_MAX: usize = 50;
/// How many events a page has. Source: AWS, `FilterLogEvents`.
const EVENTS_PAGE_MAX: usize = 10_000;
/// How many bytes of events a page has. Source: AWS, `FilterLogEvents`.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// For how many days events can be kept. Source: AWS, `PutRetentionPolicy`.
const RETENTION_DAYS: [u32; 23] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653,
    3_654,
];

/// Performs an operation. `Ok(None)`: it has no output.
pub(super) fn call(logs: &Logs, operation: &str, body: &[u8]) -> Result<Option<Value>, LogsError> {
    match operation {
        "DescribeLogGroups" => describe_groups(logs, &read(body)?).map(Some),
        "FilterLogEvents" => filter(logs, &read(body)?).map(Some),
        "PutRetentionPolicy" => put_retention(logs, &read(body)?).map(|()| None),
        "DeleteRetentionPolicy" => delete_retention(logs, &read(body)?).map(|()| None),
        other => Err(LogsError::UnknownOperation(other.to_owned())),
    }
}

/// A member that the sandbox does not know is refused by name: to take it and do nothing would be a lie.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, LogsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        if error.is_data() { LogsError::InvalidParameter(text) } else { LogsError::Serialization(text) }
    })
}

fn page_size(asked: Option<i64>, most: usize) -> Result<usize, LogsError> {
    let Some(asked) = asked else { return Ok(most) };
    let size = usize::try_from(asked).ok().filter(|size| (1..=most).contains(size));
    size.ok_or_else(|| LogsError::InvalidParameter(format!("limit must be between 1 and {most}, not {asked}")))
}

fn invalid_token() -> LogsError {
    LogsError::InvalidParameter("The specified nextToken is invalid.".to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DescribeGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    next_token: Option<String>,
    limit: Option<i64>,
}

fn describe_groups(logs: &Logs, asked: &DescribeGroups) -> Result<Value, LogsError> {
    let size = page_size(asked.limit, GROUPS_PAGE_MAX)?;
    if asked.log_group_name_prefix.is_some() && asked.log_group_name_pattern.is_some() {
        let text = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
        return Err(LogsError::InvalidParameter(text.to_owned()));
    }
    let is_asked = |name: &str| {
        asked.log_group_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
            && asked.log_group_name_pattern.as_ref().is_none_or(|part| name.contains(part.as_str()))
            && asked.log_group_identifiers.as_ref().is_none_or(|list| list.iter().any(|id| group_of(id) == name))
    };
    // A token is the name of the last group that was answered: groups come into being in between.
    let after = asked.next_token.as_deref();
    let groups = logs.groups();
    let mut rest =
        groups.iter().filter(|(name, _)| is_asked(name) && after.is_none_or(|after| &**name > after)).peekable();
    let mut page = Vec::new();
    let mut last = None;
    for (name, group) in rest.by_ref().take(size) {
        let arn = logs.arn(name);
        let mut entry = json!({
            "logGroupName": **name,
            "creationTime": group.created_ms,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": group.stored_bytes,
            "logGroupClass": "STANDARD",
        });
        if let Some(days) = group.retention_days {
            entry["retentionInDays"] = days.into();
        }
        page.push(entry);
        last = Some(name);
    }
    let mut answer = json!({"logGroups": page});
    if let Some(last) = last.filter(|_| rest.peek().is_some()) {
        answer["nextToken"] = (**last).into();
    }
    Ok(answer)
}

/// The name in a name or an ARN.
fn group_of(identifier: &str) -> &str {
    let name = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Filter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<BTreeSet<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    /// Events are in their order anyway (AWS: the parameter is ignored).
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    /// Nothing is masked.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

fn filter(logs: &Logs, asked: &Filter) -> Result<Value, LogsError> {
    let group = match (&asked.log_group_name, &asked.log_group_identifier) {
        (Some(name), None) => name.as_str(),
        (None, Some(identifier)) => group_of(identifier),
        _ => {
            let text = "exactly one of logGroupName and logGroupIdentifier is needed";
            return Err(LogsError::InvalidParameter(text.to_owned()));
        }
    };
    if asked.start_time.zip(asked.end_time).is_some_and(|(start, end)| start > end) {
        return Err(LogsError::InvalidParameter("endTime must not be before startTime".to_owned()));
    }
    let text = asked.filter_pattern.as_deref().unwrap_or_default();
    let pattern = FilterPattern::parse(text)
        .map_err(|problem| LogsError::InvalidParameter(format!("Invalid filter pattern: {problem}")))?;
    let is_in = |event: &LogEvent| {
        asked.log_stream_names.as_ref().is_none_or(|names| names.contains(&*event.stream))
            && asked.log_stream_name_prefix.as_ref().is_none_or(|prefix| event.stream.starts_with(prefix.as_str()))
            && pattern.fits(&event.message)
    };
    let wanted = Wanted {
        group,
        from_ms: asked.start_time.unwrap_or(0),
        until_ms: asked.end_time.unwrap_or(i64::MAX),
        from_number: asked.next_token.as_deref().map_or(Ok(0), |token| token.parse().map_err(|_| invalid_token()))?,
        is_in: &is_in,
        events_max: page_size(asked.limit, EVENTS_PAGE_MAX)?,
        bytes_max: PAGE_BYTES_MAX,
    };
    let (page, next) = logs.page(wanted).ok_or(LogsError::ResourceNotFound)?;
    let events: Vec<Value> = page.iter().map(document).collect();
    let mut answer = json!({"events": events, "searchedLogStreams": []});
    if let Some(next) = next {
        answer["nextToken"] = next.to_string().into();
    }
    Ok(answer)
}

fn document(event: &LogEvent) -> Value {
    json!({
        "logStreamName": *event.stream,
        "timestamp": event.at_ms,
        "message": *event.message,
        "ingestionTime": event.at_ms,
        // As wide as AWS's, which are compared as texts.
        "eventId": format!("{:056}", event.number),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PutRetention {
    log_group_name: String,
    retention_in_days: u32,
}

fn put_retention(logs: &Logs, asked: &PutRetention) -> Result<(), LogsError> {
    if !RETENTION_DAYS.contains(&asked.retention_in_days) {
        let text = format!("retentionInDays must be one of {RETENTION_DAYS:?}, not {}", asked.retention_in_days);
        return Err(LogsError::InvalidParameter(text));
    }
    retain(logs, &asked.log_group_name, Some(asked.retention_in_days))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DeleteRetention {
    log_group_name: String,
}

fn delete_retention(logs: &Logs, asked: &DeleteRetention) -> Result<(), LogsError> {
    retain(logs, &asked.log_group_name, None)
}

fn retain(logs: &Logs, group: &str, days: Option<u32>) -> Result<(), LogsError> {
    if logs.retain(group, days) { Ok(()) } else { Err(LogsError::ResourceNotFound) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::unit::Clock;

    fn logs() -> Logs {
        let logs = Logs::new("us-east-1", "000000000000", Clock::start());
        for group in ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/c"] {
            logs.append(&Arc::from(group), &Arc::from("s1"), ["one".to_owned(), "two words".to_owned()]);
        }
        logs
    }

    fn ask(logs: &Logs, operation: &str, request: &Value) -> Result<Value, String> {
        let answer = call(logs, operation, request.to_string().as_bytes());
        answer.map(Option::unwrap_or_default).map_err(|error| error.kind().1.to_owned())
    }

    #[test]
    fn groups_come_in_pages_with_their_retention() {
        let logs = logs();
        let kept = json!({"logGroupName": "/aws/lambda/b", "retentionInDays": 30});
        assert_eq!(ask(&logs, "PutRetentionPolicy", &kept), Ok(Value::Null));
        let first = ask(&logs, "DescribeLogGroups", &json!({"limit": 2})).unwrap();
        assert_eq!(first["logGroups"][0].get("retentionInDays"), None);
        assert_eq!(first["logGroups"][1]["retentionInDays"], 30);
        let next = json!({"limit": 2, "nextToken": first["nextToken"]});
        let second = ask(&logs, "DescribeLogGroups", &next).unwrap();
        assert_eq!(second["logGroups"][0]["logGroupName"], "/aws/lambda/c");
        assert_eq!(second.get("nextToken"), None);
        let prefixed = ask(&logs, "DescribeLogGroups", &json!({"logGroupNamePrefix": "/aws/lambda/a"})).unwrap();
        assert_eq!(prefixed["logGroups"].as_array().map(Vec::len), Some(1));
        let odd = json!({"logGroupName": "/aws/lambda/b", "retentionInDays": 31});
        assert_eq!(ask(&logs, "PutRetentionPolicy", &odd), Err("InvalidParameterException".to_owned()));
    }

    #[test]
    fn events_are_filtered_and_come_in_pages() {
        let logs = logs();
        let of = |more: Value| {
            let mut request = json!({"logGroupName": "/aws/lambda/a"});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ask(&logs, "FilterLogEvents", &request)
        };
        let first = of(json!({"limit": 1})).unwrap();
        assert_eq!(first["events"][0]["message"], "one");
        let second = of(json!({"limit": 1, "nextToken": first["nextToken"]})).unwrap();
        assert_eq!((&second["events"][0]["message"], second.get("nextToken")), (&json!("two words"), None));
        let found = of(json!({"filterPattern": "\"two words\""})).unwrap();
        assert_eq!(found["events"].as_array().map(Vec::len), Some(1));
        assert_eq!(of(json!({"startTime": 1, "endTime": 2})).unwrap()["events"], json!([]));
        for wrong in [json!({"limit": 0}), json!({"filterPattern": "{ $.a = 1 }"}), json!({"nextToken": "x"})] {
            assert_eq!(of(wrong), Err("InvalidParameterException".to_owned()));
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let logs = logs();
        let gone = json!({"logGroupName": "gone"});
        assert_eq!(ask(&logs, "FilterLogEvents", &gone), Err("ResourceNotFoundException".to_owned()));
        assert_eq!(ask(&logs, "DeleteRetentionPolicy", &gone), Err("ResourceNotFoundException".to_owned()));
        assert_eq!(ask(&logs, "StartQuery", &json!({})), Err("UnknownOperationException".to_owned()));
        assert_eq!(call(&logs, "FilterLogEvents", b"{").map_err(|error| error.kind().1), Err("SerializationException"));
    }
}
