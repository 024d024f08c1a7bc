//! Runs whose control plane is hostile: a proxy between the SDK and the sandbox throttles, refuses, breaks off after the
//! change was made, answers late or with half a document, while somebody else changes the same functions.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gameday::event::{FaultEnd, FaultState, RunState, read_log};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpListener;

use crate::crash::{FUNCTIONS, NAMES, SCENARIO};
use crate::lambda::Lambda;
use crate::support::{Run, Workspace};

/// How many runs are tried, each with a seed of its own.
const SEEDS: u64 = 24;
/// How many of them side by side: they mostly wait.
const WORKERS: u64 = 4;
/// The share of calls that something happens to.
const HOSTILITY: f64 = 0.35;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// 429, and nothing is done.
    Throttled,
    /// 409, and nothing is done.
    Conflict,
    /// 500, and nothing is done.
    Broken,
    /// It is done, and the answer is 412, as the SDK's own second try would get it.
    Stale,
    /// It is done, and the connection is closed without an answer.
    Reset,
    /// It is done, and the answer comes late.
    Slow,
    /// It is done, and the answer ends in the middle.
    Truncated,
}

const HARMS: [Harm; 7] =
    [Harm::Throttled, Harm::Conflict, Harm::Broken, Harm::Stale, Harm::Reset, Harm::Slow, Harm::Truncated];

/// The proxy in front of one sandbox.
struct Hostile {
    upstream: String,
    http: reqwest::Client,
    random: Mutex<ChaCha8Rng>,
    is_hostile: AtomicBool,
    harmed: Mutex<BTreeMap<Harm, u64>>,
}

impl Hostile {
    fn harm(&self) -> Option<Harm> {
        if !self.is_hostile.load(Ordering::SeqCst) {
            return None;
        }
        let mut random = self.random.lock().unwrap();
        let harm = random.random_bool(HOSTILITY).then(|| HARMS[random.random_range(0..HARMS.len())])?;
        *self.harmed.lock().unwrap().entry(harm).or_default() += 1;
        Some(harm)
    }

    async fn serve(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let harm = self.harm();
        match harm {
            Some(Harm::Throttled) => return Ok(refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException")),
            Some(Harm::Conflict) => return Ok(refusal(StatusCode::CONFLICT, "ResourceConflictException")),
            Some(Harm::Broken) => return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException")),
            Some(Harm::Stale | Harm::Reset | Harm::Slow | Harm::Truncated) | None => {}
        }
        let is_change = request.method() != Method::GET;
        let (status, body) = self.forward(request).await?;
        Ok(match harm {
            Some(Harm::Reset) => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            // Only a change can be stale.
            Some(Harm::Stale) if is_change => refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailedException"),
            Some(Harm::Slow) => {
                tokio::time::sleep(Duration::from_millis(400)).await;
                answer(status, body)
            }
            Some(Harm::Truncated) => answer(status, body.slice(..body.len() / 2)),
            _ => answer(status, body),
        })
    }

    async fn forward(&self, request: Request<Incoming>) -> io::Result<(StatusCode, Bytes)> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let url = format!("{}{}", self.upstream, parts.uri);
        let request = self.http.request(parts.method, url).body(body);
        let answer = request.send().await.map_err(io::Error::other)?;
        let status = answer.status();
        Ok((status, answer.bytes().await.map_err(io::Error::other)?))
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(body))
        .expect("an answer")
}

fn refusal(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let mut refusal = answer(status, Bytes::from_static(b"{\"message\":\"a test says so\",\"Type\":\"User\"}"));
    refusal.headers_mut().insert("x-amzn-errortype", code.parse().expect("a header"));
    refusal
}

async fn listen(hostile: Arc<Hostile>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let hostile = Arc::clone(&hostile);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| hostile.serve(request));
                // A reset is an error here as well.
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                Ok::<(), Infallible>(())
            });
        }
    });
    address
}

/// One hostile world: a sandbox, the proxy before it, and a workspace whose environment is the proxy.
struct World {
    workspace: Workspace,
    lambda: Lambda,
    hostile: Arc<Hostile>,
    _sandbox: Run,
}

impl World {
    fn start(seed: u64) -> Self {
        let workspace = Workspace::empty();
        workspace.write("functions.yaml", FUNCTIONS);
        workspace.write("scenarios/crash.yaml", SCENARIO);
        let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
        let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
        let lambda = Lambda::at(&endpoint);
        let hostile = Arc::new(Hostile {
            upstream: endpoint,
            http: reqwest::Client::new(),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            is_hostile: AtomicBool::new(true),
            harmed: Mutex::default(),
        });
        let address = lambda.runtime.block_on(listen(Arc::clone(&hostile)));
        let settings = format!("gameday: 1\nenvironments: {{local: {{endpoint: \"http://{address}\"}}}}\n");
        workspace.write("gameday.yaml", &settings);
        Self { workspace, lambda, hostile, _sandbox: sandbox }
    }

    fn state(&self) -> RunState {
        let folder = self.workspace.run_folder().expect("a run");
        RunState::fold(&read_log(&folder).expect("a log").events)
    }
}

/// What the second writer does: variables of its own, or one that a fault of ours changes as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Apart,
    OnTop,
}

/// Runs the scenario while somebody else writes, recovers what is left once the world is kind again, and looks.
fn try_seed(seed: u64) -> (RunState, BTreeMap<Harm, u64>) {
    let world = World::start(seed);
    let before = NAMES.map(|name| world.lambda.function(name));
    let writer = if seed.is_multiple_of(3) { Writer::OnTop } else { Writer::Apart };
    let run = world.workspace.start(&["run", "scenarios/crash.yaml", "--env", "local"]);
    let mut written = BTreeMap::new();
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xf0);
    for round in 0..random.random_range(1..6) {
        let pause = Duration::from_millis(random.random_range(50..400));
        world.lambda.runtime.block_on(async { tokio::time::sleep(pause).await });
        let name = format!("THEIRS_{}", random.random_range(0..2));
        let name = if writer == Writer::OnTop && round == 0 { "CURRENCY".to_owned() } else { name };
        let value = format!("theirs-{round}");
        if world.lambda.set_variable("payments-fn", &name, &value) {
            written.insert(name, value);
        }
    }
    let output = run.wait();
    let harmed = world.hostile.harmed.lock().unwrap().clone();
    world.hostile.is_hostile.store(false, Ordering::SeqCst);
    let folder = world.workspace.run_folder();
    if let Some(folder) = &folder {
        // Twice is once: a second recovery finds nothing to do, or the same drift.
        let folder = folder.to_str().expect("a path");
        let [first, second] = [(); 2].map(|()| world.workspace.gameday(&["recover", folder]));
        assert_eq!(first.code(), second.code(), "seed {seed}: {first:#?} {second:#?}");
        let is_drifted = world.state().faults.iter().any(|fault| fault.state == FaultState::Drifted);
        assert_eq!(first.code(), if is_drifted { 8 } else { 0 }, "seed {seed}: {output:#?} {first:#?}");
        assert!(!is_drifted || writer == Writer::OnTop, "seed {seed}: {:#?}", world.state().faults);
    }
    let now = NAMES.map(|name| world.lambda.function(name));
    assert_eq!(now[0], before[0], "seed {seed}: {output:#?}");
    let mut expected = before[1].clone();
    expected.environment.extend(written);
    assert_eq!(now[1], expected, "seed {seed}: ours are as before, and theirs as they wrote them: {output:#?}");
    (folder.map(|_| world.state()).unwrap_or_default(), harmed)
}

#[test]
fn whatever_the_control_plane_does_ours_are_as_before_and_theirs_as_they_wrote_them() {
    let next = AtomicU64::new(1);
    let (applied, drifted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let harmed = Mutex::new(BTreeMap::<Harm, u64>::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > SEEDS {
                        break;
                    }
                    let (state, harms) = try_seed(seed);
                    let restored = |fault: &&gameday::event::FaultProgress| fault.end == Some(FaultEnd::Restored);
                    applied.fetch_add(state.faults.iter().filter(restored).count(), Ordering::SeqCst);
                    drifted.fetch_add(state.outstanding().count(), Ordering::SeqCst);
                    for (harm, count) in harms {
                        *harmed.lock().unwrap().entry(harm).or_default() += count;
                    }
                }
            });
        }
    });
    let harmed = harmed.into_inner().unwrap();
    assert_eq!(harmed.len(), HARMS.len(), "every harm came up: {harmed:?}");
    assert!(applied.into_inner() >= 10, "faults were injected and restored");
}
