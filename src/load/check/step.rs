//! Steps: one kind each, and what a step of its kind may say.

use std::collections::BTreeMap;

use regex::Regex;
use reqwest::header::{HeaderName, HeaderValue};

use super::Checker;
use crate::load::expect::{BodyExpectation, CaptureSpec, ExpectSpec, STATUS_FAILED_LEAST, parse_path};
use crate::load::placeholder::{self, Generator};
use crate::load::step::{ConditionSpec, LoopSpec, PartSpec, StepKind, StepSpec};
use crate::load::{LOOP_TURNS_MAX, NESTING_MAX};
use crate::unit::{IS_A_SECRET, stays_below};

/// Checks a list of steps, which stands within so many others.
pub(super) fn check_steps(checker: &mut Checker, steps: &[StepSpec], has_base: bool, depth: usize) {
    for (index, step) in steps.iter().enumerate() {
        checker.within(index, |checker| check_step(checker, step, has_base, depth));
    }
}

/// Whether a step, or one within it, is a request.
pub(super) fn may_request(step: &StepSpec) -> bool {
    step.kinds().any(StepKind::is_sent) || step.inner().any(|(_, inner)| inner.iter().any(may_request))
}

fn check_step(checker: &mut Checker, step: &StepSpec, has_base: bool, depth: usize) {
    let kinds: Vec<_> = step.kinds().collect();
    match kinds.as_slice() {
        [] if step.then.is_some() || step.otherwise.is_some() => {
            checker.problem("nothing decides between `then` and `else`", "add it, as in `if: {value: \"${tier}\", is: gold}`");
        }
        [] => checker.problem(
            "the step requests nothing",
            "give it one of `get`, `post`, `put`, `patch`, `delete`, `head`, `options`, `invoke` and `send`, or make it a `pause`, `set`, \
             `group`, `loop` or `if`",
        ),
        [kind] => check_kind(checker, step, *kind, has_base),
        [_, second, ..] => {
            let keys: Vec<_> = kinds.iter().map(|kind| format!("`{}`", kind.key())).collect();
            checker.within(second.key(), |checker| {
                checker.problem(format!("the step has {} at once", keys.join(" and ")), "make them steps of their own");
            });
        }
    }
    check_body(checker, step);
    step.sign.iter().for_each(|service| checker.within("sign", |checker| check_service(checker, service)));
    let is_signature = |name: &&String| ["authorization", "host"].iter().any(|other| name.eq_ignore_ascii_case(other));
    if let Some(name) = step.headers.keys().find(is_signature).filter(|_| step.sign.is_some()) {
        checker.within("sign", |checker| {
            checker.problem(format!("the step has a `{name}` of its own, and is signed"), "keep one of them");
        });
    }
    checker.within("headers", |checker| check_headers(checker, &step.headers));
    checker.within("capture", |checker| {
        for (name, capture) in &step.capture {
            checker.within(name, |checker| {
                check_name(checker, name);
                check_capture(checker, capture);
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
    check_inner(checker, step, has_base, depth);
}

/// What stands within a step, whatever the step is.
fn check_inner(checker: &mut Checker, step: &StepSpec, has_base: bool, depth: usize) {
    for (keys, inner) in step.inner() {
        let length = checker.path.len();
        checker.path.extend(keys.iter().map(ToString::to_string));
        if inner.is_empty() {
            checker.problem("there is no step", "write at least one, as in `{get: /items}`");
        } else if depth >= NESTING_MAX {
            checker.problem(
                format!("these steps are within more than {NESTING_MAX} others"),
                "make some of them journeys of their own",
            );
        } else {
            check_steps(checker, inner, has_base, depth + 1);
        }
        checker.path.truncate(length);
    }
}

/// An invocation that goes well has one status; what is expected must be that, or a failure.
fn check_invocation_status(checker: &mut Checker, step: &StepSpec) {
    let Some(statuses) = step.expect.as_ref().and_then(|expect| expect.status.as_ref()) else { return };
    let well = step.invocation.unwrap_or_default().status();
    let never = statuses.0.iter().find(|status| **status != well && **status < STATUS_FAILED_LEAST);
    if let Some(never) = never {
        checker.within("expect", |checker| {
            checker.within("status", |checker| {
                let message = format!("Lambda never answers such an invocation with `{never}`");
                checker.problem(message, format!("`{well}` says that it went well; what fails has `400` or more"));
            });
        });
    }
}

fn check_kind(checker: &mut Checker, step: &StepSpec, kind: StepKind<'_>, has_base: bool) {
    match kind {
        StepKind::Request(method, url) => checker.within(method.key(), |checker| check_url(checker, url, has_base)),
        StepKind::Invoke(_) => {
            check_call(checker, step, kind);
            step.check_event(checker);
            check_invocation_status(checker, step);
        }
        StepKind::Send(_) => {
            check_call(checker, step, kind);
            if step.json.is_none() && step.body.as_ref().is_none_or(String::is_empty) && step.file.is_none() {
                checker.problem("no message is sent", "add it, as in `json: {order: 17}`, or a `body` or `file`");
            }
        }
        StepKind::Pause(_) => {}
        StepKind::Set(values) => checker.within("set", |checker| {
            if values.is_empty() {
                checker.problem("nothing is set", "write a name and its value, as in `{page: 1}`");
            }
            values.keys().for_each(|name| checker.within(name, |checker| check_name(checker, name)));
        }),
        StepKind::Group(group) => {
            if group.name.is_empty() {
                checker.within("group", |checker| {
                    checker
                        .within("name", |checker| checker.problem("the name is empty", "say what the steps are for"));
                });
            }
        }
        StepKind::Loop(repeat) => checker.within("loop", |checker| check_loop(checker, repeat)),
        StepKind::If(condition) => {
            checker.within("if", |checker| check_condition(checker, condition));
            if step.then.is_none() {
                checker.problem("nothing is done where `if` holds", "add it, as in `then: [{get: /gold}]`");
            }
        }
    }
    if step.invocation.is_some() && !matches!(kind, StepKind::Invoke(_)) {
        checker.within("invocation", |checker| {
            checker.problem("`invocation` has no `invoke`", "name the function: `invoke: orders-fn`");
        });
    }
    let answers = matches!(kind, StepKind::Invoke(_)) && step.invocation.unwrap_or_default().answers();
    if step.cold_starts == Some(true) && !answers {
        checker.within("cold_starts", |checker| {
            checker.problem(
                "only an invocation whose answer is waited for tells of cold starts",
                "leave it out, or write `invoke` with `invocation: request_response`",
            );
        });
    }
    if !kind.is_sent() {
        for (key, is_given) in of_requests(step) {
            if is_given {
                checker.within(key, |checker| {
                    checker.problem(
                        format!("`{key}` is about a request, and the step is a `{}`", kind.key()),
                        "make it a step of its own",
                    );
                });
            }
        }
    }
    if !matches!(kind, StepKind::If(_)) {
        for (key, is_given) in [("then", step.then.is_some()), ("else", step.otherwise.is_some())] {
            if is_given {
                checker.within(key, |checker| checker.problem(format!("`{key}` has no `if`"), "add what decides"));
            }
        }
    }
}

/// What a call of AWS can not say: its headers and its form are the service's.
fn check_call(checker: &mut Checker, step: &StepSpec, kind: StepKind<'_>) {
    let of_http = [
        ("query", !step.query.is_empty()),
        ("headers", !step.headers.is_empty()),
        ("form", step.form.is_some()),
        ("multipart", step.multipart.is_some()),
        ("sign", step.sign.is_some()),
    ];
    for (key, _) in of_http.into_iter().filter(|(_, is_given)| *is_given) {
        checker.within(key, |checker| {
            checker.problem(
                format!("`{key}` is about a request of HTTP, and the step has `{}`", kind.key()),
                "leave it out; what is sent is its `json`, `body` or `file`, and it is always signed",
            );
        });
    }
}

/// What signatures call a service: `execute-api`.
pub(super) fn check_service(checker: &mut Checker, service: &str) {
    if service.is_empty() || !service.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
        checker.problem(
            format!("`{service}` is not what signatures call a service"),
            "write it as in `execute-api` or `lambda`",
        );
    }
}

/// The keys that only a request may have, and whether the step has each.
fn of_requests(step: &StepSpec) -> [(&'static str, bool); 13] {
    [
        ("name", step.name.is_some()),
        ("query", !step.query.is_empty()),
        ("headers", !step.headers.is_empty()),
        ("json", step.json.is_some()),
        ("body", step.body.is_some()),
        ("form", step.form.is_some()),
        ("file", step.file.is_some()),
        ("multipart", step.multipart.is_some()),
        ("capture", !step.capture.is_empty()),
        ("expect", step.expect.is_some()),
        ("think", step.think.is_some()),
        ("timeout", step.timeout.is_some()),
        ("sign", step.sign.is_some()),
    ]
}

fn check_loop(checker: &mut Checker, repeat: &LoopSpec) {
    match (repeat.times, &repeat.over) {
        (None, None) => checker.problem("nothing says how often", "add `times: 3`, or a list: `over: \"${items}\"`"),
        (Some(_), Some(_)) => {
            checker
                .within("over", |checker| checker.problem("the loop has both `times` and `over`", "keep one of them"));
        }
        (Some(times), None) => {
            if !(1..=LOOP_TURNS_MAX).contains(&times) {
                checker.within("times", |checker| {
                    checker.problem(format!("`{times}` turns are out of range"), "choose 1 to 10000");
                });
            }
            if repeat.item.is_some() {
                checker.within("as", |checker| {
                    checker.problem("a loop without a list has no item", "leave it out, or loop `over` a list");
                });
            }
        }
        (None, Some(over)) => {
            if placeholder::sole_name(over).is_none() {
                checker.within("over", |checker| {
                    checker.problem(format!("`{over}` is no list"), "name one that was captured, as in `\"${items}\"`");
                });
            }
            repeat.item.iter().for_each(|item| checker.within("as", |checker| check_name(checker, item)));
        }
    }
}

fn check_condition(checker: &mut Checker, condition: &ConditionSpec) {
    match (&condition.is, &condition.is_not) {
        (None, None) => checker.problem("the value is compared with nothing", "add `is: …` or `is_not: …`"),
        (Some(_), Some(_)) => checker.within("is_not", |checker| {
            checker.problem("the condition has both `is` and `is_not`", "keep one of them");
        }),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if placeholder::names(&condition.value).next().is_none() {
        checker.within("value", |checker| {
            checker.problem(format!("`{}` is always the same", condition.value), "name a value, as in `\"${tier}\"`");
        });
    }
}

fn check_body(checker: &mut Checker, step: &StepSpec) {
    let bodies = [
        ("json", step.json.is_some()),
        ("body", step.body.is_some()),
        ("form", step.form.is_some()),
        ("file", step.file.is_some()),
        ("multipart", step.multipart.is_some()),
    ];
    let given: Vec<&str> = bodies.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect();
    if let [first, second, ..] = given.as_slice() {
        checker.within(second, |checker| {
            checker.problem(format!("the step has both `{first}` and `{second}`"), "keep one of them");
        });
    }
    for (keys, file) in step.files() {
        let length = checker.path.len();
        checker.path.extend(keys.iter().map(ToString::to_string));
        check_path(checker, file);
        checker.path.truncate(length);
    }
    checker.within("multipart", |checker| {
        for (name, part) in step.multipart.iter().flatten() {
            if let PartSpec::File(file) = part
                && let Some(media_type) = &file.media_type
                && (HeaderValue::from_str(media_type).is_err() || !media_type.contains('/'))
            {
                checker.within(name, |checker| {
                    checker.within("type", |checker| {
                        checker.problem(format!("`{media_type}` is no media type"), "write it as in `image/png`");
                    });
                });
            }
        }
    });
}

/// A path of a file of the workspace.
pub(super) fn check_path(checker: &mut Checker, path: &str) {
    if !stays_below(path) {
        checker.problem(
            format!("`{path}` is no path within the workspace"),
            "write it from the workspace's folder, as in `data/customers.csv`",
        );
    }
}

/// A name that stands in placeholders.
pub(super) fn check_name(checker: &mut Checker, name: &str) {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        checker.problem(format!("`{name}` can not stand in a placeholder"), "use letters, digits, `-` and `_`");
    } else if Generator::parse(name).is_some() {
        checker.problem(format!("`${{{name}}}` is made anew for each request"), "choose another name");
    }
}

fn check_url(checker: &mut Checker, url: &str, has_base: bool) {
    if has_password(url) {
        refuse_password(checker);
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

/// Says what is wrong without what is secret.
pub(super) fn refuse_password(checker: &mut Checker) {
    checker.problem(
        format!("the URL holds a user or a password, which {IS_A_SECRET}"),
        "send an `authorization` header, with `${env:NAME}` for what is secret",
    );
}

/// Whether something stands before an `@` in a URL's host.
pub(super) fn has_password(url: &str) -> bool {
    let authority =
        url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.contains('@')
}

/// Whether a text is a whole URL, or starts with a placeholder for one.
pub(super) fn is_absolute(url: &str) -> bool {
    ["http://", "https://", "${"].iter().any(|start| url.starts_with(start))
}

fn check_header(checker: &mut Checker, name: &str, value: &str) {
    check_header_name(checker, name);
    if HeaderValue::from_str(value).is_err() {
        checker.problem(format!("the value of `{name}` can not stand in a header"), "leave out line breaks");
    }
}

fn check_header_name(checker: &mut Checker, name: &str) {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        checker.problem(format!("`{name}` is not the name of a header"), "use letters, digits and `-`");
    }
}

fn check_capture(checker: &mut Checker, capture: &CaptureSpec) {
    match capture {
        CaptureSpec::JsonPath(path) => check_json_path(checker, path),
        CaptureSpec::Header(name) => checker.within("header", |checker| check_header_name(checker, name)),
        CaptureSpec::Regex(text) => checker.within("regex", |checker| check_regex(checker, text)),
        CaptureSpec::Cookie(name) => checker.within("cookie", |checker| {
            if name.is_empty() || name.contains(['=', ';', ' ']) {
                checker.problem(format!("`{name}` is not the name of a cookie"), "write it as in `sid`");
            }
        }),
    }
}

fn check_json_path(checker: &mut Checker, path: &str) {
    if let Err(error) = parse_path(path) {
        checker.problem(format!("`{path}` is not a JSONPath: {error}"), "write it as in `$.items[0].id`");
    }
}

fn check_regex(checker: &mut Checker, text: &str) {
    if let Err(error) = Regex::new(text) {
        // It draws the place over several lines; the last says what is wrong.
        let error = error.to_string();
        let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        checker.problem(format!("`{text}` is not a regular expression: {what}"), "write it as in `'id=(\\d+)'`");
    }
}

fn check_expect(checker: &mut Checker, expect: &ExpectSpec) {
    if *expect == ExpectSpec::default() {
        checker.problem("nothing is expected", "give it `status`, `header`, `within` or `body`, or leave it out");
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
    checker.within("header", |checker| check_headers(checker, &expect.header));
    if let Some(body) = &expect.body {
        checker.within("body", |checker| check_expected_body(checker, body));
    }
}

fn check_headers(checker: &mut Checker, headers: &BTreeMap<String, String>) {
    for (name, value) in headers {
        checker.within(name, |checker| check_header(checker, name, value));
    }
}

fn check_expected_body(checker: &mut Checker, body: &BodyExpectation) {
    if *body == BodyExpectation::default() {
        checker.problem("nothing is expected of the body", "give it `contains`, `matches` or `json`");
    }
    body.matches.iter().for_each(|text| checker.within("matches", |checker| check_regex(checker, text)));
    checker.within("json", |checker| {
        for path in body.json.keys() {
            checker.within(path, |checker| check_json_path(checker, path));
        }
    });
}
