//! What functions in an AWS account can not reach: this machine. A loopback address leads each of them to itself.

use super::Checker;
use crate::document::{Diagnostic, Place};
use crate::fault::TargetNeed;
use crate::proxy::{AdminUrl, ListenAddress};
use crate::scenario::schema::{ProxyTarget, TargetKind};
use crate::unit::TargetId;
use crate::workspace::EnvironmentKind;

/// What is told of all of it.
const CODE: &str = "loopback-in-account";
/// What to do instead.
const REMEDY: &str = "run `gameday proxy` where the functions can reach it, and name its address";

/// Checks the values of `environments` for the first of them that is an AWS account.
pub(super) fn check(checker: &mut Checker<'_>, environments: &[String]) {
    let is_account = |name: &&String| {
        let environment = checker.workspace.environment(name);
        environment.is_some_and(|environment| matches!(environment.kind(), EnvironmentKind::Account(_)))
    };
    let Some(account) = environments.iter().find(is_account) else { return };
    let mut found = of_faults(checker);
    found.extend(of_targets(checker));
    let note = format!("environment `{account}` is an AWS account");
    checker.problems.extend(found.into_iter().map(|problem| problem.with_note(note.clone())));
}

/// Faults that lead a function to another address.
fn of_faults(checker: &Checker<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, fault) in &checker.scenario.faults {
        let Ok(kind) = fault.kind() else { continue };
        if let Some(url) = kind.url().filter(|url| is_loopback(url)) {
            let place = checker.root.key("faults").key(name.as_str()).key(kind.key());
            let message = format!("functions in AWS would be led to {url}, which is each function itself");
            found.push(place.key("url").error(CODE, message).with_help(REMEDY));
        }
    }
    found
}

/// Proxies on this machine that functions would have to reach.
fn of_targets(checker: &Checker<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, target) in &checker.scenario.targets {
        let Ok(TargetKind::Proxy(proxy)) = target.kind() else { continue };
        let place = checker.root.key("targets").key(name.as_str()).key("proxy");
        found.extend(of_trust(place, name, proxy));
        found.extend(of_proxy(checker, place, name, proxy));
    }
    found
}

/// A file that functions are told to trust, and that is on this machine.
fn of_trust(place: Place<'_>, name: &TargetId, proxy: &ProxyTarget) -> Option<Diagnostic> {
    if proxy.trust.is_empty() {
        return None;
    }
    let message = format!("`{name}` would let functions in AWS trust a file on this machine, which none of them reads");
    let help = "name a proxy that runs beside the workload by `admin`, whose certificate the functions trust already";
    Some(place.key("trust").name_error(CODE, message).with_help(help))
}

fn of_proxy(checker: &Checker<'_>, place: Place<'_>, name: &TargetId, proxy: &ProxyTarget) -> Option<Diagnostic> {
    let is_here = match (proxy.listen, &proxy.url) {
        (Some(listen), _) => listen.0.ip().is_loopback(),
        (None, Some(url)) => is_loopback(url),
        (None, None) => return None,
    };
    if !is_here {
        return None;
    }
    if !proxy.route.is_empty() {
        let message =
            format!("`{name}` would lead functions in AWS to a proxy on this machine, which none of them reaches");
        let help = "name a proxy that runs beside the workload (`admin`, `url`); leave `route` out where only loads and \
                    probes of this machine go through it";
        return Some(place.key("route").name_error(CODE, message).with_help(help));
    }
    let listen = proxy.listen?;
    let fault =
        checker.scenario.faults.iter().find(|(_, fault)| {
            fault.kind().is_ok_and(|kind| kind.need() == TargetNeed::Proxy && kind.target() == name)
        });
    let (fault, _) = fault?;
    if proxy.local_callers || has_local_callers(checker, name, listen) {
        return None;
    }
    let message = format!(
        "nobody who can reach `{listen}` would meet `{fault}`: functions in AWS can not, and no load and no \
                           probe of this run goes through it"
    );
    let help = format!(
        "name a proxy that runs beside the workload by `admin`, send a load through `${{{name}.url}}`, or say `local_callers: \
         true` if other programs on this machine go through it"
    );
    Some(place.key("listen").error(CODE, message).with_help(help))
}

/// Whether a load or a probe goes through a proxy of the run's own, by its target's URL or by its address.
fn has_local_callers(checker: &Checker<'_>, name: &TargetId, listen: ListenAddress) -> bool {
    let texts = serde_json::to_string(&(&checker.scenario.load, &checker.scenario.signals)).unwrap_or_default();
    let port = listen.0.port();
    let ways = [format!("${{{name}.url}}"), format!("//{listen}"), format!("//localhost:{port}")];
    ways.iter().any(|way| texts.contains(way))
}

fn is_loopback(url: &str) -> bool {
    match url.parse::<AdminUrl>() {
        Ok(url) => url.is_loopback(),
        // A host and a port alone.
        Err(_) => format!("http://{url}").parse::<AdminUrl>().is_ok_and(|url| url.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_this_machine_is_known_in_each_of_its_forms() {
        for url in [
            "http://127.0.0.1:18474",
            "http://localhost",
            "https://LOCALHOST:1/",
            "http://[::1]:1",
            "http://127.9.9.9",
            "127.0.0.1:5432",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://10.0.1.7:18474",
            "https://proxy.example.com",
            "http://[fd00::1]:1",
            "http://localhost.example.com",
            "10.0.1.7:5432",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
