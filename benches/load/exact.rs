//! How exact arrivals and times are, seen from a server that knows the truth, on a core of its own.

use std::sync::mpsc;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::generator::work;
use crate::rig::say;
use crate::task::plan_of;

/// How many arrivals a second are asked for.
const RATE: u32 = 2_000;

/// The server lets all answers wait for so long at the start of each second since its first request.
const STALL: Duration = Duration::from_millis(200);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What the server saw of a request.
#[derive(Clone, Copy)]
struct Seen {
    came: Instant,
    answered: Instant,
}

/// A server that notes when each request came and was answered, which is at once or when its stall is over.
struct Server {
    url: String,
    seen: mpsc::Receiver<Seen>,
}

impl Server {
    fn start(stall: Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let (sender, seen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut first = CpuSet::new();
            first.set(0);
            sched_setaffinity(None, &first).expect("a core");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, stall, sender));
        });
        Self { url, seen }
    }

    /// What it saw.
    fn all_seen(&self) -> Vec<Seen> {
        self.seen.try_iter().collect()
    }
}

async fn accept(listener: std::net::TcpListener, stall: Duration, seen: mpsc::Sender<Seen>) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    let zero = std::rc::Rc::new(std::cell::OnceCell::new());
    let connections = tokio::task::LocalSet::new();
    connections
        .run_until(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, std::rc::Rc::clone(&zero), stall, seen.clone()));
            }
        })
        .await;
}

async fn serve(
    mut stream: TcpStream,
    zero: std::rc::Rc<std::cell::OnceCell<Instant>>,
    stall: Duration,
    seen: mpsc::Sender<Seen>,
) {
    stream.set_nodelay(true).ok();
    let mut request = [0; 4_096];
    while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        let came = Instant::now();
        let second = Duration::from_secs((came - *zero.get_or_init(|| came)).as_secs());
        let end_of_stall = *zero.get_or_init(|| came) + second + stall;
        if !stall.is_zero() && came < end_of_stall {
            sleep_until(end_of_stall).await;
        }
        if stream.write_all(ANSWER).await.is_err() || seen.send(Seen { came, answered: Instant::now() }).is_err() {
            return;
        }
    }
}

/// Milliseconds or microseconds at a share of all, which are sorted.
fn at(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a few thousand"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// When the first request came.
fn first(seen: &[Seen]) -> Instant {
    seen.iter().map(|seen| seen.came).min().expect("one came")
}

/// When the arrival of each number was due, in seconds after the first.
fn due(number: u32) -> f64 {
    f64::from(number) / f64::from(RATE)
}

fn plan(url: &str, lasting: Duration, in_flight_max: u32) -> gameday::load::LoadPlan {
    let (seconds, step) = (lasting.as_secs(), "expect: {status: 200, within: 10s}");
    let yaml = format!(
        "{{in_flight_max: {in_flight_max}, shape: [{{hold: {seconds}s, at: {RATE}/s}}], \
         journeys: [{{name: look, steps: [{{name: file, get: '{url}', {step}}}]}}]}}"
    );
    plan_of(&yaml, url)
}

/// How far arrivals at the server are from an even grid.
pub(crate) fn schedule(lasting: Duration) {
    let server = Server::start(Duration::ZERO);
    work(&plan(&server.url, lasting, 100));
    let seen = server.all_seen();
    let first = first(&seen);
    let came = sorted(seen.iter().map(|seen| (seen.came - first).as_secs_f64()));
    let count = u32::try_from(came.len()).expect("few");
    let last = came.last().copied().expect("one came");
    let rate = f64::from(count - 1) / last;
    let off = sorted((0_u32..).zip(&came).map(|(number, came)| came - due(number)));
    let middle = at(&off, 0.5);
    let error = sorted(off.iter().map(|off| (off - middle).abs() * 1e6));
    say(&format!(
        "\n{RATE}/s for {} s: {count} came, {rate:.2}/s ({:+.3} %); off schedule p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us",
        lasting.as_secs(),
        (rate / f64::from(RATE) - 1.0) * 100.0,
        at(&error, 0.5),
        at(&error, 0.99),
        at(&error, 0.999)
    ));
}

/// Response times against what the stalls make of them: a fifth of all arrivals waits for 0 to 200 ms, evenly; and against what
/// the server itself says, which takes its time for the backlog of a stall.
pub(crate) fn stalls(lasting: Duration, in_flight_max: u32) {
    let server = Server::start(STALL);
    let totals = work(&plan(&server.url, lasting, in_flight_max));
    let seen = server.all_seen();
    let first = first(&seen);
    let answered = sorted(seen.iter().map(|seen| (seen.answered - first).as_secs_f64()));
    let true_ms = sorted((0_u32..).zip(&answered).map(|(number, answered)| (answered - due(number)) * 1_000.0));
    let ideal_ms = |share: f64| (STALL.as_secs_f64() - (1.0 - share)) * 1_000.0;
    let told: Vec<String> = [("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
        .into_iter()
        .map(|(name, share)| {
            let seen = totals.latency.quantile(share).unwrap_or_default().as_secs_f64() * 1_000.0;
            let off = |expected: f64| (seen / expected - 1.0) * 100.0;
            format!(
                "{name} {seen:.1} ms ({:+.1} %, of the server's {:+.1} %)",
                off(ideal_ms(share)),
                off(at(&true_ms, share))
            )
        })
        .collect();
    say(&format!(
        "a server that stalls {} ms each second, {RATE}/s, {in_flight_max} users: {} sent of {}; {}",
        STALL.as_millis(),
        totals.count(),
        u64::from(RATE) * lasting.as_secs(),
        told.join(", ")
    ));
}
