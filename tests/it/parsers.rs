//! Reports as parsers read them that are not ours: html5lib, markdown-it, ElementTree and Python's csv.

use std::path::{Path, PathBuf};

use gameday::report::read_run;
use serde_json::{Value, json};

use crate::peers::{python, script};
use crate::support::{Workspace, copy_folder, repository};

/// Every golden log that this version reads.
const LOGS: [&str; 10] =
    ["upheld", "refuted", "gap", "closed", "inconclusive", "aborted", "gate", "dirty", "torn", "older"];

const HOSTILE: &str = "<script>alert(1)</script> <b onclick=x>| `x` ``y`` ]]> &amp; {{report}} {{{chart}}}\n\n## head\n1. one\n| a | b |\n\
    | --- | --- |\n=1+1 \u{2028}\u{200f}\u{202e}\u{fffe} \\| [a](javascript:x) ![b](http://x) \"'&";

fn line(event: &Value) -> String {
    let mut text = event.to_string();
    text.pop();
    let crc = crc32c::crc32c(text.as_bytes());
    format!("{text},\"crc\":\"{crc:08x}\"}}\n")
}

/// The refuted run, in which everything that people write is hostile.
fn write_hostile(folder: &Path) {
    copy_folder(&repository().join("tests/fixtures/logs/refuted"), folder);
    let (events, _) = read_run(folder).unwrap();
    let mut log = String::new();
    for event in events {
        let mut event = serde_json::to_value(event).unwrap();
        for (pointer, text) in [
            ("/kind/run_started/run", "2026-11-10-100000-hostile"),
            ("/kind/run_started/title", HOSTILE),
            ("/kind/noted/text", HOSTILE),
            ("/kind/noted/by", HOSTILE),
            ("/kind/marked/by", HOSTILE),
            ("/kind/step_opened/text", HOSTILE),
            ("/kind/step_closed/by", HOSTILE),
            ("/kind/fault_effective/evidence", HOSTILE),
            ("/kind/fault_intended/change", HOSTILE),
            ("/kind/guardrail_read/reading", HOSTILE),
            ("/kind/hypothesis_judged/observations/0/observed", HOSTILE),
        ] {
            if let Some(value) = event.pointer_mut(pointer) {
                *value = text.into();
            }
        }
        log.push_str(&line(&event));
    }
    std::fs::write(folder.join("run.ndjson"), log).unwrap();
    let plan = folder.join("plan.json");
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    for key in ["title", "owner", "why"] {
        value["scenario"][key] = HOSTILE.into();
    }
    value["scenario"]["people"]["facilitator"]["who"] = HOSTILE.into();
    value["scenario"]["tags"] = json!([HOSTILE, HOSTILE]);
    value["hypotheses"][0]["text"] = HOSTILE.into();
    value["not_carried_out"] = json!([HOSTILE]);
    value["debrief"]["questions"] = json!([HOSTILE]);
    std::fs::write(&plan, value.to_string()).unwrap();
    let title = Value::from(HOSTILE.replace(['\n', '\u{202e}', '\u{fffe}', '\u{200f}', '\u{2028}'], " "));
    let lesson = folder.join("lessons/L-2026-001.md");
    let text = std::fs::read_to_string(&lesson).unwrap();
    std::fs::write(&lesson, text.replace("Orders were lost while payments were throttled", &title.to_string()))
        .unwrap();
}

/// A workspace with the runs, and the report of each.
fn workspace() -> (Workspace, Vec<PathBuf>) {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", "gameday: 1\n");
    let mut folders = Vec::new();
    for log in LOGS.into_iter().chain(["hostile"]) {
        let folder = workspace.reports().join(log);
        if log == "hostile" {
            write_hostile(&folder);
        } else {
            copy_folder(&repository().join("tests/fixtures/logs").join(log), &folder);
        }
        let output = workspace.gameday(&["report", folder.to_str().unwrap()]);
        assert_eq!(output.code(), 0, "{log}: {}", output.stderr);
        folders.push(folder);
    }
    (workspace, folders)
}

#[test]
fn other_parsers_read_every_report_and_text_stays_text() {
    let Some(mut peer) = python("reports by html5lib, markdown-it and others") else { return };
    let (workspace, folders) = workspace();
    let output = workspace.start_command(peer.arg(script("report_parsers.py")).args(&folders)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    assert_eq!(output.stdout.trim(), format!("{} reports", folders.len()));
    for (before, after) in [("upheld", "hostile"), ("hostile", "torn")] {
        let [before, after] = [before, after].map(|run| workspace.reports().join(run));
        let page = workspace.path().join("compare.html");
        let arguments =
            ["compare", before.to_str().unwrap(), after.to_str().unwrap(), "--html", page.to_str().unwrap()];
        let output = workspace.gameday(&arguments);
        assert_eq!(output.code(), 0, "{}", output.stderr);
        let mut peer = python("a comparison by html5lib").expect("there is one");
        let output = workspace.start_command(peer.arg(script("report_parsers.py")).arg("--page").arg(&page)).wait();
        assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    }
}

#[test]
fn a_log_of_another_format_is_refused_with_its_number() {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", "gameday: 1\n");
    copy_folder(&repository().join("tests/fixtures/logs/newer"), &workspace.reports().join("newer"));
    let output = workspace.gameday(&["report", workspace.reports().join("newer").to_str().unwrap()]);
    assert_ne!(output.code(), 0);
    assert!(output.stderr.contains("is of format 2, and this version reads format 1"), "{}", output.stderr);
    assert!(!workspace.reports().join("newer/report.html").exists());
}
