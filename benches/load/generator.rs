//! Who makes the load, each a process of its own on the second core.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gameday::load::{EndReason, Frame, LoadPlan, LoadSpec, Totals, WorkerRecord};
use gameday::unit::Clock;

use crate::rig::find;

/// The system's unit of CPU time in `/proc`, which is fixed (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// More than anybody can make on one core.
const FULL_SPEED: &str = "200000/s";

/// Ours, or a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generator {
    Wrk,
    Gameday,
    Oha,
    Hey,
    K6,
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
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::Wrk, Self::Gameday, Self::Oha, Self::Hey, Self::K6]
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Gameday => "gameday",
            Self::Oha => "oha",
            Self::Hey => "hey",
            Self::K6 => "k6",
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        *self == Self::Gameday || find(self.name()).is_some()
    }

    /// Fifty connections for so long; the program's own count of requests.
    pub(crate) fn full_speed(self, url: &str, seconds: u32) -> Made {
        let duration = format!("{seconds}s");
        let arguments: Vec<&str> = match self {
            Self::Gameday => return gameday_at_full_speed(url, seconds),
            Self::Wrk => vec!["wrk", "-t1", "-c50", "-d", &duration, url],
            Self::Oha => vec!["oha", "--no-tui", "--output-format", "json", "-c", "50", "-z", &duration, url],
            Self::Hey => vec!["hey", "-c", "50", "-z", &duration, url],
            Self::K6 => return k6_at_full_speed(url, seconds),
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
            Self::Hey => text
                .lines()
                .find(|line| line.contains("[200]"))
                .and_then(|line| line.split_whitespace().nth(1)?.parse().ok()),
            Self::Gameday | Self::K6 => None,
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

/// A plan as a scenario would write it: a named step, a check.
pub(crate) fn plan(url: &str, shape: &str, in_flight_max: u32) -> LoadPlan {
    let yaml = format!(
        "{{in_flight_max: {in_flight_max}, shape: {shape}, journeys: [{{name: look, steps: [\
         {{name: file, get: '{url}', expect: {{status: 200, within: 10s}}}}]}}]}}"
    );
    let spec: LoadSpec = serde_yaml::from_str(&yaml).expect("a load");
    let load = "bench".parse().expect("a name");
    let no_file = |_: &str, _| panic!("it has no file");
    LoadPlan::build(&load, &spec, Clock::start().origin(), 1, |_| None, &no_file).expect("a plan")
}

fn gameday_at_full_speed(url: &str, seconds: u32) -> Made {
    let plan = plan(url, &format!("[{{hold: {seconds}s, at: {FULL_SPEED}}}]"), 50);
    let (made, text) = measured(pinned(&[env!("CARGO_BIN_EXE_gameday"), "load-worker"]), seconds, Some(&plan));
    let (totals, _) = summed(&text);
    assert_eq!(totals.failed, 0, "{:?}", totals.failures);
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
    let requests = totals.count() as f64;
    Made { requests, ..made }
}

/// What a worker's records come to, and its frames.
pub(crate) fn summed(text: &str) -> (Totals, Vec<Frame>) {
    let (mut totals, mut frames) = (Totals::default(), Vec::new());
    for line in text.lines() {
        match serde_json::from_str(line).expect("a record") {
            WorkerRecord::Frame(frame) => {
                totals.add(&frame, None);
                frames.push(frame);
            }
            WorkerRecord::Ended { reason, .. } => assert_eq!(reason, EndReason::Finished),
            WorkerRecord::Ready { .. } => {}
        }
    }
    (totals, frames)
}

fn k6_at_full_speed(url: &str, seconds: u32) -> Made {
    let script = tempfile::Builder::new().suffix(".js").tempfile().expect("a file");
    let text = format!(
        "import http from 'k6/http'; import {{ check }} from 'k6';
         export const options = {{ vus: 50, duration: '{seconds}s', discardResponseBodies: true }};
         export default () => {{ check(http.get('{url}'), {{ ok: (answer) => answer.status === 200 }}); }};"
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
