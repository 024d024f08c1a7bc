//! Steps with their URLs whole, their files read and their groups gone into their names.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Targets;
use super::call::{AnswerKind, Call, PlannedPiece, PlannedSignature};
use crate::load::call::SendSpec;
use crate::load::expect::{CaptureSpec, ExpectSpec};
use crate::load::placeholder;
use crate::load::spec::LoadSpec;
use crate::load::step::{LoopSpec, Method, PartSpec, StepKind, StepSpec, name_within};
use crate::load::text::{Known, Owner};
use crate::unit::{DurationText, Rest};

/// When a request is given up, unless its step says otherwise.
pub const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// What a file of a form is, where nothing says so (RFC 7578, 4.4).
const MEDIA_TYPE_DEFAULT: &str = "application/octet-stream";

/// What a user does next. Texts may still hold `${name}` of values that are only known when it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedStep {
    /// A request.
    Request(Box<PlannedRequest>),
    /// A rest.
    Pause(Rest),
    /// Values for later.
    Set(BTreeMap<String, Value>),
    /// Steps that are taken several times.
    Loop(PlannedLoop),
    /// Steps of which some are taken.
    If(PlannedIf),
}

/// A request with its URL whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRequest {
    /// Its name in frames.
    pub name: String,
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// What is added to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<PlannedBody>,
    /// Values to keep from the answer.
    pub capture: BTreeMap<String, CaptureSpec>,
    /// What makes the answer a success.
    pub expect: ExpectSpec,
    /// How long the user rests afterwards.
    pub think: Option<Rest>,
    /// When the request is given up.
    pub timeout: DurationText,
    /// What it is signed for; none is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<PlannedSignature>,
    /// Whose answer it is.
    #[serde(default)]
    pub answer: AnswerKind,
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedBody {
    /// JSON.
    Json(Value),
    /// Plain text.
    Text(String),
    /// A form.
    Form(BTreeMap<String, String>),
    /// A file as it is.
    File(FileBytes),
    /// Several parts.
    Multipart(Vec<PlannedPart>),
    /// Pieces that follow each other.
    Pieces(Vec<PlannedPiece>),
}

/// A part of a body of several parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedPart {
    /// A text.
    Text {
        /// The field's name.
        field: String,
        /// Its value.
        value: String,
    },
    /// A file.
    File {
        /// The field's name.
        field: String,
        /// What the server is told that the file is called.
        name: String,
        /// What it is.
        media_type: String,
        /// What is in it.
        bytes: FileBytes,
    },
}

/// Bytes of a file; text in a plan is their Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct FileBytes(pub Vec<u8>);

impl fmt::Debug for FileBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.0.len())
    }
}

impl Serialize for FileBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        STANDARD.encode(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// Steps that are taken several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedLoop {
    /// How often.
    pub turns: Turns,
    /// What is done in each turn.
    pub steps: Vec<PlannedStep>,
}

/// How often a loop's steps are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// A number of times.
    Times(u32),
    /// Once for each item of a list.
    Over {
        /// The placeholder of the list.
        list: String,
        /// What the item is called.
        item: String,
    },
}

/// Steps of which some are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedIf {
    /// What decides.
    pub condition: PlannedCondition,
    /// What is done where it holds.
    pub then: Vec<PlannedStep>,
    /// What is done where it does not.
    pub otherwise: Vec<PlannedStep>,
}

/// Whether a value equals another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCondition {
    /// What is looked at.
    pub value: String,
    /// What it is compared with.
    pub other: Value,
    /// Whether they must be equal, or must not.
    pub is_equal: bool,
}

/// Plans the steps of a load that is valid.
pub(super) struct Planner<'p> {
    load: &'p LoadSpec,
    targets: &'p Targets<'p>,
    files: &'p BTreeMap<String, Vec<u8>>,
    /// The names of the groups around the step.
    groups: Vec<String>,
    /// The items of the loops around it, which are not the caller's to resolve.
    known: Known,
}

impl<'p> Planner<'p> {
    pub(super) fn new(load: &'p LoadSpec, targets: &'p Targets<'p>, files: &'p BTreeMap<String, Vec<u8>>) -> Self {
        Self { load, targets, files, groups: Vec::new(), known: Known::default() }
    }

    /// The steps; those of groups are put in their place. `think` is what users do after a request that does not say.
    pub(super) fn steps(&mut self, steps: &[StepSpec], think: Option<Rest>) -> Vec<PlannedStep> {
        let mut planned = Vec::with_capacity(steps.len());
        for step in steps {
            match step.kind() {
                Some(StepKind::Request(method, url)) => {
                    planned.push(self.request(step, self.http(step, method, url), think));
                }
                Some(kind @ (StepKind::Invoke(_) | StepKind::Send(_))) => {
                    planned.extend(self.call(step, kind).map(|call| self.request(step, call, think)));
                }
                Some(StepKind::Pause(rest)) => planned.push(PlannedStep::Pause(rest)),
                Some(StepKind::Set(values)) => {
                    let values = values.iter().map(|(name, value)| (name.clone(), self.json(value))).collect();
                    planned.push(PlannedStep::Set(values));
                }
                Some(StepKind::Group(group)) => {
                    self.groups.push(group.name.clone());
                    planned.extend(self.steps(&group.steps, think));
                    self.groups.pop();
                }
                Some(StepKind::Loop(repeat)) => planned.extend(self.repeat(repeat, think)),
                Some(StepKind::If(condition)) => {
                    let other = condition.is.as_ref().or(condition.is_not.as_ref()).unwrap_or(&Value::Null);
                    planned.push(PlannedStep::If(PlannedIf {
                        condition: PlannedCondition {
                            value: self.text(&condition.value),
                            other: self.json(other),
                            is_equal: condition.is.is_some(),
                        },
                        then: self.steps(step.then.as_deref().unwrap_or_default(), think),
                        otherwise: self.steps(step.otherwise.as_deref().unwrap_or_default(), think),
                    }));
                }
                // What is not valid was refused before.
                None => {}
            }
        }
        planned
    }

    fn repeat(&mut self, repeat: &LoopSpec, think: Option<Rest>) -> Option<PlannedStep> {
        let turns = match (repeat.times, repeat.over.as_deref().and_then(placeholder::sole_name), repeat.item()) {
            (Some(times), _, _) => Turns::Times(times),
            (None, Some(list), Some(item)) => Turns::Over { list: list.to_owned(), item: item.to_owned() },
            (None, _, _) => return None,
        };
        let depth = self.known.items.len();
        self.known.items.extend(repeat.item().map(str::to_owned));
        let steps = self.steps(&repeat.steps, think);
        self.known.items.truncate(depth);
        Some(PlannedStep::Loop(PlannedLoop { turns, steps }))
    }

    fn http(&self, step: &StepSpec, method: Method, url: &str) -> Call {
        let mut whole = match (&self.load.base_url, url.starts_with('/')) {
            (Some(base), true) => format!("{}{}", self.text(base).trim_end_matches('/'), self.text(url)),
            (_, false) | (None, true) => self.text(url),
        };
        // What stands behind it is never sent, and a query must stand before it.
        if let Some((sent, _)) = whole.split_once('#').filter(|_| !step.query.is_empty()) {
            whole = sent.to_owned();
        }
        Call {
            method,
            url: whole,
            query: self.fields(&step.query),
            headers: self.fields(&step.headers),
            body: self.body(step),
            sign: self.signature(step, url),
            answer: AnswerKind::Http,
        }
    }

    fn signature(&self, step: &StepSpec, url: &str) -> Option<PlannedSignature> {
        // What the load says is about what is below its base.
        let of_load = self.load.sign.as_ref().filter(|_| url.starts_with('/'));
        let service = step.sign.as_ref().or(of_load)?;
        Some(PlannedSignature { service: service.clone(), region: self.targets.region.to_owned() })
    }

    /// A call of AWS; none of a target that has no address, which was refused before.
    fn call(&self, step: &StepSpec, kind: StepKind<'_>) -> Option<Call> {
        let address = (self.targets.address)(step.callee()?)?;
        match kind {
            StepKind::Send(send) => Call::message(&address, &self.message(send), self.body(step)),
            StepKind::Invoke(_) => {
                let (kind, tails_log) = (step.invocation.unwrap_or_default(), step.cold_starts.unwrap_or_default());
                Call::invocation(&address, kind, tails_log, self.body(step))
            }
            StepKind::Request(..)
            | StepKind::Pause(_)
            | StepKind::Set(_)
            | StepKind::Group(_)
            | StepKind::Loop(_)
            | StepKind::If(_) => None,
        }
    }

    fn request(&self, step: &StepSpec, call: Call, think: Option<Rest>) -> PlannedStep {
        let Call { method, url, query, headers, body, sign, answer } = call;
        PlannedStep::Request(Box::new(PlannedRequest {
            name: name_within(&self.groups, &step.label()),
            method,
            url,
            query,
            headers,
            body,
            capture: step.capture.clone(),
            expect: step.expect.clone().unwrap_or_default(),
            think: step.think.or(think),
            timeout: step.timeout.unwrap_or(DurationText(REQUEST_TIMEOUT_DEFAULT)),
            sign,
            answer,
        }))
    }

    /// A message's way with the placeholders of targets filled.
    fn message(&self, send: &SendSpec) -> SendSpec {
        let text = |text: &Option<String>| text.as_deref().map(|text| self.text(text));
        SendSpec {
            to: send.to.clone(),
            attributes: self.fields(&send.attributes),
            group: text(&send.group),
            deduplication: text(&send.deduplication),
            subject: text(&send.subject),
            source: text(&send.source),
            detail_type: text(&send.detail_type),
            key: text(&send.key),
        }
    }

    fn body(&self, step: &StepSpec) -> Option<PlannedBody> {
        let json = step.json.as_ref().map(|json| PlannedBody::Json(self.json(json)));
        let text = || step.body.as_deref().map(|body| PlannedBody::Text(self.text(body)));
        let form = || step.form.as_ref().map(|form| PlannedBody::Form(self.fields(form)));
        let file = || step.file.as_deref().map(|file| PlannedBody::File(self.file(file)));
        let parts = || {
            let parts = step.multipart.as_ref()?;
            Some(PlannedBody::Multipart(parts.iter().map(|(field, part)| self.part(field, part)).collect()))
        };
        json.or_else(text).or_else(form).or_else(file).or_else(parts)
    }

    fn part(&self, field: &str, part: &PartSpec) -> PlannedPart {
        let field = field.to_owned();
        match part {
            PartSpec::Text(text) => PlannedPart::Text { field, value: self.text(text) },
            PartSpec::File(part) => PlannedPart::File {
                field,
                name: part.name.clone().unwrap_or_else(|| part.file.rsplit('/').next().unwrap_or_default().to_owned()),
                media_type: part.media_type.clone().unwrap_or_else(|| MEDIA_TYPE_DEFAULT.to_owned()),
                bytes: self.file(&part.file),
            },
        }
    }

    fn file(&self, path: &str) -> FileBytes {
        FileBytes(self.files.get(path).cloned().unwrap_or_default())
    }

    fn fields(&self, fields: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        fields.iter().map(|(name, value)| (name.clone(), self.text(value))).collect()
    }

    fn text(&self, text: &str) -> String {
        placeholder::fill(text, |name| self.target(name))
    }

    fn json(&self, json: &Value) -> Value {
        placeholder::fill_json(json, &mut |name| self.target(name).map(Value::String))
    }

    /// What a target's placeholder stands for; none where it is none.
    fn target(&self, name: &str) -> Option<String> {
        (self.known.owner(self.load, name) == Owner::Target).then(|| (self.targets.placeholder)(name)).flatten()
    }
}
