//! What a large report takes: a run of four hours with a million events, of which a load's record each second. `cargo bench --bench report`.
//! It prints the time, the most memory (VmHWM of the process) and the size of each file; the bars are in the issue: 2 s, 300 MB, 1.5 MB of
//! HTML. And what a search over 5,000 lessons takes, cold: 50 ms.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gameday::event::{EventKind, EventLog, LoadSecond, PhaseEnd, RunOutcome};
use gameday::unit::Clock;
use serde_json::json;

const RUN: &str = "2026-11-10-100000-large";
const SECONDS: u64 = 4 * 3_600;
const BASELINE_SECONDS: u64 = 3_600;
const EVENTS: u64 = 1_000_000;
const LESSONS: usize = 5_000;

fn main() {
    let root = tempfile::tempdir().expect("a folder");
    let run = root.path().join("reports").join(RUN);
    std::fs::create_dir_all(&run).expect("a folder");
    std::fs::write(root.path().join("gameday.yaml"), "gameday: 1\nenvironments: {sandbox: {}}\n").expect("settings");
    std::fs::write(run.join("plan.json"), plan().to_string()).expect("a plan");
    let written = write_log(&run);
    let bytes = std::fs::metadata(run.join("run.ndjson")).expect("a log").len();
    say(&format!("{written} events, {} MB", bytes / 1_000_000));
    measure("report", root.path(), &["report", RUN]);
    for file in ["report.html", "report.md", "report.json", "events.csv", "load.csv"] {
        say(&format!("  {file}: {} KB", std::fs::metadata(run.join(file)).map_or(0, |file| file.len() / 1_000)));
    }
    write_lessons(&root.path().join("lessons"));
    measure("lesson search", root.path(), &["lesson", "search", "throttled", "queue", "1234"]);
    measure("--version", root.path(), &["--version"]);
}

fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

fn plan() -> serde_json::Value {
    json!({
        "format": 1,
        "scenario": {
            "id": "large", "title": "A long day", "owner": "me", "why": null, "mode": "regression", "tags": [], "covers": null,
            "people": {}, "sha256": "00",
        },
        "environment": {"name": "sandbox", "kind": "sandbox"},
        "targets": {},
        "phases": [
            {"phase": "baseline", "start": "0s", "length": "1h", "until": null, "gate": [], "checklist": []},
            {"phase": "slow", "start": "1h", "length": "3h", "until": null, "gate": [], "checklist": []},
        ],
        "steps": [],
        "loads": {"users": {
            "base_url": "http://127.0.0.1:1",
            "journeys": [{"name": "read", "steps": [{"name": "list", "get": "/orders"}]}],
            "shape": [{"hold": "4h", "at": "20 users"}],
        }},
        "changes": {},
        "signals": {"ok": {"load": {"of": "users", "stat": "success_ratio"}}},
        "hypotheses": [{
            "id": "H1", "text": "Users do not notice", "severity": "high", "known_gap": null, "faults": [], "expect": "mean(ok) >= 99%",
        }],
        "guardrails": [],
        "settle": null,
        "formats": ["html", "md", "json", "junit", "csv"],
        "redact": [],
        "debrief": null,
    })
}

/// A second of the load, the rest signals; the times of events are those of writing, which no report minds.
fn write_log(run: &Path) -> u64 {
    let log = EventLog::create(run, Clock::start()).expect("a log");
    let started = json!({"run_started": {
        "format": 1, "run": RUN, "scenario": "large", "title": "A long day", "environment": "sandbox", "version": "0.1.0", "seed": 1,
        "plan_sha256": "00", "process": 1,
    }});
    let append = |kind: EventKind| {
        log.append(kind).expect("an event");
    };
    append(serde_json::from_value(started).expect("an event"));
    let phase = |name: &str| name.parse().expect("a name");
    append(EventKind::PhaseStarted { phase: phase("baseline") });
    append(EventKind::LoadStarted { load: "users".parse().expect("a name"), pid: 1 });
    let each = EVENTS / SECONDS;
    let mut written = 6;
    for second in 0..SECONDS {
        if second == BASELINE_SECONDS {
            append(EventKind::PhaseEnded { phase: phase("baseline"), why: PhaseEnd::TimeUp });
            append(EventKind::PhaseStarted { phase: phase("slow") });
        }
        append(EventKind::LoadRecorded(load_second(second)));
        for number in 1..each {
            let value = f64::from(u32::try_from(second % 97 + number).unwrap_or_default());
            append(EventKind::SignalSampled { signal: "ok".parse().expect("a name"), value: Some(value) });
        }
        written += each;
    }
    append(EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    written
}

fn load_second(second: u64) -> LoadSecond {
    let wobble = second * 7_919 % 13;
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or_default());
    LoadSecond {
        load: "users".parse().expect("a name"),
        second,
        target: 20.0,
        ok_count: 40 + wobble,
        failed_count: wobble / 11,
        in_flight_count: 3,
        p50_ms: Some(float(20 + wobble)),
        p99_ms: Some(float(90 + wobble * 5)),
        not_sent_count: 0,
        doubts: Vec::new(),
        failures: std::collections::BTreeMap::new(),
        steps: std::collections::BTreeMap::new(),
    }
}

fn write_lessons(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let words =
        ["throttled", "queue", "alarm", "window", "slow", "provider", "retry", "timeout", "poisoned", "message"];
    for number in 0..LESSONS {
        let text: Vec<&str> = (0..120).map(|place| words[(number * 7 + place * place) % words.len()]).collect();
        let lesson = format!(
            "---\nid: L-2026-{number}\ntitle: Lesson {number} of the {}\nstatus: open\ncomponents: [payments]\nregression: a#H1\n\
             created: 2026-03-10\n---\n{}.\n",
            words[number % words.len()],
            text.join(" ")
        );
        std::fs::write(folder.join(format!("L-2026-{number}.md")), lesson).expect("a lesson");
    }
}

/// The best of five: what else the machine does only makes it slower.
fn measure(what: &str, folder: &Path, arguments: &[&str]) {
    let mut best: Option<(Duration, u64)> = None;
    for _ in 0..5 {
        let clock = Clock::start();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gameday"))
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        let mut most = 0;
        while child.try_wait().expect("the program").is_none() {
            most = most.max(high_water_kb(child.id()));
            std::thread::yield_now();
        }
        let took = clock.elapsed();
        best = Some(best.map_or((took, most), |(time, memory)| (time.min(took), memory.max(most))));
    }
    let (time, memory) = best.expect("five runs");
    say(&format!("{what}: {:.3} s, {} MB", time.as_secs_f64(), memory / 1_000));
}

fn high_water_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
