//! What a workspace and a scenario may both say of outgoing notices: to whom, and of what.

use std::fmt;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FieldProblem;
use crate::document::{Diagnostic, Place, SECRET_CODE};
use crate::unit::UnitError;

/// Who is told. A scenario's `slack`, its `webhook` with its `webhook_secret` and its `webhook_format`, its `files` and its `events`
/// each take the place of the workspace's; what it does not name stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Where the URL of a Slack webhook is found: `env:NAME`. The URL itself is a secret and never stands in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// Where the URL of a receiver of JSON is found: `env:NAME`. `gameday schema notice` says what it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Where the key is found with which each message to `webhook` is signed: `env:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
    /// The form in which `webhook` is told; default `notice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_format: Option<WebhookFormat>,
    /// Where people read the workspace's files, so that a notice can link a playbook:
    /// `https://github.com/team/shop/blob/main`. It is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// What is told; default all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<NotifyEvent>,
}

/// The form of what a webhook is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// JSON of our own: `gameday schema notice`.
    #[default]
    Notice,
    /// An event of `CloudEvents` 1.0 in structured mode, whose `data` is the same.
    Cloudevents,
}

impl WebhookFormat {
    /// Whether it is the form in which a webhook is told where nobody says otherwise.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The run starts.
    Start,
    /// A fault is in.
    FaultOn,
    /// A fault is over, or could not be undone.
    FaultOff,
    /// A step that must be done is late.
    Overdue,
    /// The run was aborted.
    Abort,
    /// Everything is as it was before.
    AllClear,
    /// Something could not be undone.
    Dirty,
    /// The report is there.
    Report,
}

impl NotifyEvent {
    /// Everything that is told, in the order of a run.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::FaultOn,
        Self::FaultOff,
        Self::Overdue,
        Self::Abort,
        Self::AllClear,
        Self::Dirty,
        Self::Report,
    ];

    /// As files name it: `fault_on`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::FaultOn => "fault_on",
            Self::FaultOff => "fault_off",
            Self::Overdue => "overdue",
            Self::Abort => "abort",
            Self::AllClear => "all_clear",
            Self::Dirty => "dirty",
            Self::Report => "report",
        }
    }

    /// Whether people act on it at once: it is never dropped for another one, and a run that ends waits for it.
    #[must_use]
    pub fn is_critical(self) -> bool {
        match self {
            Self::Abort | Self::AllClear | Self::Dirty => true,
            Self::Start | Self::FaultOn | Self::FaultOff | Self::Overdue | Self::Report => false,
        }
    }
}

impl fmt::Display for NotifyEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.key())
    }
}

impl Notify {
    /// What holds for a scenario: its own words, and the workspace's where it has none.
    #[must_use]
    pub fn merged(scenario: Option<&Self>, workspace: Option<&Self>) -> Option<Self> {
        let (own, shared) = match (scenario, workspace) {
            (Some(own), Some(shared)) => (own, shared),
            (one, other) => return one.or(other).cloned(),
        };
        // A key signs what goes to its own receiver, and nothing that goes elsewhere.
        let signed = if own.webhook.is_some() { own } else { shared };
        Some(Self {
            slack: own.slack.clone().or_else(|| shared.slack.clone()),
            webhook: signed.webhook.clone(),
            webhook_secret: signed.webhook_secret.clone(),
            webhook_format: signed.webhook_format,
            files: own.files.clone().or_else(|| shared.files.clone()),
            events: if own.events.is_empty() { shared.events.clone() } else { own.events.clone() },
        })
    }

    /// The keys whose value is `env:NAME`, with what stands there.
    fn sources(&self) -> [(&'static str, Option<&String>); 3] {
        [
            ("slack", self.slack.as_ref()),
            ("webhook", self.webhook.as_ref()),
            ("webhook_secret", self.webhook_secret.as_ref()),
        ]
    }

    /// Everything that is wrong with it, each with where it stands below `place`. Where a secret may stand in the line, it alone is told:
    /// another problem would show the line.
    pub(crate) fn problems(&self, place: Place<'_>) -> Vec<Diagnostic> {
        let literal: Vec<(&str, UnitError)> =
            self.sources().into_iter().filter_map(|(key, value)| Some((key, variable(value?).err()?))).collect();
        let hidden =
            |place: Place<'_>, problem: UnitError| place.error(SECRET_CODE, problem.problem).with_help(problem.remedy);
        match <[_; 1]>::try_from(literal) {
            Ok([(key, problem)]) => return vec![hidden(place.key(key), problem)],
            // Each would show the line with the others: none is shown, and one diagnostic stands for all.
            Err(several) if !several.is_empty() => {
                return several.into_iter().take(1).map(|(_, problem)| hidden(place, problem)).collect();
            }
            Err(_) => {}
        }
        let mut problems = Vec::new();
        if self.webhook_secret.is_some() && self.webhook.is_none() {
            let message = "`webhook_secret` signs what is sent to `webhook`, and there is none beside it";
            let help = "name the receiver as `webhook: env:NAME` in the same place, or leave the secret out";
            problems.push(place.key("webhook_secret").error("nothing-to-sign", message).with_help(help));
        }
        if self.webhook_format.is_some() && self.webhook.is_none() {
            let message = "`webhook_format` is the form of what is sent to `webhook`, and there is none beside it";
            let help = "name the receiver as `webhook: env:NAME` in the same place, or leave the form out";
            problems.push(place.key("webhook_format").error("nothing-to-form", message).with_help(help));
        }
        if let Some(FieldProblem { key, problem }) = self.files.as_deref().and_then(files_problem) {
            // What stands before an `@` may be a password.
            problems.push(hidden(place.key(key), problem));
        }
        problems
    }
}

/// The variable that `env:NAME` names.
///
/// # Errors
/// A text that is not `env:NAME`; it may be the secret itself, and is not repeated.
pub(crate) fn variable(text: &str) -> Result<&str, UnitError> {
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.strip_prefix("env:").filter(is_name).ok_or_else(|| {
        UnitError::new(
            "this does not name an environment variable",
            "write `env:NAME`: a webhook's URL or its key is a secret and must not stand in a file",
        )
    })
}

/// What is wrong with the place of the files.
fn files_problem(text: &str) -> Option<FieldProblem> {
    let is_good = |url: Url| {
        matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let is_plain = !text.contains(['<', '>', '|', '"']) && !text.contains(char::is_whitespace);
    if is_plain && Url::parse(text).is_ok_and(is_good) {
        return None;
    }
    let remedy = "write where the folder of `gameday.yaml` is read: `https://github.com/team/shop/blob/main`";
    Some(FieldProblem { key: "files", problem: UnitError::new("this is no address of files", remedy) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(text: &str) -> Notify {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn a_scenario_speaks_key_by_key_and_a_key_stays_with_its_receiver() {
        let shared = notify("{slack: 'env:A', webhook: 'env:B', webhook_secret: 'env:C', events: [start, abort]}");
        let merged = |own: &str| Notify::merged(Some(&notify(own)), Some(&shared)).unwrap();
        assert_eq!(merged("{}"), shared);
        let other = merged("{webhook: 'env:D'}");
        assert_eq!((other.webhook.as_deref(), other.webhook_secret), (Some("env:D"), None));
        let fewer = merged("{events: [dirty], slack: 'env:E'}");
        assert_eq!((fewer.slack.as_deref(), fewer.events), (Some("env:E"), vec![NotifyEvent::Dirty]));
        assert_eq!(fewer.webhook_secret.as_deref(), Some("env:C"));
        let events = notify("{webhook: 'env:B', webhook_format: cloudevents}");
        let merged = |own: &str| Notify::merged(Some(&notify(own)), Some(&events)).unwrap().webhook_format;
        assert_eq!(
            (merged("{slack: 'env:E'}"), merged("{webhook: 'env:D'}")),
            (Some(WebhookFormat::Cloudevents), None)
        );
        assert_eq!(Notify::merged(None, None), None);
        assert_eq!(Notify::merged(None, Some(&shared)), Some(shared.clone()));
    }

    #[test]
    fn only_the_name_of_a_variable_may_stand_in_a_file() {
        assert_eq!(variable("env:SLACK_URL_2"), Ok("SLACK_URL_2"));
        for text in ["https://hooks.slack.com/x", "env:", "env:2A", "env:A-B", "SLACK", "env:A B"] {
            let error = variable(text).unwrap_err().to_string();
            assert!(!error.contains("hooks") && error.contains("env:NAME"), "{error}");
        }
    }

    #[test]
    fn every_event_is_named_as_it_is_written() {
        for event in NotifyEvent::ALL {
            assert_eq!(serde_yaml::to_string(&event).unwrap().trim(), event.key());
        }
    }

    #[test]
    fn files_are_read_at_a_plain_address() {
        assert!(files_problem("https://github.com/team/shop/blob/main").is_none());
        for text in
            ["github.com", "ftp://a.b", "https://me:pw@a.b", "https://a.b?x=1", "https://a.b/x|<!here>", "https://a b"]
        {
            assert!(files_problem(text).is_some(), "{text}");
        }
    }
}
