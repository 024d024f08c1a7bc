//! A step as scenario files write it: a request, or what leads from one to the next.
//!
//! Owns: the keys, their types and defaults. What a valid combination is stands in `check/step.rs`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::call::{InvocationType, SendSpec};
use super::expect::{CaptureSpec, ExpectSpec};
use crate::unit::{DurationText, Rest, TargetId};

/// One request or call of AWS and what is expected of its answer, or one of `pause`, `set`, `group`, `loop` and `if`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The request's name in frames, signals and reports; default the method and the path as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// GET this path (below `base_url`) or absolute URL. A request has one of the seven methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// POST to this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// PUT to this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// PATCH this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// DELETE this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// HEAD of this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// OPTIONS of this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// Invoke the function of this `lambda` target, through its alias where it has one. `json`, `body` or `file` is the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoke: Option<TargetId>,
    /// How `invoke` does it: `request_response` (the default) waits for the function's answer, `event` has the event queued,
    /// `dry_run` only asks whether it may be invoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<InvocationType>,
    /// Count how many invocations had to start an environment first, and how long that took: each is asked for the end of its
    /// log, in which Lambda says so. Default false; only with `invoke` and its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_starts: Option<bool>,
    /// Send a message to a queue, a topic, a bus or a stream: its target, or `{to: …}` with what goes along. `json`, `body` or
    /// `file` is the message.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "SendSpec::short_or_whole")]
    #[schemars(schema_with = "SendSpec::short_or_whole_schema")]
    pub send: Option<SendSpec>,
    /// The service for which the request is signed (Signature Version 4) with the environment's credentials: `execute-api`,
    /// `lambda` for a function URL. Default the load's `sign`, for a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<String>,
    /// What is added to the URL behind `?`: name → value, percent-encoded; values may hold `${name}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Request headers; values may hold `${name}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body. A text that is one placeholder and nothing else becomes the captured value with its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// A plain body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// A body as a form of a web page sends it (`application/x-www-form-urlencoded`): name → value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<BTreeMap<String, String>>,
    /// A body that is a file of the workspace, as its path from the workspace's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// A body of several parts (`multipart/form-data`): name → text, or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipart: Option<BTreeMap<String, PartSpec>>,
    /// Values to keep from the answer for later steps of the journey: name → where each stands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, CaptureSpec>,
    /// What makes the answer a success; default any status below 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<ExpectSpec>,
    /// How long the user rests after this request, instead of the journey's `think`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Rest>,
    /// When to give up, to the end of the body; default 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// No request: a rest, `2s`, drawn evenly from `1s..3s`, or of the mean `exp(2s)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Rest>,
    /// No request: values for later steps of the journey, name → text or JSON, which may hold `${name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<BTreeMap<String, Value>>,
    /// Several steps under one name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupSpec>,
    /// Steps that are taken several times.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub repeat: Option<LoopSpec>,
    /// What decides whether the steps of `then` are taken, or those of `else`.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSpec>,
    /// The steps that are taken where `if` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Vec<StepSpec>>,
    /// The steps that are taken where it does not; default none.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Vec<StepSpec>>,
}

/// Several steps under one name: in frames and signals each is called `group / step`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// The name that stands before those of its steps.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<StepSpec>,
}

/// Steps that are taken several times: `{times: 3, steps: […]}`, or once for each item of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopSpec {
    /// How often: 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// A captured list, as `"${items}"`; of at most 10000 items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// What the item of the turn is called within the loop; default `item`. Its fields are `${item.field}`.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What is taken in each turn, in order.
    pub steps: Vec<StepSpec>,
}

/// The name of a loop's item where it has no other.
const ITEM_DEFAULT: &str = "item";

impl LoopSpec {
    /// What the item of a turn is called; none where the loop has no list.
    pub(crate) fn item(&self) -> Option<&str> {
        self.over.as_ref().map(|_| self.item.as_deref().unwrap_or(ITEM_DEFAULT))
    }
}

/// What decides between `then` and `else`: a value that is, or is not, as given. Compared as JSON, or else as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// What is looked at, as `"${tier}"`.
    pub value: String,
    /// It holds where the value equals this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
    /// It holds where the value does not equal this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_not: Option<Value>,
}

/// A part of a body of several parts: a text that may hold `${name}`, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartSpec {
    /// A text.
    Text(String),
    /// A file.
    File(FilePart),
}

/// A file as a part of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePart {
    /// The file's path from the workspace's folder.
    pub file: String,
    /// What it is: `image/png`; default `application/octet-stream`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What the server is told that the file is called; default the last part of its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Serialize for PartSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::File(file) => file.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PartSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;
        impl<'de> Visitor<'de> for Part {
            type Value = PartSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text, or a file such as `{file: a.png}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PartSpec, E> {
                Ok(PartSpec::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PartSpec, A::Error> {
                FilePart::deserialize(MapAccessDeserializer::new(map)).map(PartSpec::File)
            }
        }
        deserializer.deserialize_any(Part)
    }
}

impl JsonSchema for PartSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PartSpec".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let file = generator.subschema_for::<FilePart>();
        schemars::json_schema!({
            "description": "a text, or a file",
            "oneOf": [{"type": "string"}, file],
        })
    }
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepKind<'s> {
    /// A request with its path or URL.
    Request(Method, &'s str),
    /// A function that is invoked.
    Invoke(&'s TargetId),
    /// A message that is sent.
    Send(&'s SendSpec),
    /// A rest.
    Pause(Rest),
    /// Values for later.
    Set(&'s BTreeMap<String, Value>),
    /// Steps under a name.
    Group(&'s GroupSpec),
    /// Steps that are taken several times.
    Loop(&'s LoopSpec),
    /// Steps of which some are taken.
    If(&'s ConditionSpec),
}

impl StepKind<'_> {
    /// Whether it is sent and answered, and so counted.
    #[must_use]
    pub fn is_sent(self) -> bool {
        match self {
            Self::Request(..) | Self::Invoke(_) | Self::Send(_) => true,
            Self::Pause(_) | Self::Set(_) | Self::Group(_) | Self::Loop(_) | Self::If(_) => false,
        }
    }

    /// The key that makes a step one of this kind.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Request(method, _) => method.key(),
            Self::Invoke(_) => "invoke",
            Self::Send(_) => "send",
            Self::Pause(_) => "pause",
            Self::Set(_) => "set",
            Self::Group(_) => "group",
            Self::Loop(_) => "loop",
            Self::If(_) => "if",
        }
    }
}

impl StepSpec {
    /// Everything that the step is; a valid step is one thing.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = StepKind<'_>> {
        let requests = [
            (Method::Get, &self.get),
            (Method::Post, &self.post),
            (Method::Put, &self.put),
            (Method::Patch, &self.patch),
            (Method::Delete, &self.delete),
            (Method::Head, &self.head),
            (Method::Options, &self.options),
        ];
        let requests =
            requests.into_iter().filter_map(|(method, url)| Some(StepKind::Request(method, url.as_deref()?)));
        let others = [
            self.invoke.as_ref().map(StepKind::Invoke),
            self.send.as_ref().map(StepKind::Send),
            self.pause.map(StepKind::Pause),
            self.set.as_ref().map(StepKind::Set),
            self.group.as_ref().map(StepKind::Group),
            self.repeat.as_ref().map(StepKind::Loop),
            self.condition.as_ref().map(StepKind::If),
        ];
        requests.chain(others.into_iter().flatten())
    }

    /// What the step is; none when it is nothing or several things.
    #[must_use]
    pub fn kind(&self) -> Option<StepKind<'_>> {
        let mut kinds = self.kinds();
        kinds.next().filter(|_| kinds.next().is_none())
    }

    /// The step's name in frames: `name`, or the method and path as written, `GET /items`, or the call and its target,
    /// `invoke orders-fn`. Empty for one that sends nothing.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.name, self.kind()) {
            (Some(name), _) => name.clone(),
            (None, Some(StepKind::Request(method, url))) => format!("{method} {url}"),
            (None, Some(StepKind::Invoke(target))) => format!("invoke {target}"),
            (None, Some(StepKind::Send(send))) => format!("send {}", send.to),
            (None, _) => String::new(),
        }
    }

    /// The target that the step calls; none where it calls none.
    #[must_use]
    pub fn callee(&self) -> Option<&TargetId> {
        self.invoke.as_ref().or_else(|| self.send.as_ref().map(|send| &send.to))
    }

    /// The steps within the step, with the keys that lead to each list of them.
    pub(crate) fn inner(&self) -> impl Iterator<Item = (&'static [&'static str], &[StepSpec])> {
        let lists: [(&'static [&'static str], Option<&[StepSpec]>); 4] = [
            (&["group", "steps"], self.group.as_ref().map(|group| group.steps.as_slice())),
            (&["loop", "steps"], self.repeat.as_ref().map(|repeat| repeat.steps.as_slice())),
            (&["then"], self.then.as_deref()),
            (&["else"], self.otherwise.as_deref()),
        ];
        lists.into_iter().filter_map(|(keys, steps)| Some((keys, steps?)))
    }

    /// Every file that the step sends, with the keys that lead to its path.
    pub(crate) fn files(&self) -> Vec<(Vec<&str>, &str)> {
        let whole = self.file.iter().map(|file| (vec!["file"], file.as_str()));
        let parts = self.multipart.iter().flatten().filter_map(|(name, part)| match part {
            PartSpec::File(part) => Some((vec!["multipart", name, "file"], part.file.as_str())),
            PartSpec::Text(_) => None,
        });
        whole.chain(parts).collect()
    }
}

/// What joins the name of a group and that of a step.
const GROUP_JOINT: &str = " / ";

/// A step's name in frames within the groups around it.
pub(crate) fn name_within(groups: &[String], label: &str) -> String {
    groups.iter().map(String::as_str).chain([label]).collect::<Vec<_>>().join(GROUP_JOINT)
}

/// The names in frames of all requests among the steps, in order.
pub(crate) fn labels(steps: &[StepSpec], groups: &mut Vec<String>, found: &mut Vec<String>) {
    for step in steps {
        if step.kind().is_some_and(StepKind::is_sent) {
            found.push(name_within(groups, &step.label()));
        }
        let is_group = step.group.is_some();
        groups.extend(step.group.iter().map(|group| group.name.clone()));
        for (_, inner) in step.inner() {
            labels(inner, groups, found);
        }
        if is_group {
            groups.pop();
        }
    }
}

/// An HTTP method that a step may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they are called (RFC 9110, RFC 5789)")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    /// The key under which a step names its path.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Head => "head",
            Self::Options => "options",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key().to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(yaml: &str) -> StepSpec {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn a_step_survives_being_written() {
        for yaml in [
            "{post: /a, query: {q: '${q}'}, multipart: {note: hello, photo: {file: a.png, type: image/png}}}",
            "{pause: exp(2s)}",
            "{invoke: orders-fn, invocation: event, json: {id: 1}}",
            "{send: {to: orders, attributes: {a: b}, group: '${c}', deduplication: '${uuid}'}, body: x}",
            "{set: {a: 1, b: '${c}'}}",
            "{loop: {over: '${items}', as: one, steps: [{if: {value: '${one}', is: x}, then: [{get: /}], else: [{options: /}]}]}}",
            "{get: /, capture: {a: $.a, b: {header: x-id}, c: {regex: 'id=(\\d+)'}, d: {cookie: sid}}, expect: {header: {etag: '*'}}}",
        ] {
            let step = step(yaml);
            assert!(step.kind().is_some(), "{yaml}");
            assert_eq!(serde_json::from_str::<StepSpec>(&serde_json::to_string(&step).unwrap()).unwrap(), step);
        }
    }

    #[test]
    fn steps_are_named_by_the_groups_around_them() {
        let steps = [step(
            "{group: {name: buy, steps: [{get: /a}, {loop: {times: 2, steps: [{name: b, get: /b}]}},
                {group: {name: pay, steps: [{post: /c}]}}]}}",
        )];
        let mut found = Vec::new();
        labels(&steps, &mut Vec::new(), &mut found);
        assert_eq!(found, ["buy / GET /a", "buy / b", "buy / pay / POST /c"]);
    }
}
