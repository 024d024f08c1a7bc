//! How fast warm functions are invoked through the sandbox's control API, by the number of callers at once: the Rust probe, and a
//! Python function beside the same one on MiniStack, whose Python `GAMEDAY_TEST_PYTHON` names. `cargo bench --bench invoke`.
//!
//! divan tells no percentiles and has no callers that wait for each other; so this counts by itself. The client speaks HTTP on
//! kept connections and does nothing else, but it shares the machine with what it measures.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

#[path = "../tests/it/support.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and may unwrap")]
mod support;

use support::{Run, Workspace, free_port, gameday, repository, wait_for};

/// How many callers at once.
const CALLERS: [usize; 5] = [1, 2, 4, 8, 16];
/// How long each is measured, after as long again is waited for everything to be warm.
const MEASURED: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(1);
/// The bars of the sandbox for the Rust probe on two cores.
const P50_MAX: Duration = Duration::from_millis(1);
const INVOKES_PER_SECOND_MIN: f64 = 2_000.0;

/// A function behind an endpoint.
struct Subject {
    name: &'static str,
    /// `127.0.0.1:9000`.
    address: String,
    function: &'static str,
}

/// What a number of callers saw.
struct Measured {
    histogram: Histogram<u64>,
    per_second: f64,
}

impl Measured {
    fn at(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.histogram.value_at_quantile(quantile))
    }
}

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("somebody reads");
}

/// One invocation on a kept connection, to the end of its answer.
async fn invoke(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).await.expect("it is sent");
    buffer.clear();
    let (mut end, mut is_good) = (None, false);
    loop {
        if let Some(end) = end
            && buffer.len() >= end
        {
            break;
        }
        assert!(stream.read_buf(buffer).await.expect("an answer") > 0, "the connection was closed");
        if end.is_none()
            && let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            let text = String::from_utf8_lossy(buffer.get(..head).expect("a head")).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).expect("a length");
            end = Some(head + 4 + length.trim().parse::<usize>().expect("a number"));
            is_good = text.starts_with("http/1.1 200") && !text.contains("x-amz-function-error");
        }
    }
    assert!(is_good, "{}", String::from_utf8_lossy(buffer));
}

/// One caller: invokes one after the other, and counts from `from` to `to`.
async fn call(address: String, request: Vec<u8>, from: Instant, to: Instant) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("a histogram");
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut buffer = Vec::new();
    loop {
        let before = Instant::now();
        if before >= to {
            return histogram;
        }
        invoke(&mut stream, &request, &mut buffer).await;
        if before >= from {
            histogram.record(u64::try_from(before.elapsed().as_nanos()).expect("a short time")).expect("a value");
        }
    }
}

async fn measure(subject: &Subject, callers: usize) -> Measured {
    let body = r#"{"do":"echo","n":1}"#;
    let request = format!(
        "POST /2015-03-31/functions/{}/invocations HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        subject.function,
        subject.address,
        body.len()
    );
    let from = Instant::now() + WARM_UP;
    let to = from + MEASURED;
    let calls: Vec<_> = (0..callers)
        .map(|_| tokio::spawn(call(subject.address.clone(), request.clone().into_bytes(), from, to)))
        .collect();
    let mut histogram = Histogram::new(3).expect("a histogram");
    for call in calls {
        histogram.add(call.await.expect("no panic")).expect("the same shape");
    }
    let count = u32::try_from(histogram.len()).expect("some invocations");
    Measured { histogram, per_second: f64::from(count) / MEASURED.as_secs_f64() }
}

async fn measure_all(subject: &Subject) -> Vec<Measured> {
    say(&format!("\n{}\n{:>8} {:>10} {:>10} {:>12}", subject.name, "callers", "p50", "p99", "invokes/s"));
    let mut all = Vec::new();
    for callers in CALLERS {
        let measured = measure(subject, callers).await;
        let [p50, p99] = [0.5, 0.99].map(|quantile| measured.at(quantile).as_secs_f64() * 1_000.0);
        say(&format!("{callers:>8} {p50:>7.3} ms {p99:>7.3} ms {:>12.0}", measured.per_second));
        all.push(measured);
    }
    all
}

/// The sandbox with the probe, and with the peer's Python function where there is a Python.
fn start_sandbox(workspace: &Workspace, python: Option<&std::ffi::OsStr>) -> (Run, String) {
    let python_function = "  orders: {runtime: python3.11, code: code, handler: app.handler}\n";
    let python_function = if python.is_some() { python_function } else { "" };
    workspace.write("functions.yaml", &format!("functions:\n  probe: {{demo: probe}}\n{python_function}"));
    workspace.write("code/app.py", "def handler(event, context):\n    return event\n");
    let mut command = gameday();
    command.args(["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    command.envs(python.map(|python| ("GAMEDAY_PYTHON", python)));
    let mut sandbox = workspace.start_command(&mut command);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    (sandbox, endpoint.trim_start_matches("http://").to_owned())
}

/// MiniStack with the Python functions `orders` and `payments`.
fn start_ministack(workspace: &Workspace, python: &std::ffi::OsStr) -> (Run, String) {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(python);
    command.args(["-B", "-m", "ministack"]).stdin(Stdio::null());
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
    command.env("SERVICES", "lambda,iam,logs,sts").env("LOG_LEVEL", "ERROR").env("TMPDIR", workspace.path());
    let ministack = workspace.start_command(&mut command);
    wait_for("MiniStack to listen", || std::net::TcpStream::connect(&address).ok());
    let script = repository().join("tests/peers/create_functions.py");
    let mut create = Command::new(python);
    let output = workspace.start_command(create.arg("-B").arg(script).arg(format!("http://{address}"))).wait();
    assert_eq!(output.code(), 0, "{output:?}");
    (ministack, address)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let python = std::env::var_os("GAMEDAY_TEST_PYTHON");
    let workspace = Workspace::empty();
    let (sandbox, address) = start_sandbox(&workspace, python.as_deref());
    let of = |name, function| Subject { name, address: address.clone(), function };
    let probe = measure_all(&of("sandbox, the probe in Rust", "probe")).await;
    let best = probe.iter().map(|measured| measured.per_second).fold(0.0, f64::max);
    let p50 = probe.first().expect("a level").at(0.5);
    let is_met = p50 <= P50_MAX && best >= INVOKES_PER_SECOND_MIN;
    let bars = if is_met { "both bars are met" } else { "BELOW THE BARS" };
    say(&format!("p50 with one caller {p50:.3?} (at most 1 ms), {best:.0} invokes/s (at least 2,000): {bars}"));
    match &python {
        None => say("\nno peer: GAMEDAY_TEST_PYTHON does not name a Python with tests/requirements.txt"),
        Some(python) => {
            let ours = measure_all(&of("sandbox, a Python function", "orders")).await;
            drop(sandbox);
            let (_ministack, address) = start_ministack(&workspace, python);
            let subject = Subject { name: "MiniStack, a Python function", address, function: "orders" };
            let theirs = measure_all(&subject).await;
            say("\nMiniStack to the sandbox, the same kind of function");
            for ((callers, ours), theirs) in CALLERS.iter().zip(&ours).zip(&theirs) {
                let p50 = theirs.at(0.5).as_secs_f64() / ours.at(0.5).as_secs_f64();
                let rate = ours.per_second / theirs.per_second;
                say(&format!(
                    "{callers:>8} callers: {p50:.1} times the p50; the sandbox makes {rate:.1} times the invokes/s"
                ));
            }
        }
    }
}
