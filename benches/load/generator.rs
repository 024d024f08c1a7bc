//! Who makes the load, each a process of its own on the second core.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gameday::load::{EndReason, LoadPlan, Totals, WorkerRecord};

use crate::rig::find;
use crate::server::Nginx;
use crate::task::Task;

/// The system's unit of CPU time in `/proc`, which is fixed (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Ours, or a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generator {
    Wrk,
    Gameday,
    Oha,
    Hey,
    K6,
    /// `aws-sdk-lambda`.
    Sdk,
    /// goose as it is.
    Goose,
    Artillery,
}

/// What one of them did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_mb: f64,
}

impl Made {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests / self.seconds
    }

    pub(crate) fn cpu_per_100k(&self) -> f64 {
        self.cpu_seconds / self.requests * 100_000.0
    }
}

impl Generator {
    /// Those that can do the task, the one first that the others are compared with.
    pub(crate) fn of(task: Task) -> Vec<Self> {
        let all = match task {
            Task::File => vec![Self::Wrk, Self::Gameday, Self::Oha, Self::Hey, Self::K6],
            Task::TlsFile => vec![Self::Wrk, Self::Gameday, Self::K6],
            Task::Invoke => vec![Self::Sdk, Self::Gameday, Self::K6],
            Task::Journey => vec![Self::Gameday, Self::K6, Self::Artillery],
            Task::Users => vec![Self::Goose, Self::Gameday],
        };
        all.into_iter().filter(Self::is_there).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Gameday => "gameday",
            Self::Oha => "oha",
            Self::Hey => "hey",
            Self::K6 => "k6",
            Self::Sdk => "aws-sdk-lambda",
            Self::Goose => "goose",
            Self::Artillery => "artillery",
        }
    }

    fn is_there(&self) -> bool {
        matches!(self, Self::Gameday | Self::Sdk | Self::Goose) || find(self.name()).is_some()
    }

    /// Does a task fifty times at once for so long; the program's own count of requests.
    pub(crate) fn make(self, task: Task, nginx: &Nginx, seconds: u32) -> Made {
        let duration = format!("{seconds}s");
        let url = task.url(nginx);
        let arguments: Vec<&str> = match self {
            Self::Gameday => return gameday(&task.plan(nginx, seconds), seconds),
            Self::Wrk => vec!["wrk", "-t1", "-c50", "-d", &duration, &url],
            Self::Oha => vec!["oha", "--no-tui", "--output-format", "json", "-c", "50", "-z", &duration, &url],
            Self::Hey => vec!["hey", "-c", "50", "-z", &duration, &url],
            Self::K6 => return k6(&task.k6(nginx).expect("a task for k6"), seconds),
            Self::Sdk => return again("sdk", &url, seconds),
            Self::Goose => return again("goose", &url, seconds),
            Self::Artillery => return artillery(&url, seconds),
        };
        let (made, text) = measured(pinned(&arguments), seconds, None);
        let count = match self {
            Self::Wrk => text
                .lines()
                .find(|line| line.contains(" requests in "))
                .and_then(|line| line.split_whitespace().next()?.parse().ok()),
            Self::Oha => serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|json| json["statusCodeDistribution"]["200"].as_f64()),
            _ => text
                .lines()
                .find(|line| line.contains("[200]"))
                .and_then(|line| line.split_whitespace().nth(1)?.parse().ok()),
        };
        Made { requests: count.unwrap_or_else(|| panic!("no count in\n{text}")), ..made }
    }
}

/// A command on the second core.
fn pinned(arguments: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).args(arguments);
    command
}

/// What a plan comes to.
pub(crate) fn work(plan: &LoadPlan) -> Totals {
    summed(&measured(worker(), 0, Some(plan)).1)
}

fn worker() -> Command {
    pinned(&[env!("CARGO_BIN_EXE_gameday"), "load-worker"])
}

fn gameday(plan: &LoadPlan, seconds: u32) -> Made {
    let (made, text) = measured(worker(), seconds, Some(plan));
    let totals = summed(&text);
    assert_eq!(totals.failed, 0, "{:?}", totals.failures);
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
    let requests = totals.count() as f64;
    Made { requests, ..made }
}

/// A peer that is a library, in a process of its own.
fn again(peer: &str, url: &str, seconds: u32) -> Made {
    let this = std::env::current_exe().expect("this program").display().to_string();
    let mut command = pinned(&[&this]);
    command.env(crate::peer::VARIABLE, format!("{peer} {url} {seconds}"));
    let (made, text) = measured(command, seconds, None);
    let count = text.lines().last().and_then(|line| line.parse().ok());
    Made { requests: count.unwrap_or_else(|| panic!("no count in\n{text}")), ..made }
}

/// What a worker's records come to.
fn summed(text: &str) -> Totals {
    let mut totals = Totals::default();
    for line in text.lines() {
        match serde_json::from_str(line).expect("a record") {
            WorkerRecord::Frame(frame) => totals.add(&frame, None),
            WorkerRecord::Ended { reason, .. } => assert_eq!(reason, EndReason::Finished),
            WorkerRecord::Ready { .. } | WorkerRecord::Closing => {}
        }
    }
    totals
}

fn k6(function: &str, seconds: u32) -> Made {
    let script = tempfile::Builder::new().suffix(".js").tempfile().expect("a file");
    let discards = !function.contains(".json(");
    let text = format!(
        "import http from 'k6/http'; import crypto from 'k6/crypto'; import {{ check }} from 'k6';
         export const options = {{ vus: 50, duration: '{seconds}s', discardResponseBodies: {discards}, insecureSkipTLSVerify: true }};
         export default () => {{ {function} }};"
    );
    std::fs::write(script.path(), text).expect("written");
    let summary = tempfile::NamedTempFile::new().expect("a file");
    let (file, export) = (script.path().display().to_string(), summary.path().display().to_string());
    let (made, text) = measured(pinned(&["k6", "run", "-q", "--summary-export", &export, &file]), seconds, None);
    let exported = std::fs::read_to_string(summary.path()).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&exported).unwrap_or_default();
    let count = json["metrics"]["http_reqs"]["count"].as_f64();
    Made { requests: count.unwrap_or_else(|| panic!("no count in\n{exported}\n{text}")), ..made }
}

/// The journey in Artillery, which has no full speed: at a rate that it can keep.
fn artillery(url: &str, seconds: u32) -> Made {
    let script = tempfile::Builder::new().suffix(".yml").tempfile().expect("a file");
    let text = format!(
        "config: {{target: '{url}', phases: [{{duration: {seconds}, arrivalRate: 200}}], http: {{pool: 50}}}}
scenarios:
  - flow:
      - get: {{url: /items, capture: [{{json: '$.items[0].id', as: item}}]}}
      - post: {{url: /basket, json: {{item: '{{{{ item }}}}'}}, capture: [{{json: '$.id', as: basket}}]}}
      - get: {{url: '/basket/{{{{ basket }}}}'}}
"
    );
    std::fs::write(script.path(), text).expect("written");
    let output = tempfile::Builder::new().suffix(".json").tempfile().expect("a file");
    let (file, report) = (script.path().display().to_string(), output.path().display().to_string());
    let (made, text) = measured(pinned(&["artillery", "run", "--quiet", "--output", &report, &file]), seconds, None);
    let reported = std::fs::read_to_string(output.path()).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&reported).unwrap_or_default();
    let count = json["aggregate"]["counters"]["http.responses"].as_f64();
    Made { requests: count.unwrap_or_else(|| panic!("no count in\n{reported}\n{text}")), ..made }
}

/// Runs a command to its end, with a worker's plan on its input where there is one; its CPU time, the most memory that it had,
/// and what it wrote.
fn measured(mut command: Command, seconds: u32, plan: Option<&LoadPlan>) -> (Made, String) {
    let before = cpu_of_children();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    // A worker stops when its input is closed.
    let input = plan.map(|plan| {
        let mut input = child.stdin.take().expect("piped");
        writeln!(input, "{}", serde_json::to_string(plan).expect("JSON")).expect("it reads");
        input
    });
    let text = std::thread::scope(|scope| {
        let output = child.stdout.take().expect("piped");
        let reading = scope.spawn(move || {
            let mut text = String::new();
            BufReader::new(output).read_to_string(&mut text).expect("text");
            text
        });
        let memory = memory_until_end(&mut child);
        drop(input);
        (reading.join().expect("no panic"), memory)
    });
    let (text, memory_mb) = text;
    let cpu_seconds = cpu_of_children() - before;
    (Made { requests: 0.0, seconds: f64::from(seconds), cpu_seconds, memory_mb }, text)
}

/// The most memory that a process had.
#[expect(clippy::disallowed_methods, reason = "no runtime is here, and nothing else can be waited for")]
fn memory_until_end(child: &mut Child) -> f64 {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    while child.try_wait().expect("a child").is_none() {
        if let Ok(file) = std::fs::File::open(&path) {
            let lines = BufReader::new(file).lines().map_while(Result::ok);
            let kilobytes =
                lines.filter_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            most = kilobytes.fold(most, f64::max);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    most * 1_024.0 / 1e6
}

/// The CPU time of all children that have ended and were waited for.
fn cpu_of_children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let ticks =
        |index| fields.split_whitespace().nth(index).and_then(|text| text.parse::<f64>().ok()).expect("a number");
    (ticks(13) + ticks(14)) / TICKS_PER_SECOND
}
