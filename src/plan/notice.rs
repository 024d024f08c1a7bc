//! Who is told of a run, and of what: names of variables, never what is in them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::types::Plan;
use crate::scenario::Scenario;
use crate::unit::PlaybookId;
use crate::workspace::{Notify, NotifyEvent, WebhookFormat, Workspace, variable};

/// To whom notices go, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyPlan {
    /// The variable that has the URL of a Slack webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// The variable that has the URL of a receiver of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// The variable that has the key with which messages to `webhook` are signed; none sends them unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
    /// How `webhook` is told.
    #[serde(default, skip_serializing_if = "WebhookFormat::is_default")]
    pub webhook_format: WebhookFormat,
    /// What is told, in the order of a run.
    pub events: Vec<NotifyEvent>,
    /// Where the workspace's files are read in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// The files of the playbooks that the timeline names, below the workspace's folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub playbooks: BTreeMap<PlaybookId, String>,
}

impl NotifyPlan {
    /// What a scenario and its workspace ask for together; none where neither names a receiver.
    #[must_use]
    pub fn of(scenario: Option<&Scenario>, workspace: &Workspace) -> Option<Self> {
        let own = scenario.and_then(|scenario| scenario.notify.as_ref());
        let notify = Notify::merged(own, workspace.notify.as_ref())?;
        // What is no name of a variable does not get past `check`.
        let name = |source: Option<&String>| Some(variable(source?).ok()?.to_owned());
        let (slack, webhook) = (name(notify.slack.as_ref()), name(notify.webhook.as_ref()));
        if slack.is_none() && webhook.is_none() {
            return None;
        }
        let is_asked = |event: &NotifyEvent| notify.events.is_empty() || notify.events.contains(event);
        let named = scenario.into_iter().flat_map(|scenario| &scenario.timeline);
        let playbooks = named.filter_map(|phase| {
            let id = phase.playbook.as_ref()?;
            Some((id.clone(), below(&workspace.root, workspace.playbooks.get(id)?)))
        });
        Some(Self {
            slack,
            webhook,
            webhook_secret: name(notify.webhook_secret.as_ref()),
            webhook_format: notify.webhook_format.unwrap_or_default(),
            events: NotifyEvent::ALL.into_iter().filter(is_asked).collect(),
            playbooks: playbooks.collect(),
            files: notify.files,
        })
    }

    /// Whether this is told.
    #[must_use]
    pub fn tells(&self, event: NotifyEvent) -> bool {
        self.events.contains(&event)
    }
}

/// A path as it reads from the workspace's folder.
fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

impl Plan {
    /// Whether somebody takes part from whom faults are hidden.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.scenario.people.values().any(|person| person.blind)
    }
}
