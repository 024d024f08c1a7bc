//! Messages: what each kind of receiver wants to be told, and what it can not be told.

use serde_json::Value;

use super::{Checker, SpecProblem};
use crate::load::call::ReceiverKind;
use crate::load::placeholder;
use crate::load::step::StepSpec;

/// What queues and topics are called that keep the order of messages (AWS).
const FIFO_SUFFIX: &str = ".fifo";

impl StepSpec {
    /// What is wrong with a `send` to a receiver of this kind and name; paths begin at the step.
    #[must_use]
    pub fn send_problems(&self, receiver: ReceiverKind, name: &str) -> Vec<SpecProblem> {
        let mut checker = Checker { path: Vec::new(), problems: Vec::new() };
        checker.within("send", |checker| self.check_keys(checker, receiver, name));
        if receiver == ReceiverKind::Bus && self.json.as_ref().is_some_and(|json| !may_be_object(json)) {
            checker.within("json", |checker| {
                checker.problem("an event's detail is a JSON object", "write it as `{order: 17}`")
            });
        }
        if receiver == ReceiverKind::Bus && self.json.is_none() {
            for (key, is_given) in [("body", self.body.is_some()), ("file", self.file.is_some())] {
                if is_given {
                    checker.within(key, |checker| {
                        checker.problem("an event's detail is a JSON object", "write it as `json: {…}`");
                    });
                }
            }
        }
        checker.problems
    }

    /// What is wrong with an event for a function.
    pub(super) fn check_event(&self, checker: &mut Checker) {
        if let Some(body) = &self.body
            && placeholder::names(body).next().is_none()
            && serde_json::from_str::<Value>(body).is_err()
        {
            checker.within("body", |checker| {
                checker.problem("a function takes JSON, and this is none", "write it as `json: {…}`");
            });
        }
    }

    fn check_keys(&self, checker: &mut Checker, receiver: ReceiverKind, name: &str) {
        let Some(send) = &self.send else { return };
        let is_fifo = name.ends_with(FIFO_SUFFIX);
        for (key, _) in send.texts().filter(|(_, text)| text.is_empty()) {
            checker
                .within(key, |checker| checker.problem(format!("`{key}` is empty"), "say what it is, or leave it out"));
        }
        checker.within("attributes", |checker| {
            for name in send.attributes.keys().filter(|name| !is_attribute(name)) {
                checker.within(name, |checker| {
                    checker.problem(
                        format!("`{name}` is not the name of an attribute"),
                        "use letters, digits, `_`, `-` and `.`, and do not begin with `AWS.` or `Amazon.`",
                    );
                });
            }
        });
        let given = [("attributes", !send.attributes.is_empty())].into_iter();
        for (key, _) in given.chain(send.texts().map(|(key, _)| (key, true))).filter(|(_, is_given)| *is_given) {
            if !receiver.keys().contains(&key) {
                checker.within(key, |checker| {
                    let remedy = format!("leave it out; a {} knows {}", receiver.thing(), receiver.known());
                    checker.problem(format!("a {} has no `{key}`", receiver.thing()), remedy);
                });
            } else if key == "deduplication" && !is_fifo {
                checker.within(key, |checker| {
                    let message = format!("`{name}` keeps no order, and knows no duplicates");
                    checker.problem(message, "leave it out, or name one that ends with `.fifo`");
                });
            }
        }
        if is_fifo && send.group.is_none() && receiver.keys().contains(&"group") {
            checker.problem(
                format!("`{name}` keeps the order within groups, and the message has none"),
                "add it, as in `group: \"${customer}\"`",
            );
        }
        if receiver == ReceiverKind::Bus {
            for (key, is_given) in [("source", send.source.is_some()), ("detail_type", send.detail_type.is_some())] {
                if !is_given {
                    checker.problem(
                        format!("the event has no `{key}`"),
                        "rules match by it: add `source: shop.load` and `detail_type: OrderPlaced`",
                    );
                }
            }
        }
    }
}

/// Whether a value is an object, or a placeholder that may stand for one.
fn may_be_object(json: &Value) -> bool {
    match json {
        Value::Object(_) => true,
        Value::String(text) => {
            placeholder::sole_name(text).is_some_and(|name| placeholder::Generator::parse(name).is_none())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

/// AWS: SendMessage, `MessageAttributes`.
fn is_attribute(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_reserved = ["aws.", "amazon."].iter().any(|prefix| name.to_ascii_lowercase().starts_with(prefix));
    !name.is_empty() && name.chars().all(is_word) && !is_reserved
}

impl ReceiverKind {
    /// The keys of `send` that mean something to it, beside `to`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &["attributes", "group", "deduplication"],
            Self::Topic => &["attributes", "group", "deduplication", "subject"],
            Self::Bus => &["source", "detail_type"],
            Self::Stream => &["key"],
        }
    }

    fn known(self) -> String {
        self.keys().iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    }

    fn thing(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Bus => "bus",
            Self::Stream => "stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(receiver: ReceiverKind, name: &str, yaml: &str) -> Vec<String> {
        let step: StepSpec = serde_yaml::from_str(yaml).unwrap();
        let told = |problem: SpecProblem| format!("{}: {}", problem.path.join("."), problem.message);
        step.send_problems(receiver, name).into_iter().map(told).collect()
    }

    #[test]
    fn a_message_says_what_its_receiver_understands() {
        use ReceiverKind::{Bus, Queue, Stream, Topic};
        for (receiver, name, yaml) in [
            (Queue, "orders", "{send: {to: q, attributes: {a: b}, group: fair}, body: x}"),
            (Queue, "orders.fifo", "{send: {to: q, group: g, deduplication: '${uuid}'}, body: x}"),
            (Topic, "orders", "{send: {to: t, subject: s}, json: {}}"),
            (Bus, "default", "{send: {to: b, source: s, detail_type: d}, json: {}}"),
            (Stream, "clicks", "{send: {to: s, key: '${id}'}, body: x}"),
        ] {
            assert_eq!(problems(receiver, name, yaml), Vec::<String>::new(), "{yaml}");
        }
        for (receiver, name, yaml, expected) in [
            (Queue, "orders", "{send: {to: q, subject: s}, body: x}", "send.subject: a queue has no `subject`"),
            (
                Queue,
                "orders",
                "{send: {to: q, deduplication: a}, body: x}",
                "send.deduplication: `orders` keeps no order, and knows no duplicates",
            ),
            (
                Topic,
                "orders.fifo",
                "{send: {to: t}, body: x}",
                "send: `orders.fifo` keeps the order within groups, and the message has none",
            ),
            (Bus, "b", "{send: {to: b, source: s}, json: {}}", "send: the event has no `detail_type`"),
            (
                Bus,
                "b",
                "{send: {to: b, source: s, detail_type: d}, json: [1]}",
                "json: an event's detail is a JSON object",
            ),
            (Queue, "q", "{send: {to: q, group: ''}, body: x}", "send.group: `group` is empty"),
            (
                Queue,
                "q",
                "{send: {to: q, attributes: {'${a}': b}}, body: x}",
                "send.attributes.${a}: `${a}` is not the name of an attribute",
            ),
            (
                Bus,
                "b",
                "{send: {to: b, source: s, detail_type: d}, body: x}",
                "body: an event's detail is a JSON object",
            ),
            (
                Stream,
                "s",
                "{send: {to: s, attributes: {a: b}}, body: x}",
                "send.attributes: a stream has no `attributes`",
            ),
        ] {
            assert_eq!(problems(receiver, name, yaml), [expected], "{yaml}");
        }
    }
}
