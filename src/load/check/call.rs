//! Messages: what each kind of receiver wants to be told, and what it can not be told.

use super::{Checker, SpecProblem};
use crate::load::call::ReceiverKind;
use crate::load::step::StepSpec;

/// What queues and topics are called that keep the order of messages (AWS).
const FIFO_SUFFIX: &str = ".fifo";

impl StepSpec {
    /// What is wrong with a `send` to a receiver of this kind and name; paths begin at the step.
    #[must_use]
    pub fn send_problems(&self, receiver: ReceiverKind, name: &str) -> Vec<SpecProblem> {
        let mut checker = Checker { path: Vec::new(), problems: Vec::new() };
        checker.within("send", |checker| self.check_keys(checker, receiver, name));
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

    fn check_keys(&self, checker: &mut Checker, receiver: ReceiverKind, name: &str) {
        let Some(send) = &self.send else { return };
        let is_fifo = name.ends_with(FIFO_SUFFIX);
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
