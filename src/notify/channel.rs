//! To whom notices go: the addresses that variables hold, what is wrong with them, and a message's form and signature.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use sha2::Sha256;

use super::notice::Notice;
use super::{cloudevents, slack};
use crate::plan::NotifyPlan;
use crate::unit::{Secret, hex};
use crate::workspace::WebhookFormat;

/// The longest address that is taken, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The form that a channel is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChannelKind {
    /// Blocks for a Slack webhook.
    Slack,
    /// JSON of our own.
    Webhook,
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        })
    }
}

/// Why a channel can not be used. Nothing of what the variable holds is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelProblem {
    /// There is nothing in it.
    #[error("the variable `{0}` is not set, or is empty: set it to the webhook's URL")]
    Unset(String),
    /// There is no URL in it.
    #[error("the variable `{0}` holds no URL")]
    NoUrl(String),
    /// Everybody on the way could read it.
    #[error("the variable `{0}` holds no `https` URL, and it goes beyond this machine")]
    NotHttps(String),
    /// There is no key.
    #[error("the variable `{0}` with the key of the signature is not set, or is empty, and nothing is sent unsigned")]
    NoKey(String),
}

/// One receiver of notices. Its address and its key are secrets.
#[derive(Clone)]
pub struct Channel {
    /// The form.
    pub kind: ChannelKind,
    /// The variable that has its address.
    pub variable: String,
    /// How a webhook is told; Slack has a form of its own.
    format: WebhookFormat,
    url: Arc<Url>,
    key: Option<Secret>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Channel")
            .field("kind", &self.kind)
            .field("variable", &self.variable)
            .finish_non_exhaustive()
    }
}

/// The receivers that a plan names: those that can be used, and why the others can not.
#[derive(Debug, Default)]
pub struct Channels {
    /// Those that can be used.
    pub usable: Vec<Channel>,
    /// Those that can not.
    pub unusable: Vec<(ChannelKind, ChannelProblem)>,
}

impl Channels {
    /// Looks the variables of a plan up.
    #[must_use]
    pub fn of(plan: &NotifyPlan, read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut channels = Self::default();
        let named = [
            (ChannelKind::Slack, plan.slack.as_ref(), None),
            (ChannelKind::Webhook, plan.webhook.as_ref(), plan.webhook_secret.as_ref()),
        ];
        for (kind, variable, key) in named {
            let Some(variable) = variable else { continue };
            match Channel::of(kind, variable, key.map(String::as_str), read) {
                Ok(channel) => channels.usable.push(Channel { format: plan.webhook_format, ..channel }),
                Err(problem) => channels.unusable.push((kind, problem)),
            }
        }
        channels
    }

    /// The same of this process's variables.
    #[must_use]
    pub fn of_environment(plan: &NotifyPlan) -> Self {
        Self::of(plan, &|name| std::env::var(name).ok())
    }

    /// One line for each that can not be used.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.unusable.iter().map(|(kind, problem)| format!("no notice goes to {kind}: {problem}"))
    }
}

impl Channel {
    fn of(
        kind: ChannelKind,
        variable: &str,
        key: Option<&str>,
        read: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ChannelProblem> {
        let name = || variable.to_owned();
        let text =
            read(variable).filter(|text| !text.trim().is_empty()).ok_or_else(|| ChannelProblem::Unset(name()))?;
        let url = Some(text.trim()).filter(|text| text.len() <= URL_BYTES_MAX).and_then(|text| Url::parse(text).ok());
        let url = url.filter(Url::has_host).ok_or_else(|| ChannelProblem::NoUrl(name()))?;
        match url.scheme() {
            "https" => {}
            "http" if is_here(&url) => {}
            _ => return Err(ChannelProblem::NotHttps(name())),
        }
        let key = key.map(|key| {
            let value = read(key).filter(|value| !value.is_empty());
            value.map(Secret::new).ok_or_else(|| ChannelProblem::NoKey(key.to_owned()))
        });
        Ok(Self { kind, variable: name(), format: WebhookFormat::default(), url: Arc::new(url), key: key.transpose()? })
    }

    /// Where it is. It is a secret: whoever asks sends something there, and tells it to nobody.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is on this machine, so that no proxy of the network is asked.
    pub(super) fn is_here(&self) -> bool {
        is_here(&self.url)
    }

    /// A notice in its form.
    pub(super) fn body(&self, notice: &Notice) -> String {
        match (self.kind, self.format) {
            (ChannelKind::Slack, _) => slack::message(notice).to_string(),
            (ChannelKind::Webhook, WebhookFormat::Notice) => {
                serde_json::to_string(notice).expect("invariant: a notice serialises to JSON")
            }
            (ChannelKind::Webhook, WebhookFormat::Cloudevents) => cloudevents::message(notice).to_string(),
        }
    }

    /// The media type of that form.
    pub(super) fn content_type(&self) -> &'static str {
        match (self.kind, self.format) {
            (ChannelKind::Webhook, WebhookFormat::Cloudevents) => cloudevents::CONTENT_TYPE,
            (ChannelKind::Webhook, WebhookFormat::Notice) | (ChannelKind::Slack, _) => "application/json",
        }
    }

    /// What stands in `X-Gameday-Signature`: `sha256=` and the HMAC-SHA256 of the body (RFC 2104) in hexadecimal; none where it has no
    /// key.
    pub(super) fn signature(&self, body: &[u8]) -> Option<String> {
        let key = self.key.as_ref()?.reveal().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("invariant: HMAC takes a key of any length");
        mac.update(body);
        Some(format!("sha256={}", hex(&mac.finalize().into_bytes())))
    }

    /// Whether a text holds a part of the address, or the key, in whatever case.
    pub(super) fn gives_away(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let url = &self.url;
        let path = url.path_segments().into_iter().flatten();
        let query = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
        let parts = path.chain(query).chain([url.username()]).chain(url.password()).chain(url.fragment());
        let key = self.key.as_ref().map(Secret::reveal);
        parts.chain(key).filter(|part| part.len() >= SECRET_BYTES_MIN).any(|part| text.contains(&part.to_lowercase()))
    }
}

/// A part of an address that is shorter is no secret, but a word.
const SECRET_BYTES_MIN: usize = 4;

fn is_here(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> NotifyPlan {
        serde_json::from_str(text).unwrap()
    }

    fn look(plan: &NotifyPlan, variables: &[(&str, &str)]) -> Channels {
        let read =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Channels::of(plan, &read)
    }

    #[test]
    fn a_channel_needs_a_url_that_nobody_on_the_way_can_read() {
        let plan = plan(r#"{"slack": "URL", "events": []}"#);
        for url in
            ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:1/x", "http://localhost/x", " https://a.b/\n"]
        {
            assert_eq!(look(&plan, &[("URL", url)]).usable.len(), 1, "{url}");
        }
        let long = format!("https://a.b/{}", "x".repeat(URL_BYTES_MAX));
        for url in [
            "",
            " ",
            "hooks.slack.com/s3cret",
            "http://hooks.slack.com/s3cret",
            "file:///s3cret",
            "http://127.0.0.1.evil/s3cret",
            &long,
        ] {
            let channels = look(&plan, &[("URL", url)]);
            let told: Vec<String> = channels.problems().collect();
            assert!(channels.usable.is_empty() && told.len() == 1, "{url}");
            assert!(told[0].contains("`URL`") && !told[0].contains("s3cret") && !told[0].contains("xxx"), "{told:?}");
        }
        assert_eq!(look(&plan, &[]).unusable, [(ChannelKind::Slack, ChannelProblem::Unset("URL".to_owned()))]);
    }

    #[test]
    fn nothing_is_sent_unsigned_where_a_signature_is_asked_for() {
        let plan = plan(r#"{"webhook": "URL", "webhook_secret": "KEY", "events": []}"#);
        let without = look(&plan, &[("URL", "https://a.b/hook")]);
        assert_eq!(without.unusable, [(ChannelKind::Webhook, ChannelProblem::NoKey("KEY".to_owned()))]);
        let with = look(&plan, &[("URL", "https://a.b/hook"), ("KEY", "Jefe")]);
        // RFC 4231, test case 2.
        assert_eq!(
            with.usable[0].signature(b"what do ya want for nothing?").as_deref(),
            Some("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }

    #[test]
    fn an_address_and_a_key_are_shown_by_nothing() {
        let plan = plan(r#"{"webhook": "URL", "webhook_secret": "KEY", "events": []}"#);
        let channels = look(&plan, &[("URL", "https://a.b/Services/T000SECRET?token=hidden"), ("KEY", "the-key")]);
        let text = format!("{channels:?}");
        assert!(!text.contains("SECRET") && !text.contains("hidden") && !text.contains("the-key"), "{text}");
        let channel = &channels.usable[0];
        for text in ["no /t000secret here", "HIDDEN", "the-key", "services"] {
            assert!(channel.gives_away(text), "{text}");
        }
        assert!(!channel.gives_away("invalid_payload"));
    }
}
