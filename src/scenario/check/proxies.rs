//! Proxy targets: whose proxy it is, where it listens, its TLS, and whom its routes lead through it.

use std::collections::BTreeMap;

use super::Checker;
use super::faults::{LATEST_ONLY, check_variable};
use crate::document::Place;
use crate::proxy::{AdminUrl, CertificateSource, ListenAddress, UpstreamAddress};
use crate::scenario::schema::{LambdaTarget, ProxyTarget, TargetKind};
use crate::unit::TargetId;

/// The keys of a proxy that the run starts.
const OWN: [&str; 6] = ["listen", "upstream", "protocol", "tls", "trust", "local_callers"];
/// The keys of a proxy that runs already, besides `admin`.
const REMOTE: [&str; 3] = ["name", "token", "url"];
/// What tells the two kinds apart.
const KINDS: &str =
    "write `listen` and `upstream` for a proxy that the run starts, or `admin` for one that runs already";

pub(super) fn check(checker: &mut Checker<'_>, place: Place<'_>, proxy: &ProxyTarget) {
    if place.key("admin").is_found() {
        for key in OWN.into_iter().filter(|key| place.key(key).is_found()) {
            let message =
                format!("`{key}` is about a proxy that the run starts, and `admin` names one that runs already");
            checker.tell(place.key(key).name_error("contradiction", message).with_help(KINDS));
        }
        check_remote(checker, place, proxy);
    } else {
        check_keys_of_own(checker, place);
        if let Some(listen) = proxy.listen {
            check_listen(checker, place, proxy, listen);
        }
        if let Some(problem) = proxy.own().and_then(|own| own.problem()) {
            checker.tell(place.key("protocol").error("contradiction", problem));
        }
        check_variables(checker, place.key("trust"), &proxy.trust);
        check_tls(checker, place, proxy);
    }
    check_variables(checker, place.key("route"), &proxy.route);
}

fn check_keys_of_own(checker: &mut Checker<'_>, place: Place<'_>) {
    let misplaced: Vec<&str> = REMOTE.into_iter().filter(|key| place.key(key).is_found()).collect();
    for key in &misplaced {
        let message = format!("`{key}` is about a proxy that runs already, and there is no `admin` beside it");
        checker.tell(place.key(key).name_error("contradiction", message).with_help(KINDS));
    }
    let missing: Vec<&str> = ["listen", "upstream"].into_iter().filter(|key| !place.key(key).is_found()).collect();
    match missing.as_slice() {
        // What seems to be missing may be there, and could not be read.
        _ if place.has_problems() || !misplaced.is_empty() => {}
        [] => {}
        [key] => {
            let problem = place.name_error("missing-key", format!("the key `{key}` is missing"));
            checker.tell(problem.with_label(format!("`{key}` is needed here")));
        }
        _ => checker.tell(place.name_error("missing-key", "it is not said whose proxy it is").with_help(KINDS)),
    }
}

fn check_listen(checker: &mut Checker<'_>, place: Place<'_>, proxy: &ProxyTarget, listen: ListenAddress) {
    if !listen.0.ip().is_loopback() {
        let message = format!("`{listen}` can be reached from other machines");
        let problem = place.key("listen").error("not-loopback", message);
        checker.tell(problem.with_help(
            "let the proxy listen on `127.0.0.1:PORT`; for callers elsewhere name one that runs beside them by `admin`",
        ));
    }
    if listen.0.port() == 0 {
        let problem = place.key("listen").error("invalid-value", "nobody knows the port 0: the system chooses one");
        checker.tell(problem.with_help("write a port"));
    }
    if proxy.upstream.as_ref().is_some_and(|upstream| upstream.as_str() == listen.to_string()) {
        let problem = place.key("upstream").error("proxy-loop", "the proxy would be its own upstream");
        checker.tell(problem.with_help("write where the dependency itself listens"));
    }
}

fn check_remote(checker: &mut Checker<'_>, place: Place<'_>, proxy: &ProxyTarget) {
    match &proxy.url {
        Some(url) if url.parse::<AdminUrl>().is_err() && url.parse::<UpstreamAddress>().is_err() => {
            // A user's name and password in it would be written down in the plan.
            let problem = place.key("url").error("invalid-value", "that is not where callers reach a proxy");
            checker.tell(problem.with_help(
                "write a scheme, a host and a port, as in `http://10.0.1.7:18474`, or `10.0.1.7:5432` where no HTTP is spoken",
            ));
        }
        None if !proxy.route.is_empty() && !place.key("url").is_found() => {
            let problem = place.key("route").name_error("missing-key", "nobody knows where callers reach the proxy");
            checker.tell(problem.with_help("add its `url`, as in `url: \"http://10.0.1.7:18474\"`"));
        }
        Some(_) | None => {}
    }
}

/// Environment variables by `lambda` target.
fn check_variables(checker: &mut Checker<'_>, place: Place<'_>, variables: &BTreeMap<TargetId, String>) {
    for (target, variable) in variables {
        let entry = place.key(target.as_str());
        let known = &checker.declared.targets;
        if known.contains(target.as_str()) {
            let spec = checker.scenario.targets.get(target);
            match spec.and_then(|spec| spec.kind().ok()) {
                Some(TargetKind::Lambda(LambdaTarget { alias: Some(alias), .. })) => {
                    let message = format!(
                        "`{target}` takes its traffic through the alias `{alias}`, which a route does not reach"
                    );
                    checker.tell(entry.name_error("alias-fault", message).with_note(LATEST_ONLY).with_help(
                        "use a target without `alias`, or let the published version point at `listen` already",
                    ));
                }
                Some(TargetKind::Lambda(_)) | None => {}
                Some(other) => {
                    let message = format!("`{target}` is a {}, and has no environment variables", other.thing());
                    checker.tell(entry.name_error("wrong-target", message).with_help("name a `lambda` target"));
                }
            }
        } else {
            let problem = super::unknown_name(entry, "target", target.as_str(), known.iter().copied());
            checker.tell(crate::document::Diagnostic { span: entry.name_span(), ..problem });
        }
        checker.problems.extend(check_variable(entry, variable));
    }
}

/// TLS that is some, with files that are there, and callers who can be told what to trust.
fn check_tls(checker: &mut Checker<'_>, place: Place<'_>, proxy: &ProxyTarget) {
    if !proxy.trust.is_empty() && proxy.client_tls() != Some(&CertificateSource::SelfMade) {
        let message = "there is no authority to trust: the proxy makes no certificate of its own";
        let problem = place.key("trust").name_error("contradiction", message);
        checker.tell(problem.with_help("add `tls: {client: {}}`, without `certificate`, or leave `trust` out"));
    }
    let Some(tls) = &proxy.tls else { return };
    let place = place.key("tls");
    if tls.client.is_none() && tls.upstream.is_none() && !place.has_problems() {
        let problem = place.name_error("invalid-value", "neither callers nor the dependency have TLS");
        checker.tell(problem.with_help("add `client: {}`, `upstream: {}` or both"));
    }
    let files = place.key("client").key("certificate").key("files");
    for place in [files.key("cert"), files.key("key"), place.key("upstream").key("authorities")] {
        let Some(file) = place.text() else { continue };
        if !checker.workspace.root.join(file).is_file() {
            let problem = place.error("missing-file", format!("there is no file `{file}`"));
            checker.tell(problem.with_help("it is looked for in the workspace's folder"));
        }
    }
}
