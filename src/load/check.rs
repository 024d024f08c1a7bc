//! What is wrong with a load, all of it at once. Pure; knows neither files nor targets: it says where by keys and
//! indexes, and the caller maps these to lines.

mod call;
mod shape;
mod step;

use std::collections::BTreeSet;

use self::shape::check_shape;
use self::step::{check_name, check_path, check_service, check_steps, may_request};
use super::data::DataFormat;
use super::placeholder::{GENERATORS, Placeholder};
use super::schedule::Spacing;
use super::spec::{JourneySpec, LoadSpec, Model};
use super::text::{Known, Owner};
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
    /// Everything that is wrong with the load in itself. Placeholders of targets are the caller's to check, see
    /// [`LoadSpec::target_placeholders`], and so is what is wrong with the files that it names, see [`LoadSpec::file_problems`].
    #[must_use]
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut checker = Checker { path: Vec::new(), problems: Vec::new() };
        let has_base = self.base_url.is_some();
        checker.within("setup", |checker| check_steps(checker, &self.setup, has_base, 0));
        checker.within("journeys", |checker| self.check_journeys(checker));
        checker.within("teardown", |checker| check_steps(checker, &self.teardown, has_base, 0));
        checker.within("data", |checker| self.check_data(checker));
        checker.within("shape", |checker| check_shape(checker, &self.shape));
        self.check_limits(&mut checker);
        if let Some(base) = &self.base_url {
            checker.within("base_url", |checker| check_base(checker, base));
        }
        self.visit_placeholders(&mut |placeholder, known| self.check_placeholder(&mut checker, placeholder, known));
        checker.problems
    }

    fn check_limits(&self, checker: &mut Checker) {
        self.sign.iter().for_each(|service| checker.within("sign", |checker| check_service(checker, service)));
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
        for (key, timeout) in
            [("connect_timeout", self.connect_timeout), ("first_byte_timeout", self.first_byte_timeout)]
        {
            if timeout.is_some_and(|timeout| timeout.is_zero()) {
                checker.within(key, |checker| {
                    checker.problem("a timeout of nothing lets no request succeed", "give it time, as in `10s`");
                });
            }
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

    fn check_data(&self, checker: &mut Checker) {
        for (name, data) in &self.data {
            checker.within(name, |checker| {
                check_name(checker, name);
                checker.within("file", |checker| {
                    check_path(checker, &data.file);
                    if DataFormat::of(&data.file).is_none() {
                        checker.problem(
                            format!("the name of `{}` does not tell its format", data.file),
                            "call it `….csv` or `….jsonl`",
                        );
                    }
                });
            });
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

    /// A placeholder that is no target's must be known where it stands.
    fn check_placeholder(&self, checker: &mut Checker, placeholder: Placeholder, known: &Known) {
        let name = &placeholder.name;
        let (message, remedy) = match known.owner(self, name) {
            Owner::Generator(Ok(())) | Owner::Item | Owner::Target => return,
            Owner::Column { .. } if known.has_rows => return,
            Owner::Value if known.values.contains(name) => return,
            Owner::Generator(Err(message)) => (message, format!("write it as one of {}", proposals())),
            Owner::Column { data, .. } => (
                format!("no row of `{data}` is taken here"),
                "rows are taken by journeys; name the value itself".to_owned(),
            ),
            Owner::Value => (format!("nothing captures `{name}` before this"), remedy_of_value(self, name, known)),
        };
        let Placeholder { path, name } = placeholder;
        checker.problems.push(SpecProblem { path, message, remedy, placeholder: Some(name) });
    }
}

fn remedy_of_value(load: &LoadSpec, name: &str, known: &Known) -> String {
    if load.data.contains_key(name) {
        return format!("name one of its columns, as in `${{{name}.column}}`");
    }
    let names = known.values.iter().map(String::as_str).chain(GENERATORS);
    match nearest(name, names) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => format!(
            "add `capture: {{{name}: \"$.…\"}}` to an earlier step, or name a target: `${{target.url}}`; made anew are {}",
            proposals()
        ),
    }
}

/// The values that are made anew, as they are written.
fn proposals() -> String {
    GENERATORS.map(|name| format!("`${{{name}}}`")).join(", ")
}

fn check_base(checker: &mut Checker, base: &str) {
    if step::has_password(base) {
        step::refuse_password(checker);
    } else if !step::is_absolute(base) {
        checker.problem(
            format!("`{base}` is not a URL"),
            "start it with `http://`, `https://` or a target's `${name.url}`",
        );
    }
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
        check_steps(checker, &journey.steps, has_base, 0);
        let is_known = !journey.steps.is_empty() && journey.steps.iter().all(|step| step.kind().is_some());
        if is_known && !journey.steps.iter().any(may_request) {
            checker.problem("no step of the journey requests anything", "add one that does, as in `{get: /items}`");
        }
    });
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
        assert_eq!(
            load.target_placeholders(),
            [Placeholder { path: vec!["base_url".to_owned()], name: "checkout-fn.url".to_owned() }]
        );
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
    fn what_leads_from_step_to_step_is_one_thing_and_complete() {
        for (steps, problem) in [
            ("{pause: 1s, headers: {a: b}}", "1/headers: `headers` is about a request, and the step is a `pause`"),
            ("{get: /, pause: 1s}", "1/pause: the step has `get` and `pause` at once"),
            ("{get: /, then: [{get: /}]}", "1/then: `then` has no `if`"),
            ("{then: [{get: /}]}", "1: nothing decides between `then` and `else`"),
            ("{if: {value: '${a}', is: 1}}", "1: nothing is done where `if` holds"),
            ("{if: {value: '${a}'}, then: [{get: /}]}", "1/if: the value is compared with nothing"),
            ("{if: {value: a, is: a}, then: [{get: /}]}", "1/if/value: `a` is always the same"),
            ("{loop: {steps: [{get: /}]}}", "1/loop: nothing says how often"),
            ("{loop: {times: 10001, steps: [{get: /}]}}", "1/loop/times: `10001` turns are out of range"),
            ("{loop: {times: 0, steps: [{get: /}]}}", "1/loop/times: `0` turns are out of range"),
            ("{loop: {times: 2, as: x, steps: [{get: /}]}}", "1/loop/as: a loop without a list has no item"),
            ("{loop: {over: 'x${a}', steps: [{get: /}]}}", "1/loop/over: `x${a}` is no list"),
            ("{loop: {over: '${a}', steps: []}}", "1/loop/steps: there is no step"),
            (
                "{loop: {over: '${a}', steps: [{get: '/${itm}'}]}}",
                "1/loop/steps/0/get: nothing captures `itm` before this",
            ),
            ("{group: {name: '', steps: [{get: /}]}}", "1/group/name: the name is empty"),
            ("{set: {}}", "1/set: nothing is set"),
            ("{set: {'a b': 1}}", "1/set/a b: `a b` can not stand in a placeholder"),
            ("{post: /, form: {}, file: a}", "1/file: the step has both `form` and `file`"),
            ("{post: /, file: ../a}", "1/file: `../a` is no path within the workspace"),
            ("{post: /, multipart: {a: {file: a, type: png}}}", "1/multipart/a/type: `png` is no media type"),
            ("{get: /, capture: {b: {cookie: 'a b'}}}", "1/capture/b/cookie: `a b` is not the name of a cookie"),
        ] {
            let found = step_problems(&format!("[{{get: /, capture: {{a: $.a}}}}, {steps}]"));
            assert_eq!(found, [format!("journeys/0/steps/{problem}")], "{steps}");
        }
        let deep = (0..10).fold("{get: /}".to_owned(), |inner, _| format!("{{group: {{name: g, steps: [{inner}]}}}}"));
        assert_eq!(step_problems(&format!("[{deep}]")).len(), 1);
        assert_eq!(step_problems("[{pause: 1s}]"), ["journeys/0/steps: no step of the journey requests anything"]);
    }

    #[test]
    fn rows_are_of_journeys_and_what_the_setup_captures_is_known_to_all() {
        let found = problems(
            "{base_url: 'http://a', data: {people: {file: people.txt}, 'a b': {file: /x.csv}}, shape: [{hold: 1m, at: 2 users}],
              setup: [{get: '/${people.id}', capture: {token: $.t}}], teardown: [{get: '/${token}/${later}'}],
              journeys: [{name: j, steps: [{get: '/${people.id}/${token}/${people}', capture: {later: $.l}}]}]}",
        );
        assert_eq!(
            found,
            [
                "data/a b: `a b` can not stand in a placeholder",
                "data/a b/file: `/x.csv` is no path within the workspace",
                "data/people/file: the name of `people.txt` does not tell its format",
                "setup/0/get: no row of `people` is taken here",
                "journeys/0/steps/0/get: nothing captures `people` before this",
                "teardown/0/get: nothing captures `later` before this",
            ]
        );
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
