//! What is wrong with a load, all of it at once. Pure; knows neither files nor targets: it says where by keys and
//! indexes, and the caller maps these to lines.

use std::collections::BTreeSet;

use reqwest::header::{HeaderName, HeaderValue};

use super::placeholder::{self, GENERATORS, Generator, Placeholder};
use super::schedule::Spacing;
use super::shape::Shape;
use super::spec::{ExpectSpec, JourneySpec, LoadSpec, Model, StageSpec, StepSpec, parse_path};
use crate::unit::nearest;

const WEIGHT_MAX: u32 = 10_000;

/// The most users that may be under way at once.
const IN_FLIGHT_MAX: u32 = 100_000;

/// As many redirects as browsers follow.
const REDIRECTS_MAX: u8 = 20;

/// One thing that is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblem {
    /// Keys and indexes from the load to the value: `["journeys", "0", "steps", "2", "capture", "id"]`.
    pub path: Vec<String>,
    /// What is wrong, a lowercase fragment with the offending text in backticks.
    pub message: String,
    /// How to mend it, a lowercase fragment.
    pub remedy: String,
    /// The name in the `${name}` that it is about, where it is about one and not about the whole value.
    pub placeholder: Option<String>,
}

/// Where we are, and what was found so far.
struct Checker {
    path: Vec<String>,
    problems: Vec<SpecProblem>,
}

impl Checker {
    fn within<T: ToString>(&mut self, key: T, check: impl FnOnce(&mut Self)) {
        self.path.push(key.to_string());
        check(self);
        self.path.pop();
    }

    fn problem(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        let (path, message, remedy) = (self.path.clone(), message.into(), remedy.into());
        self.problems.push(SpecProblem { path, message, remedy, placeholder: None });
    }
}

impl LoadSpec {
    /// Everything that is wrong with the load in itself. Dotted placeholders are the caller's to check: see
    /// [`LoadSpec::placeholders`].
    #[must_use]
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut checker = Checker { path: Vec::new(), problems: Vec::new() };
        checker.within("journeys", |checker| self.check_journeys(checker));
        checker.within("shape", |checker| check_shape(checker, &self.shape));
        self.check_limits(&mut checker);
        if let Some(base) = &self.base_url
            && !is_absolute(base)
        {
            checker.within("base_url", |checker| {
                checker.problem(
                    format!("`{base}` is not a URL"),
                    "start it with `http://`, `https://` or a target's `${name.url}`",
                );
            });
        }
        for placeholder in self.placeholders() {
            self.check_placeholder(&mut checker, placeholder);
        }
        checker.problems
    }

    fn check_limits(&self, checker: &mut Checker) {
        if let Some(most) = self.in_flight_max
            && !(1..=IN_FLIGHT_MAX).contains(&most)
        {
            checker.within("in_flight_max", |checker| {
                checker.problem(format!("`{most}` users under way are out of range"), "choose 1 to 100000");
            });
        }
        if let Some(redirects) = self.redirects
            && redirects > REDIRECTS_MAX
        {
            checker.within("redirects", |checker| {
                checker.problem(format!("`{redirects}` redirects are too many"), "choose 0 to 20");
            });
        }
        if self.connect_timeout.is_some_and(|timeout| timeout.is_zero()) {
            checker.within("connect_timeout", |checker| {
                checker.problem("a timeout of nothing lets no connection succeed", "give it time, as in `10s`");
            });
        }
        let is_closed = self.model() == Some(Model::Closed);
        for (key, is_given) in
            [("arrivals", self.arrivals != Spacing::default()), ("in_flight_max", self.in_flight_max.is_some())]
        {
            if is_closed && is_given {
                checker.within(key, |checker| {
                    checker.problem(
                        format!("`{key}` is about arrivals, and the shape has `users`"),
                        "leave it out, or give the shape in `/s`",
                    );
                });
            }
        }
    }

    /// Every `${name}` of the load and where it stands, captured ones included.
    #[must_use]
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let mut found = Vec::new();
        self.visit_texts(&mut |path, text| {
            found
                .extend(placeholder::names(text).map(|name| Placeholder { path: path.clone(), name: name.to_owned() }));
        });
        found
    }

    /// Shows `visit` every text that may hold a placeholder, with its path.
    pub(super) fn visit_texts(&self, visit: &mut impl FnMut(Vec<String>, &str)) {
        if let Some(base) = &self.base_url {
            visit(vec!["base_url".to_owned()], base);
        }
        for (journey_index, journey) in self.journeys.iter().enumerate() {
            for (step_index, step) in journey.steps.iter().enumerate() {
                let path =
                    ["journeys", &journey_index.to_string(), "steps", &step_index.to_string()].map(str::to_owned);
                let below = |keys: &[&str]| path.iter().cloned().chain(keys.iter().map(ToString::to_string)).collect();
                for (method, url) in step.requests() {
                    visit(below(&[method.key()]), url);
                }
                for (name, value) in &step.headers {
                    visit(below(&["headers", name]), value);
                }
                if let Some(json) = &step.json {
                    let path: Vec<String> = below(&["json"]);
                    placeholder::json_texts(json, &path, visit);
                }
                if let Some(body) = &step.body {
                    visit(below(&["body"]), body);
                }
            }
        }
    }

    fn check_journeys(&self, checker: &mut Checker) {
        if self.journeys.is_empty() {
            checker.problem("there is no journey", "write at least one journey with one step");
        }
        let mut names = BTreeSet::new();
        for (index, journey) in self.journeys.iter().enumerate() {
            checker.within(index, |checker| {
                if !names.insert(journey.name.as_str()) {
                    checker.within("name", |checker| {
                        checker.problem(format!("another journey is called `{}`", journey.name), "choose another name");
                    });
                }
                check_journey(checker, journey, self.base_url.is_some());
            });
        }
    }

    /// An undotted placeholder must have been captured by an earlier step of the same journey.
    fn check_placeholder(&self, checker: &mut Checker, placeholder: Placeholder) {
        if placeholder.is_dotted() {
            return;
        }
        let name = &placeholder.name;
        match Generator::parse(name) {
            Some(Ok(_)) => return,
            Some(Err(message)) => {
                let remedy = format!("write it as one of {}", proposals());
                let (path, placeholder) = (placeholder.path, Some(placeholder.name));
                checker.problems.push(SpecProblem { path, message, remedy, placeholder });
                return;
            }
            None => {}
        }
        let earlier: Vec<&StepSpec> = match placeholder.path.as_slice() {
            [_, journey, _, step, ..] => {
                let index = |text: &str| text.parse::<usize>().unwrap_or(usize::MAX);
                let steps = self.journeys.get(index(journey)).map_or(&[][..], |journey| &journey.steps);
                steps.iter().take(index(step)).collect()
            }
            _ => Vec::new(),
        };
        if earlier.iter().any(|step| step.capture.contains_key(name)) {
            return;
        }
        let captured = earlier.iter().flat_map(|step| step.capture.keys()).map(String::as_str);
        let known = captured.chain(GENERATORS);
        checker.problems.push(SpecProblem {
            message: format!("nothing captures `{name}` before this"),
            remedy: match nearest(name, known) {
                Some(near) => format!("did you mean `${{{near}}}`?"),
                None => format!(
                    "add `capture: {{{name}: \"$.…\"}}` to an earlier step, or name a target: `${{target.url}}`; made anew are {}",
                    proposals()
                ),
            },
            path: placeholder.path,
            placeholder: Some(placeholder.name),
        });
    }
}

/// The values that are made anew, as they are written.
fn proposals() -> String {
    GENERATORS.map(|name| format!("`${{{name}}}`")).join(", ")
}

fn check_journey(checker: &mut Checker, journey: &JourneySpec, has_base: bool) {
    if journey.name.is_empty() {
        checker.within("name", |checker| checker.problem("the name is empty", "say what the user is up to"));
    }
    if !(1..=WEIGHT_MAX).contains(&journey.weight) {
        checker.within("weight", |checker| {
            checker.problem(format!("a weight of `{}` is out of range", journey.weight), "choose 1 to 10000");
        });
    }
    checker.within("steps", |checker| {
        if journey.steps.is_empty() {
            checker.problem("the journey has no step", "write at least one, as in `{get: /items}`");
        }
        for (index, step) in journey.steps.iter().enumerate() {
            checker.within(index, |checker| check_step(checker, step, has_base));
        }
    });
}

fn check_step(checker: &mut Checker, step: &StepSpec, has_base: bool) {
    let requests: Vec<_> = step.requests().collect();
    match requests.as_slice() {
        [] => checker
            .problem("the step requests nothing", "give it one of `get`, `post`, `put`, `patch`, `delete` or `head`"),
        [(method, url)] => checker.within(method.key(), |checker| check_url(checker, url, has_base)),
        [_, (second, _), ..] => {
            let keys: Vec<_> = requests.iter().map(|(method, _)| format!("`{}`", method.key())).collect();
            checker.within(second.key(), |checker| {
                checker.problem(format!("the step has {} at once", keys.join(" and ")), "make them steps of their own");
            });
        }
    }
    if step.json.is_some() && step.body.is_some() {
        checker.within("body", |checker| checker.problem("the step has both `json` and `body`", "keep one of them"));
    }
    checker.within("headers", |checker| {
        for (name, value) in &step.headers {
            checker.within(name, |checker| check_header(checker, name, value));
        }
    });
    checker.within("capture", |checker| {
        for (name, path) in &step.capture {
            checker.within(name, |checker| {
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                    checker.problem(
                        format!("`{name}` can not stand in a placeholder"),
                        "use letters, digits, `-` and `_`",
                    );
                }
                if Generator::parse(name).is_some() {
                    checker.problem(
                        format!("`${{{name}}}` is made anew for each request"),
                        "capture it under another name",
                    );
                }
                check_json_path(checker, path);
            });
        }
    });
    if step.timeout.is_some_and(|timeout| timeout.is_zero()) {
        checker.within("timeout", |checker| {
            checker.problem("a timeout of nothing lets no request succeed", "give it time, as in `30s`");
        });
    }
    if let Some(expect) = &step.expect {
        checker.within("expect", |checker| check_expect(checker, expect));
    }
}

fn check_url(checker: &mut Checker, url: &str, has_base: bool) {
    if has_password(url) {
        // The text itself is not repeated.
        checker.problem(
            "the URL holds a user or a password",
            "send an `authorization` header, with `${env:NAME}` for what is secret",
        );
    } else if placeholder::is_unclosed(url) {
        checker.problem(format!("a `${{` in `{url}` is not closed"), "add the missing `}`");
    } else if url.starts_with('/') {
        if !has_base {
            checker.problem(
                format!("`{url}` is a path, and the load has no `base_url`"),
                "give the load a `base_url`, or write the whole URL",
            );
        }
    } else if !is_absolute(url) {
        checker.problem(
            format!("`{url}` is neither a path nor a URL"),
            "start it with `/`, `http://`, `https://` or a target's `${name.url}`",
        );
    }
}

/// Whether something stands before an `@` in a URL's host.
fn has_password(url: &str) -> bool {
    let authority =
        url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.contains('@')
}

/// Whether a text is a whole URL, or starts with a placeholder for one.
pub(crate) fn is_absolute(url: &str) -> bool {
    ["http://", "https://", "${"].iter().any(|start| url.starts_with(start))
}

fn check_header(checker: &mut Checker, name: &str, value: &str) {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        checker.problem(format!("`{name}` is not the name of a header"), "use letters, digits and `-`");
    }
    if HeaderValue::from_str(value).is_err() {
        checker.problem(format!("the value of `{name}` can not stand in a header"), "leave out line breaks");
    }
}

fn check_json_path(checker: &mut Checker, path: &str) {
    if let Err(error) = parse_path(path) {
        checker.problem(format!("`{path}` is not a JSONPath: {error}"), "write it as in `$.items[0].id`");
    }
}

fn check_expect(checker: &mut Checker, expect: &ExpectSpec) {
    if *expect == ExpectSpec::default() {
        checker.problem("nothing is expected", "give it `status`, `within` or `body`, or leave it out");
    }
    if let Some(statuses) = &expect.status {
        checker.within("status", |checker| {
            if statuses.0.is_empty() {
                checker.problem("the list of statuses is empty", "write at least one, as in `[200, 204]`");
            }
            for status in statuses.0.iter().filter(|status| !(100..=599).contains(*status)) {
                checker.problem(format!("`{status}` is not an HTTP status"), "choose 100 to 599");
            }
        });
    }
    if let Some(body) = &expect.body {
        checker.within("body", |checker| {
            if body.contains.is_none() && body.json.is_empty() {
                checker.problem("nothing is expected of the body", "give it `contains` or `json`");
            }
            checker.within("json", |checker| {
                for path in body.json.keys() {
                    checker.within(path, |checker| check_json_path(checker, path));
                }
            });
        });
    }
}

fn check_shape(checker: &mut Checker, stages: &[StageSpec]) {
    if stages.is_empty() {
        checker.problem("the shape has no stage", "write at least one, as in `{hold: 5m, at: 20 users}`");
        return;
    }
    let model = stages.iter().find_map(StageSpec::level).map(Model::of);
    let mut is_level_known = false;
    for (index, stage) in stages.iter().enumerate() {
        checker.within(index, |checker| {
            check_stage(checker, stage, is_level_known);
            if let Some(level) = stage.level()
                && model.is_some_and(|model| model != Model::of(level))
            {
                checker.within(if stage.to.is_some() { "to" } else { "at" }, |checker| {
                    checker.problem(
                        format!("`{level}` is of another unit than the stages before"),
                        "use one unit in a shape, `users` or `/s`, and a second load for the other",
                    );
                });
            }
        });
        is_level_known |= stage.level().is_some();
    }
    let shape = Shape::from_stages(stages);
    if stages.iter().all(|stage| stage.stage().is_some()) && is_level_known {
        if shape.end().is_zero() {
            checker.problem("the shape takes no time", "give a stage some, as in `{hold: 5m}`");
        } else if shape.peak() <= 0.0 {
            checker.problem(
                "the shape never rises above nothing",
                "give a stage a level, as in `{hold: 5m, at: 20 users}`",
            );
        }
    }
}

fn check_stage(checker: &mut Checker, stage: &StageSpec, is_level_known: bool) {
    match stage {
        StageSpec { ramp: None, hold: None, .. } => {
            checker
                .problem("the stage is neither a ramp nor a hold", "write `{ramp: 3m, to: 40 users}` or `{hold: 5m}`");
        }
        StageSpec { ramp: Some(_), hold: Some(_), .. } => {
            checker.within("hold", |checker| {
                checker.problem("the stage is a ramp and a hold at once", "make them two stages");
            });
        }
        StageSpec { ramp: Some(_), to: None, .. } => {
            checker.problem("the ramp leads nowhere", "add where it ends, as in `to: 40 users`");
        }
        StageSpec { ramp: Some(_), at: Some(_), .. } => {
            checker.within("at", |checker| checker.problem("a ramp has no `at`", "write `to`"));
        }
        StageSpec { hold: Some(_), to: Some(_), .. } => {
            checker.within("to", |checker| checker.problem("a hold has no `to`", "write `at`"));
        }
        StageSpec { hold: Some(_), at: None, .. } if !is_level_known => {
            checker.problem("nothing says what level to hold", "add it, as in `at: 20 users`");
        }
        StageSpec { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(yaml: &str) -> LoadSpec {
        serde_yaml::from_str(yaml).unwrap()
    }

    /// The problems of a load whose one journey has these steps, as `path: message`.
    fn step_problems(steps: &str) -> Vec<String> {
        problems(&format!(
            "{{base_url: 'http://a', journeys: [{{name: j, steps: {steps}}}], shape: [{{hold: 1m, at: 2 users}}]}}"
        ))
    }

    fn shape_problems(shape: &str) -> Vec<String> {
        problems(&format!("{{base_url: 'http://a', journeys: [{{name: j, steps: [{{get: /}}]}}], shape: {shape}}}"))
    }

    fn problems(yaml: &str) -> Vec<String> {
        let problems = load(yaml).problems();
        problems.iter().map(|problem| format!("{}: {}", problem.path.join("/"), problem.message)).collect()
    }

    #[test]
    fn the_sample_load_has_no_problems() {
        let load = load(
            r#"
base_url: "${checkout-fn.url}"
journeys:
  - name: buy
    weight: 3
    think: 1s..3s
    steps:
      - {name: browse, get: /items, expect: {status: 200}}
      - {name: basket, post: /basket, json: {item: 17}, capture: {basket: "$.id"}}
      - {name: checkout, post: "/basket/${basket}/checkout", expect: {status: 201, within: 2s}}
  - {name: look, weight: 7, steps: [{name: browse, get: /items}]}
shape: [{ramp: 3m, to: 40/s}, {hold: 60m}, {ramp: 1m, to: 0/s}]
"#,
        );
        assert_eq!(load.problems(), []);
        assert_eq!(load.model(), Some(Model::Open));
        let dotted: Vec<_> = load.placeholders().into_iter().filter(Placeholder::is_dotted).collect();
        assert_eq!(dotted, [Placeholder { path: vec!["base_url".to_owned()], name: "checkout-fn.url".to_owned() }]);
    }

    #[test]
    fn a_step_has_exactly_one_method() {
        assert_eq!(step_problems("[{name: a}]"), ["journeys/0/steps/0: the step requests nothing"]);
        assert_eq!(
            step_problems("[{get: /a, post: /b}]"),
            ["journeys/0/steps/0/post: the step has `get` and `post` at once"]
        );
    }

    #[test]
    fn a_placeholder_needs_an_earlier_capture_of_the_same_journey() {
        assert_eq!(
            step_problems("[{get: '/${id}', capture: {id: $.id}}, {post: '/${id}', json: {a: ['${x}']}}]"),
            [
                "journeys/0/steps/0/get: nothing captures `id` before this",
                "journeys/0/steps/1/json/a/0: nothing captures `x` before this",
            ]
        );
        assert_eq!(step_problems("[{get: '${shop.url}/x', headers: {a: '${other.url}'}}]"), Vec::<String>::new());
    }

    #[test]
    fn what_can_not_be_sent_or_read_is_told() {
        let problems = step_problems(
            "[{get: items, headers: {'a b': x}, capture: {'a.b': '$[', ok: $.ok}, json: 1, body: a, timeout: 0s},
              {get: '/${a', expect: {status: [200, 99], body: {json: {'nope': 1}}}}, {get: /, expect: {}}]",
        );
        let starts = [
            "journeys/0/steps/0/get: `items` is neither a path nor a URL",
            "journeys/0/steps/0/body: the step has both `json` and `body`",
            "journeys/0/steps/0/headers/a b: `a b` is not the name of a header",
            "journeys/0/steps/0/capture/a.b: `a.b` can not stand in a placeholder",
            "journeys/0/steps/0/capture/a.b: `$[` is not a JSONPath",
            "journeys/0/steps/0/timeout: a timeout of nothing",
            "journeys/0/steps/1/get: a `${` in `/${a` is not closed",
            "journeys/0/steps/1/expect/status: `99` is not an HTTP status",
            "journeys/0/steps/1/expect/body/json/nope: `nope` is not a JSONPath",
            "journeys/0/steps/2/expect: nothing is expected",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem} does not start with {start}");
        }
    }

    #[test]
    fn a_path_needs_a_base_url() {
        let problems = problems("{journeys: [{name: j, steps: [{get: /a}]}], shape: [{hold: 1m, at: 2 users}]}");
        assert_eq!(problems, ["journeys/0/steps/0/get: `/a` is a path, and the load has no `base_url`"]);
    }

    #[test]
    fn journeys_are_there_and_told_apart() {
        assert_eq!(problems("{journeys: [], shape: [{hold: 1m, at: 2 users}]}"), ["journeys: there is no journey"]);
        assert_eq!(
            problems(
                "{base_url: nowhere, shape: [{hold: 1m, at: 2 users}],
                  journeys: [{name: a, steps: []}, {name: a, weight: 0, steps: [{get: /}]}]}"
            ),
            [
                "journeys/0/steps: the journey has no step",
                "journeys/1/name: another journey is called `a`",
                "journeys/1/weight: a weight of `0` is out of range",
                "base_url: `nowhere` is not a URL",
            ]
        );
    }

    #[test]
    fn a_shape_is_of_one_unit_and_knows_its_level() {
        assert_eq!(shape_problems("[]"), ["shape: the shape has no stage"]);
        assert_eq!(shape_problems("[{hold: 5m}]"), ["shape/0: nothing says what level to hold"]);
        assert_eq!(
            shape_problems("[{ramp: 1m, to: 5 users}, {hold: 1m, at: 4/s}]"),
            ["shape/1/at: `4/s` is of another unit than the stages before"]
        );
        assert_eq!(shape_problems("[{hold: 0s, at: 5 users}]"), ["shape: the shape takes no time"]);
        assert_eq!(shape_problems("[{hold: 5s, at: 0 users}]"), ["shape: the shape never rises above nothing"]);
    }

    #[test]
    fn a_stage_is_a_ramp_or_a_hold() {
        assert_eq!(
            shape_problems(
                "[{to: 5 users}, {ramp: 1m, hold: 1m, to: 5 users}, {ramp: 1m}, {ramp: 1m, to: 5 users, at: 5 users},
                  {hold: 1m, to: 5 users}]"
            ),
            [
                "shape/0: the stage is neither a ramp nor a hold",
                "shape/1/hold: the stage is a ramp and a hold at once",
                "shape/2: the ramp leads nowhere",
                "shape/3/at: a ramp has no `at`",
                "shape/4/to: a hold has no `to`",
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = serde_yaml::from_str::<LoadSpec>("{journeys: [], shape: [], jorneys: []}").unwrap_err();
        assert!(error.to_string().contains("jorneys"), "{error}");
    }

    #[test]
    fn a_status_is_one_or_a_list_and_nothing_else() {
        let read = |text| serde_yaml::from_str::<super::super::StatusList>(text);
        assert_eq!(read("201").unwrap().0, [201]);
        assert_eq!(read("[200, 204]").unwrap().0, [200, 204]);
        assert!(read("ok").unwrap_err().to_string().contains("an HTTP status such as `200`"));
        assert!(read("70000").is_err());
    }
}
