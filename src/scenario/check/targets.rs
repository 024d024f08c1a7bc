//! Targets: one kind each, and what is in the account is named without the account.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Checker, exactly_one, proxies};
use crate::document::Place;
use crate::scenario::schema::{LambdaTarget, TargetKind, TargetSpec};
use crate::unit::TargetId;

/// The longest name of a function. AWS: CreateFunction, `FunctionName`.
const FUNCTION_CHARS_MAX: usize = 64;

pub(super) fn check(checker: &mut Checker<'_>) {
    let mut listeners: BTreeMap<SocketAddr, Place<'_>> = BTreeMap::new();
    let mut routes: BTreeMap<(&TargetId, &str), Place<'_>> = BTreeMap::new();
    for (name, target) in &checker.scenario.targets {
        let place = checker.root.key("targets").key(name.as_str());
        match target.kind() {
            Err(given) => checker.problems.extend(exactly_one(place, "a target", &given, TargetSpec::KINDS)),
            Ok(TargetKind::Lambda(lambda)) => check_lambda(checker, place.key("lambda"), lambda),
            Ok(
                kind @ (TargetKind::Role(_)
                | TargetKind::Queue(_)
                | TargetKind::Table(_)
                | TargetKind::Rule(_)
                | TargetKind::Parameter(_)
                | TargetKind::Topic(_)
                | TargetKind::Bus(_)
                | TargetKind::Stream(_)
                | TargetKind::Other(_)),
            ) => {
                check_resource(checker, place.key(kind.key()), kind);
            }
            Ok(TargetKind::Proxy(proxy)) => {
                let place = place.key("proxy");
                proxies::check(checker, place, proxy);
                let routes_of = proxy.route.iter().map(|entry| ("route", entry));
                let trusts_of = proxy.trust.iter().map(|entry| ("trust", entry));
                for (key, (target, variable)) in routes_of.chain(trusts_of) {
                    let entry = place.key(key).key(target.as_str());
                    if let Some(first) = routes.insert((target, variable), entry) {
                        let message = format!("`{variable}` of `{target}` is set twice");
                        let problem = entry.error("overlapping-routes", message);
                        let problem = problem.with_help("a variable holds one address, or the one file with the authorities of all proxies: name another here");
                        checker.tell(problem.with_related(entry.source(), first.span(), "the other one is here"));
                    }
                }
                let Some(listen) = proxy.listen.filter(|listen| listen.0.port() != 0) else { continue };
                if let Some(first) = listeners.insert(listen.0, place.key("listen")) {
                    let message = format!("two proxies listen at `{listen}`");
                    let problem = place.key("listen").error("address-in-use", message);
                    checker.tell(problem.with_related(place.source(), first.span(), "the other one is here"));
                }
            }
        }
    }
}

fn check_lambda(checker: &mut Checker<'_>, place: Place<'_>, lambda: &LambdaTarget) {
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let function = &lambda.function;
    if function.contains(':') {
        let problem = place.key("function").error("account-in-scenario", format!("`{function}` is more than a name"));
        checker.tell(problem.with_help(
            "write the function's name alone: account and Region are bound in `gameday.yaml`, the alias has a key of its own",
        ));
    } else if function.is_empty() || function.len() > FUNCTION_CHARS_MAX || !is_word(function) {
        let problem = place.key("function").error("invalid-value", format!("`{function}` is not a function's name"));
        checker.tell(problem.with_help("use 1 to 64 letters, digits, `-` and `_`"));
    }
    if let Some(alias) = &lambda.alias
        && (alias.is_empty() || !is_word(alias) || alias.chars().all(|c| c.is_ascii_digit()))
    {
        let problem = place.key("alias").error("invalid-value", format!("`{alias}` is not an alias"));
        checker.tell(
            problem.with_help("use letters, digits, `-` and `_`, and not digits alone; leave it out for `$LATEST`"),
        );
    }
    if let Some(url) = &lambda.url
        && !url.starts_with("http://")
        && !url.starts_with("https://")
    {
        let problem = place.key("url").error("invalid-value", format!("`{url}` is not a URL"));
        checker.tell(problem.with_help("start it with `https://` or `http://`"));
    }
}

/// A thing in the account has a name there, and no scenario chooses the account.
fn check_resource(checker: &mut Checker<'_>, place: Place<'_>, kind: TargetKind<'_>) {
    if let Some(bus) = place.key("bus").text().filter(|bus| bus.starts_with("arn:")) {
        let problem = place.key("bus").error("account-in-scenario", format!("`{bus}` is more than a name"));
        checker.tell(problem.with_help("write the bus's name alone: account and Region are bound in `gameday.yaml`"));
    }
    let Some(name) = place.key("name").text() else { return };
    let place = place.key("name");
    // A thing of another kind is named in words, and a parameter may stand in a path.
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_good = match kind {
        TargetKind::Other(_) => !name.trim().is_empty(),
        // Buses of partners have paths for names.
        TargetKind::Parameter(_) | TargetKind::Bus(_) => {
            !name.is_empty() && name.chars().all(|c| is_word(c) || c == '/')
        }
        TargetKind::Role(_) => {
            !name.is_empty() && name.chars().all(|c| is_word(c) || matches!(c, '+' | '=' | ',' | '@'))
        }
        _ => !name.is_empty() && name.chars().all(is_word),
    };
    if name.starts_with("arn:") {
        let problem = place.error("account-in-scenario", format!("`{name}` is more than a name"));
        checker.tell(problem.with_help("write the name alone: account and Region are bound in `gameday.yaml`"));
    } else if !is_good {
        let problem = place.error("invalid-value", format!("`{name}` is not the name of a {}", kind.thing()));
        checker.tell(problem.with_help(match kind {
            TargetKind::Other(_) => "say in words what it is",
            TargetKind::Parameter(_) | TargetKind::Bus(_) => "use letters, digits, `-`, `_`, `.` and `/`",
            TargetKind::Role(_) => "use letters, digits, `-`, `_`, `.`, `+`, `=`, `,` and `@`",
            _ => "use letters, digits, `-`, `_` and `.`",
        }));
    }
}
