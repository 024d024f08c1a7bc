//! Fault proxies that somebody else runs: looked at before a run, asked each second what they did, and told that the run lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::ledger::Recorder;
use super::stage::StageError;
use crate::event::{EventKind, FaultIdentity, FaultState};
use crate::fault::{FaultEnvironment, REMOTE_TTL, Renewed, TargetNeed, Undo};
use crate::plan::{Plan, TargetPlan};
use crate::proxy::{ProxyProgram, ProxyStats, RemoteProxy, Stats};
use crate::unit::{ProxyName, TargetId, error_chain, format_duration};

/// How often a proxy is asked what it did.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the end of what is on it is put off: six times before it would be over.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(5);
/// How many names of proxies are told where the right one is missing.
const NAMES_MAX: usize = 20;

/// A remote proxy of a plan, as it was found.
#[derive(Debug, Clone)]
pub(super) struct RemoteTarget {
    target: TargetId,
    at: RemoteProxy,
    program: ProxyProgram,
    /// What it had done before the run; none where it does not tell.
    before: Option<ProxyStats>,
    /// What its callers must trust, as PEM; none where it has no authority of its own.
    pub(super) authority: Option<String>,
}

/// What was found of the remote proxies of a plan.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) targets: Vec<RemoteTarget>,
    /// A line for each that is as it should be.
    pub(super) checks: Vec<String>,
    /// A line for what nobody can promise.
    pub(super) unknown: Vec<String>,
}

/// Looks at every remote proxy of a plan, and whether each fault on it could be injected. Changes nothing.
pub(super) async fn look(plan: &Plan, faults: &FaultEnvironment) -> Result<Found, StageError> {
    let mut found = Found::default();
    for (target, spec) in &plan.targets {
        let TargetPlan::RemoteProxy { at, .. } = spec else { continue };
        let remote = look_at(plan, faults, target, at).await;
        let remote = remote.map_err(|why| StageError::NotReady { target: target.clone(), why })?;
        let (name, admin, program) = (&at.name, &at.admin, &remote.program);
        found.checks.push(format!("the fault proxy {name} at {admin} is there ({program})"));
        if let ProxyProgram::Toxiproxy { .. } = program {
            found.unknown.push(format!(
                "the fault proxy {name} at {admin} is a Toxiproxy: should this machine be lost, what the run has put there stays \
                 until somebody takes it away"
            ));
        }
        found.targets.push(remote);
    }
    Ok(found)
}

async fn look_at(
    plan: &Plan,
    faults: &FaultEnvironment,
    target: &TargetId,
    at: &RemoteProxy,
) -> Result<RemoteTarget, String> {
    let fail = |error: crate::proxy::AdminError| format!("the fault proxy at {}: {}", at.admin, error_chain(&error));
    let client = at.client().map_err(fail)?;
    let program = client.program().await.map_err(fail)?;
    let names = client.proxy_names().await.map_err(fail)?;
    if !names.iter().any(|name| name == at.name.as_str()) {
        return Err(format!("{program} at {} has no proxy `{}`: {}", at.admin, at.name, known(&names)));
    }
    let (before, authority) = match &program {
        ProxyProgram::Gameday { .. } => {
            let mut stats = client.stats().await.map_err(fail)?;
            (stats.proxies.remove(at.name.as_str()), client.authority(&at.name).await.map_err(fail)?)
        }
        ProxyProgram::Toxiproxy { .. } if plan.environment.deadman.as_ref().is_some_and(|it| it.is_required) => {
            return Err(format!(
                "{program} at {} keeps what is put there until it is taken away, and environment `{}` asks for a dead man's \
                 switch: run `gameday proxy` there",
                at.admin, plan.environment.name
            ));
        }
        ProxyProgram::Toxiproxy { .. } => (None, None),
    };
    for change in plan.changes.values().filter(|change| change.target == *target) {
        let Ok(kind) = change.spec.kind() else { continue };
        if kind.need() == TargetNeed::Proxy {
            let prepared = kind.prepare(faults).await;
            prepared.map_err(|error| format!("fault `{}`: {}", change.fault, error_chain(&error)))?;
        }
    }
    Ok(RemoteTarget { target: target.clone(), at: at.clone(), program, before, authority })
}

fn known(names: &[String]) -> String {
    let listed: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(listed.len()) {
        _ if names.is_empty() => "it has none at all".to_owned(),
        Some(more) if more > 0 => format!("it has {}, and {more} more", listed.join(", ")),
        Some(_) | None => format!("it has {}", listed.join(", ")),
    }
}

/// What the proxies had done before the run, by what the run calls them.
pub(super) fn before(targets: &[RemoteTarget]) -> BTreeMap<ProxyName, ProxyStats> {
    let of = |remote: &RemoteTarget| Some((ProxyName::from(&remote.target), remote.before.clone()?));
    targets.iter().filter_map(of).collect()
}

/// Undo data of faults that are or may be in.
pub(super) type Undos = Arc<Mutex<BTreeMap<FaultIdentity, Undo>>>;

/// Asks the proxies what they did, and puts off the end of what the run has put there, until the tasks are dropped.
pub(super) fn watch(
    targets: &[RemoteTarget],
    recorder: &Recorder,
    faults: &FaultEnvironment,
    undos: &Undos,
    news: &mpsc::UnboundedSender<Stats>,
) -> Vec<JoinHandle<()>> {
    if targets.is_empty() {
        return Vec::new();
    }
    let looks = processes(targets).into_iter().map(|(at, names)| tokio::spawn(ask(at, names, news.clone())));
    let renewal = tokio::spawn(renew(recorder.clone(), faults.clone(), Arc::clone(undos)));
    looks.chain([renewal]).collect()
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Passes on what the proxies of one process have done, by what the run calls them.
async fn ask(at: RemoteProxy, names: BTreeMap<String, String>, news: mpsc::UnboundedSender<Stats>) {
    let mut ticks = ticks(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        // A look that fails is made up for by the next: what is told is counted from the start.
        if let Some(stats) = ask_once(&at, &names).await {
            // The run may have ended.
            news.send(stats).ok();
        }
    }
}

async fn ask_once(at: &RemoteProxy, names: &BTreeMap<String, String>) -> Option<Stats> {
    let stats = at.client().ok()?.stats().await.ok()?;
    let named = |(target, name): (&String, &String)| Some((target.clone(), stats.proxies.get(name)?.clone()));
    let proxies = names.iter().filter_map(named).collect();
    Some(Stats { proxies, ..stats })
}

/// Asks the proxies once more what they did, side by side, each for so long at most.
pub(super) fn last_looks(targets: &[RemoteTarget], wait: Duration) -> JoinSet<Option<Stats>> {
    let looks = processes(targets).into_iter();
    looks.map(|(at, names)| async move { tokio::time::timeout(wait, ask_once(&at, &names)).await.ok()? }).collect()
}

/// The targets whose proxies tell what they do to callers.
pub(super) fn telling(targets: &[RemoteTarget]) -> impl Iterator<Item = &TargetId> {
    let tells = |target: &&RemoteTarget| matches!(target.program, ProxyProgram::Gameday { .. });
    targets.iter().filter(tells).map(|target| &target.target)
}

/// The processes that tell what they do, each with the names of its proxies by what the run calls them.
fn processes(targets: &[RemoteTarget]) -> Vec<(RemoteProxy, BTreeMap<String, String>)> {
    let mut processes: BTreeMap<_, (RemoteProxy, BTreeMap<String, String>)> = BTreeMap::new();
    for RemoteTarget { target, at, program, .. } in targets {
        if let ProxyProgram::Gameday { .. } = program {
            let process = processes.entry((&at.admin, &at.token)).or_insert_with(|| (at.clone(), BTreeMap::new()));
            process.1.insert(target.to_string(), at.name.to_string());
        }
    }
    processes.into_values().collect()
}

/// Puts off the end of what is in, and tells where it is not there any more.
async fn renew(recorder: Recorder, faults: FaultEnvironment, undos: Undos) {
    let mut ticks = ticks(RENEWAL_INTERVAL);
    let (mut lost, mut late) = (BTreeSet::new(), BTreeSet::new());
    loop {
        ticks.tick().await;
        // Side by side, since each may wait for an answer that does not come.
        let mut calls = JoinSet::new();
        for identity in in_place(&recorder).into_iter().filter(|identity| !lost.contains(identity)) {
            let undo = undos.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned();
            let faults = faults.clone();
            if let Some(undo) = undo {
                calls.spawn(async move { (identity, undo.text().change, undo.renew(&faults).await) });
            }
        }
        while let Some(called) = calls.join_next().await {
            let Ok((identity, change, outcome)) = called else { continue };
            // What is being undone meanwhile may well be gone.
            if !in_place(&recorder).contains(&identity) {
                continue;
            }
            let told = match outcome {
                Ok(Renewed::Needless) => continue,
                Ok(Renewed::Held) => {
                    late.remove(&identity);
                    continue;
                }
                Ok(Renewed::Lost) if lost.insert(identity.clone()) => {
                    let why = format!("somebody took it away, or its proxy was started anew ({change})");
                    EventKind::FaultLost { identity, why }
                }
                Err(error) if late.insert(identity.clone()) => {
                    let text = format!(
                        "`{}` could not be put off, and its proxy drops it within {} unless that passes: {}",
                        identity.fault,
                        format_duration(REMOTE_TTL),
                        error_chain(&error)
                    );
                    EventKind::Noted { text, by: Some(crate::event::PROGRAM.to_owned()) }
                }
                Ok(Renewed::Lost) | Err(_) => continue,
            };
            recorder.record_anyway(told);
        }
    }
}

/// The faults that are in, and that nobody undoes now.
fn in_place(recorder: &Recorder) -> Vec<FaultIdentity> {
    let recording = recorder.recording();
    let faults = recording.state().faults.iter();
    let is_in = |state| matches!(state, FaultState::Applied | FaultState::Effective);
    faults.filter(|fault| is_in(fault.state)).map(|fault| fault.identity.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Reply, Server};
    use crate::fault::testing::{FakeFunctions, FunctionState};
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;
    use crate::workspace::DeadmanSwitch;

    /// A server that speaks Toxiproxy's API has nothing that ends by itself.
    #[tokio::test]
    async fn a_toxiproxy_is_told_of_and_is_refused_where_a_dead_mans_switch_is_required() {
        let mut plan = Sketch::new(Mode::Drill).plan();
        let faults = FakeFunctions::checkout(FunctionState::with(&[])).environment();
        for is_required in [false, true] {
            let replies = [r#"{"version": "2.9.0"}"#, r#"{"cards": {}}"#].map(|body| Reply::new(200, body));
            let server = Server::start(replies).await;
            let at = RemoteProxy { admin: server.url.parse().unwrap(), token: None, name: "cards".parse().unwrap() };
            plan.targets.insert("shop".parse().unwrap(), TargetPlan::RemoteProxy { at, url: None });
            let role_arn = "arn:aws:iam::111122223333:role/undo".to_owned();
            plan.environment.deadman = Some(DeadmanSwitch { role_arn, group: "default".to_owned(), is_required });
            match look(&plan, &faults).await {
                Ok(found) => {
                    assert!(!is_required);
                    assert_eq!((found.targets.len(), found.checks.len()), (1, 1));
                    assert!(found.unknown[0].contains("is a Toxiproxy"), "{:?}", found.unknown);
                }
                Err(error) => {
                    assert!(is_required && error.to_string().contains("asks for a dead man's switch"), "{error}")
                }
            }
        }
    }

    #[test]
    fn the_names_that_are_there_are_told_and_not_too_many() {
        let names = |count: usize| (0..count).map(|number| format!("p{number}")).collect::<Vec<_>>();
        assert_eq!(known(&[]), "it has none at all");
        assert_eq!(known(&names(2)), "it has `p0`, `p1`");
        assert!(known(&names(25)).ends_with("`p19`, and 5 more"), "{}", known(&names(25)));
    }
}
