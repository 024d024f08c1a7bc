//! The texts of a load that may hold placeholders, each with its place and the names that are known there.
//!
//! Owns: which texts these are, and what is known where. Must not know: what is wrong with one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::placeholder::{self, Generator, Placeholder};
use super::spec::LoadSpec;
use super::step::{PartSpec, StepKind, StepSpec};

/// What is known at a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Values that were captured or set before.
    pub(crate) values: BTreeSet<String>,
    /// The items of the loops around it, the outermost first.
    pub(crate) items: Vec<String>,
    /// Whether a row was taken of the data files.
    pub(crate) has_rows: bool,
}

/// Whose a placeholder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner<'n> {
    /// It is made anew, or not written well.
    Generator(Result<(), String>),
    /// A value that is, or should be, known by then.
    Value,
    /// A field of a loop's item.
    Item,
    /// A column of a data file.
    Column { data: &'n str, column: &'n str },
    /// The caller's: `target.url`.
    Target,
}

impl Known {
    /// Whose the placeholder of this name is. Names of data files come first.
    pub(crate) fn owner<'n>(&self, load: &LoadSpec, name: &'n str) -> Owner<'n> {
        if self.values.contains(name) {
            return Owner::Value;
        }
        if let Some(generator) = Generator::parse(name) {
            return Owner::Generator(generator.map(|_| ()));
        }
        match name.split_once('.') {
            None => Owner::Value,
            Some((data, column)) if load.data.contains_key(data) => Owner::Column { data, column },
            Some((head, _)) if self.items.iter().any(|item| item == head) => Owner::Item,
            Some(_) => Owner::Target,
        }
    }
}

impl LoadSpec {
    /// Shows `visit` every placeholder of the load with what is known at its place.
    pub(crate) fn visit_placeholders(&self, visit: &mut dyn FnMut(Placeholder, &Known)) {
        self.visit_texts(&mut |path, text, known| {
            for name in placeholder::names(text) {
                visit(Placeholder { path: path.to_vec(), name: name.to_owned() }, known);
            }
        });
    }

    /// Every placeholder that the caller resolves, `${target.url}`, and where it stands.
    #[must_use]
    pub fn target_placeholders(&self) -> Vec<Placeholder> {
        let mut found = Vec::new();
        self.visit_placeholders(&mut |placeholder, known| {
            if known.owner(self, &placeholder.name) == Owner::Target {
                found.push(placeholder);
            }
        });
        found
    }

    /// Shows `visit` every text that may hold a placeholder, with its path and what is known there.
    pub(super) fn visit_texts(&self, visit: &mut dyn FnMut(&[String], &str, &Known)) {
        let mut walk = Walk { path: Vec::new(), known: Known::default(), visit };
        if let Some(base) = &self.base_url {
            walk.known.has_rows = true;
            walk.text("base_url", base);
            walk.known.has_rows = false;
        }
        walk.within(&["setup"], |walk| walk.steps(&self.setup));
        let known = walk.known.clone();
        for (index, journey) in self.journeys.iter().enumerate() {
            walk.known = Known { has_rows: true, ..known.clone() };
            walk.within(&["journeys", &index.to_string(), "steps"], |walk| walk.steps(&journey.steps));
        }
        walk.known = known;
        walk.within(&["teardown"], |walk| walk.steps(&self.teardown));
    }

    /// Every step that calls AWS, and where it stands.
    #[must_use]
    pub fn calls(&self) -> Vec<(Vec<String>, &StepSpec)> {
        let mut calls = Vec::new();
        self.visit_steps(&mut |path, step| {
            if step.callee().is_some() {
                calls.push((path.to_vec(), step));
            }
        });
        calls
    }

    /// The services for which requests of HTTP are signed, by what signatures call them.
    #[must_use]
    pub fn signed_services(&self) -> BTreeSet<&str> {
        let mut services: BTreeSet<&str> = self.sign.as_deref().into_iter().collect();
        self.visit_steps(&mut |_, step| services.extend(step.sign.as_deref()));
        services
    }

    /// Whether any of its requests is signed.
    pub(super) fn signs(&self) -> bool {
        !self.signed_services().is_empty() || !self.calls().is_empty()
    }

    /// Shows `visit` every step with its path, those within others included.
    pub(crate) fn visit_steps<'s>(&'s self, visit: &mut dyn FnMut(&[String], &'s StepSpec)) {
        visit_list(&mut vec!["setup".to_owned()], &self.setup, visit);
        for (index, journey) in self.journeys.iter().enumerate() {
            let mut path = ["journeys", &index.to_string(), "steps"].map(str::to_owned).to_vec();
            visit_list(&mut path, &journey.steps, visit);
        }
        visit_list(&mut vec!["teardown".to_owned()], &self.teardown, visit);
    }
}

fn visit_list<'s>(path: &mut Vec<String>, steps: &'s [StepSpec], visit: &mut dyn FnMut(&[String], &'s StepSpec)) {
    for (index, step) in steps.iter().enumerate() {
        path.push(index.to_string());
        visit(path, step);
        for (keys, inner) in step.inner() {
            let length = path.len();
            path.extend(keys.iter().map(ToString::to_string));
            visit_list(path, inner, visit);
            path.truncate(length);
        }
        path.pop();
    }
}

/// Where we are, and what is known there.
struct Walk<'v> {
    path: Vec<String>,
    known: Known,
    visit: &'v mut dyn FnMut(&[String], &str, &Known),
}

impl Walk<'_> {
    fn within(&mut self, keys: &[&str], walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.extend(keys.iter().map(ToString::to_string));
        walk(self);
        self.path.truncate(length);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.within(&[key], |walk| (walk.visit)(&walk.path, text, &walk.known));
    }

    fn json(&mut self, key: &str, json: &Value) {
        self.within(&[key], |walk| {
            let Walk { path, known, visit } = walk;
            placeholder::json_texts(json, path, &mut |path, text| visit(&path, text, known));
        });
    }

    fn steps(&mut self, steps: &[StepSpec]) {
        for (index, step) in steps.iter().enumerate() {
            self.within(&[&index.to_string()], |walk| walk.step(step));
        }
    }

    fn step(&mut self, step: &StepSpec) {
        self.request_texts(step);
        self.within(&["set"], |walk| step.set.iter().flatten().for_each(|(name, value)| walk.json(name, value)));
        if let Some(group) = &step.group {
            self.within(&["group", "steps"], |walk| walk.steps(&group.steps));
        }
        if let Some(repeat) = &step.repeat {
            repeat.over.iter().for_each(|over| self.within(&["loop"], |walk| walk.text("over", over)));
            let before = self.known.clone();
            if let Some(item) = repeat.item() {
                self.known.values.insert(item.to_owned());
                self.known.items.push(item.to_owned());
            }
            self.within(&["loop", "steps"], |walk| walk.steps(&repeat.steps));
            self.known.items = before.items;
            if let Some(item) = repeat.item().filter(|item| !before.values.contains(*item)) {
                self.known.values.remove(item);
            }
        }
        if let Some(condition) = &step.condition {
            self.within(&["if"], |walk| {
                walk.text("value", &condition.value);
                condition.is.iter().for_each(|is| walk.json("is", is));
                condition.is_not.iter().for_each(|is_not| walk.json("is_not", is_not));
            });
        }
        // What one way captures is not known on the other, and may be there after both.
        let before = self.known.values.clone();
        self.within(&["then"], |walk| step.then.iter().for_each(|steps| walk.steps(steps)));
        let after_then = std::mem::replace(&mut self.known.values, before);
        self.within(&["else"], |walk| step.otherwise.iter().for_each(|steps| walk.steps(steps)));
        self.known.values.extend(after_then);
        self.known.values.extend(step.capture.keys().chain(step.set.iter().flatten().map(|(name, _)| name)).cloned());
    }

    fn request_texts(&mut self, step: &StepSpec) {
        for kind in step.kinds() {
            if let StepKind::Request(method, url) = kind {
                self.text(method.key(), url);
            }
        }
        for (key, fields) in
            [("query", Some(&step.query)), ("headers", Some(&step.headers)), ("form", step.form.as_ref())]
        {
            self.within(&[key], |walk| fields.into_iter().flatten().for_each(|(name, value)| walk.text(name, value)));
        }
        if let Some(send) = &step.send {
            self.within(&["send"], |walk| {
                send.texts().for_each(|(key, text)| walk.text(key, text));
                walk.within(&["attributes"], |walk| {
                    send.attributes.iter().for_each(|(name, value)| walk.text(name, value))
                });
            });
        }
        step.json.iter().for_each(|json| self.json("json", json));
        step.body.iter().for_each(|body| self.text("body", body));
        self.within(&["multipart"], |walk| {
            for (name, part) in step.multipart.iter().flatten() {
                if let PartSpec::Text(text) = part {
                    walk.text(name, text);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_shown_with_what_is_known_there() {
        let yaml = r#"
base_url: "${shop.url}"
setup: [{get: "/${a}", capture: {token: $.t}}]
data: {people: {file: people.csv}}
journeys:
  - name: j
    steps:
      - {get: /, query: {q: "${b}"}, headers: {x: "${c}"}, form: {f: "${d}"}, capture: {list: $.l}}
      - {put: /, multipart: {m: "${e}", n: {file: "${no}"}}, body: "${f}", json: ["${g}"]}
      - {set: {s: {t: "${h}"}}}
      - loop: {over: "${list}", as: one, steps: [{get: "/${one.id}"}, {set: {late: 1}}]}
      - {if: {value: "${i}", is: "${j}", is_not: "${k}"}, then: [{get: "/${l}"}], else: [{get: "/${people.m}"}]}
      - {group: {name: g, steps: [{get: "/${one.id}"}]}}
      - {send: {to: q, attributes: {t: "${o}"}, group: "${p}", key: "${q}"}, body: "${r}"}
teardown: [{delete: "/${n}"}]
shape: []
"#;
        let load: LoadSpec = serde_yaml::from_str(yaml).unwrap();
        let mut found = Vec::new();
        load.visit_placeholders(&mut |placeholder, known| found.push((placeholder, known.clone())));
        let names: Vec<&str> = found.iter().map(|(placeholder, _)| placeholder.name.as_str()).collect();
        let expected = "shop.url a b c d f g e h list one.id i j k l people.m one.id o p q r n";
        let mut sorted = [names.clone(), expected.split(' ').collect()];
        sorted.iter_mut().for_each(|names| names.sort_unstable());
        assert_eq!(sorted[0], sorted[1]);
        let owner = |index: usize| found[index].1.owner(&load, &found[index].0.name);
        let place = |name: &str, from| from + names.iter().skip(from).position(|found| *found == name).unwrap();
        let first = place("one.id", 0);
        assert_eq!((owner(first), owner(place("one.id", first + 1))), (Owner::Item, Owner::Target));
        assert_eq!(owner(place("people.m", 0)), Owner::Column { data: "people", column: "m" });
        let values = |name| found[place(name, 0)].1.values.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!((values("a"), values("b"), values("n")), (vec![], vec!["token"], vec!["token"]));
        assert_eq!(values("l"), ["late", "list", "s", "token"]);
        assert_eq!(found[place("h", 0)].0.path.join("/"), "journeys/0/steps/2/set/s/t");
        assert_eq!(found[first].0.path.join("/"), "journeys/0/steps/3/loop/steps/0/get");
    }
}
