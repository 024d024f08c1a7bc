//! Logs that are fixed, one for each way in which a run ends: this version reads what was written before it.

mod log;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::assert_golden;
use crate::event::Event;
use crate::report::{Evidence, Facts, Format, Report, ReportError, read_run, write};

/// Every log that this version reads.
pub(super) const NAMES: [&str; 10] =
    ["upheld", "refuted", "gap", "closed", "inconclusive", "aborted", "gate", "dirty", "torn", "older"];

/// Why H2 of the inconclusive run could not be judged.
const UNDECIDED: &str = "signal `latency` has no value in the window";

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of a log's folder, since a report adds to it.
fn copied(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join(name);
    copy(&logs().join(name), &run);
    (folder, run)
}

/// What a log is read as: events, the facts of its plan, and what its folder holds.
pub(super) fn read(name: &str) -> (Vec<Event>, Facts, Evidence) {
    let (_folder, run) = copied(name);
    let (events, plan) = read_run(&run).unwrap();
    let evidence = Evidence::gather(&run, &events, &plan).unwrap();
    (events, Facts::of(&plan), evidence)
}

/// A report, and each of its files with its name.
type Made = (Report, Vec<(String, String)>);

/// The report of a log as `gameday report` makes it, with every file of it, by name.
fn make(name: &str) -> Made {
    let (_folder, run) = copied(name);
    let (events, plan) = read_run(&run).unwrap();
    let evidence = Evidence::gather(&run, &events, &plan).unwrap();
    let report = Report::from_events(&events, &plan, &evidence);
    let read = |path: PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    };
    let files = write(&run, &report, &Format::ALL, None).unwrap().into_iter().map(read).collect();
    (report, files)
}

/// The reports of all logs, each made once for all tests: templates are slow to parse without optimisation.
fn made(name: &str) -> &'static Made {
    static ALL: OnceLock<Vec<Made>> = OnceLock::new();
    let all = ALL.get_or_init(|| NAMES.map(make).into());
    &all[NAMES.iter().position(|known| *known == name).unwrap()]
}

/// The reports of all logs.
pub(super) fn reports() -> Vec<Report> {
    let report =
        |(events, facts, evidence): (Vec<Event>, Facts, Evidence)| Report::from_facts(&events, &facts, &evidence);
    NAMES.into_iter().map(read).map(report).collect()
}

#[track_caller]
fn file<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    &files.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("there is no `{name}`")).1
}

/// What people read first, and what nothing else may contradict.
fn digest(report: &Report) -> Value {
    let verdicts = report.hypotheses.iter().map(|it| json!({"id": it.id, "verdict": it.verdict}));
    let findings = report.findings.iter().map(|it| format!("{} {} {}: {}", it.rule, it.severity, it.kind, it.text));
    json!({
        "outcome": report.header.outcome,
        "summary": report.summary,
        "hypotheses": verdicts.collect::<Vec<_>>(),
        "safety": [report.safety.state, report.safety.text],
        "findings": findings.collect::<Vec<_>>(),
        "lessons": report.lessons,
        "practices": report.practices.iter().map(|it| format!("{} {}", it.question, it.state)).collect::<Vec<_>>(),
        "windows": report.loads.iter().map(|load| load.windows.len()).collect::<Vec<_>>(),
    })
}

#[test]
fn every_log_reads_as_it_did_in_every_format() {
    for name in NAMES {
        let (report, files) = made(name);
        assert_eq!(files.len(), 10, "{name}");
        let golden = |file: &str, text: &str| assert_golden(&format!("../logs/{name}/expected/{file}"), text);
        golden("report.md", file(files, "report.md"));
        golden("junit.xml", file(files, "junit.xml"));
        golden("digest.json", &(serde_json::to_string_pretty(&digest(report)).unwrap() + "\n"));
        let read: Report = serde_json::from_str(file(files, "report.json")).unwrap();
        assert!(read == *report, "{name}: something was lost on the way");
        let page = file(files, "report.html");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{name}");
    }
}

/// How a log ended, as each format has to tell it.
struct Ending {
    name: &'static str,
    outcome: (&'static str, &'static str, Option<u8>),
    verdicts: [&'static str; 2],
    safety: &'static str,
    /// The journal's status, and whether the steady state was met afterwards.
    journal: (&'static str, bool),
    /// Passed, failed, with an error, and skipped test cases.
    cases: [usize; 4],
}

const ENDINGS: [Ending; 10] = [
    Ending {
        name: "upheld",
        outcome: ("completed", "passed", Some(0)),
        verdicts: ["upheld", "upheld"],
        safety: "clean",
        journal: ("completed", true),
        cases: [7, 0, 0, 0],
    },
    Ending {
        name: "refuted",
        outcome: ("completed", "refuted", Some(3)),
        verdicts: ["refuted", "upheld"],
        safety: "clean",
        journal: ("completed", false),
        cases: [6, 1, 0, 0],
    },
    Ending {
        name: "gap",
        outcome: ("completed", "passed", Some(0)),
        verdicts: ["upheld", "gap_holds"],
        safety: "clean",
        journal: ("completed", false),
        cases: [7, 0, 0, 0],
    },
    Ending {
        name: "closed",
        outcome: ("completed", "refuted", Some(3)),
        verdicts: ["upheld", "gap_closed"],
        safety: "clean",
        journal: ("completed", true),
        cases: [6, 1, 0, 0],
    },
    Ending {
        name: "inconclusive",
        outcome: ("completed", "inconclusive", Some(6)),
        verdicts: ["upheld", "inconclusive"],
        safety: "clean",
        journal: ("completed", false),
        cases: [5, 0, 2, 0],
    },
    Ending {
        name: "aborted",
        outcome: ("aborted", "aborted", Some(4)),
        verdicts: ["not_tested", "not_tested"],
        safety: "clean",
        journal: ("interrupted", false),
        cases: [3, 1, 1, 2],
    },
    Ending {
        name: "gate",
        outcome: ("gate_shut", "not_ready", Some(7)),
        verdicts: ["not_tested", "not_tested"],
        safety: "untouched",
        journal: ("aborted", false),
        cases: [3, 1, 1, 2],
    },
    Ending {
        name: "dirty",
        outcome: ("completed", "dirty", Some(8)),
        verdicts: ["upheld", "upheld"],
        safety: "dirty",
        journal: ("failed", true),
        cases: [5, 1, 1, 0],
    },
    Ending {
        name: "torn",
        outcome: ("crashed", "crashed", None),
        verdicts: ["not_judged", "not_judged"],
        safety: "dirty",
        journal: ("failed", false),
        cases: [3, 1, 1, 2],
    },
    Ending {
        name: "older",
        outcome: ("completed", "passed", Some(0)),
        verdicts: ["upheld", "upheld"],
        safety: "clean",
        journal: ("completed", true),
        cases: [7, 0, 0, 0],
    },
];

/// The test cases of a JUnit file that passed, failed, had an error, or were skipped.
fn cases(junit: &str) -> [usize; 4] {
    use quick_xml::events::Event;
    let (mut all, mut others) = (0, [0, 0, 0]);
    let mut reader = quick_xml::Reader::from_str(junit);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                b"testcase" => all += 1,
                b"failure" => others[0] += 1,
                b"error" => others[1] += 1,
                b"skipped" => others[2] += 1,
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    [all - others.iter().sum::<usize>(), others[0], others[1], others[2]]
}

#[test]
fn every_format_tells_how_a_run_ended() {
    for ending in ENDINGS {
        let name = ending.name;
        let (report, files) = made(name);
        let outcome = &report.header.outcome;
        assert_eq!((outcome.name.as_str(), outcome.result.as_str(), outcome.exit_code), ending.outcome, "{name}");
        let verdicts: Vec<&str> = report.hypotheses.iter().map(|it| it.verdict.name.as_str()).collect();
        assert_eq!(verdicts, ending.verdicts, "{name}");
        assert_eq!(report.safety.state, ending.safety, "{name}");
        let journal: Value = serde_json::from_str(file(files, "journal.json")).unwrap();
        let steady = journal["steady_states"]["after"]["steady_state_met"].as_bool().unwrap();
        assert_eq!((journal["status"].as_str().unwrap(), steady), ending.journal, "{name}");
        assert_eq!(cases(file(files, "junit.xml")), ending.cases, "{name}: {}", file(files, "junit.xml"));
        let result = ending.outcome.1.replace('_', " ");
        assert!(file(files, "report.md").contains(&format!("**{result}** — ")), "{name}");
        assert!(file(files, "report.html").contains(&format!("<span class=\"badge big {}\">", ending.outcome.1)));
    }
}

#[test]
fn tables_have_as_many_cells_in_every_row_and_a_row_for_each_thing() {
    for name in NAMES {
        let (report, files) = made(name);
        let seconds = report.loads.iter().map(|load| load.seconds.len()).sum();
        let windows = report.loads.iter().map(|load| load.windows.len() + load.parts.len()).sum();
        for (table, rows) in [
            ("events.csv", report.timeline.len()),
            ("load.csv", seconds),
            ("load-windows.csv", windows),
            ("actions.csv", report.actions.len()),
        ] {
            // A row of another width than the header's is an error of this reader.
            let mut reader = ::csv::ReaderBuilder::new().flexible(false).from_reader(file(files, table).as_bytes());
            let read: Result<Vec<_>, _> = reader.records().collect();
            assert_eq!(read.unwrap_or_else(|error| panic!("{name} {table}: {error}")).len(), rows, "{name} {table}");
        }
    }
}

#[test]
fn what_is_not_known_is_never_a_pass() {
    for name in NAMES {
        let (report, files) = made(name);
        let is_known = |verdict: &str| matches!(verdict, "upheld" | "gap_holds");
        let unknown: Vec<_> = report.hypotheses.iter().filter(|it| !is_known(&it.verdict.name)).collect();
        let is_whole =
            unknown.is_empty() && report.safety.state == "clean" && report.header.outcome.name == "completed";
        assert_eq!(report.header.outcome.result == "passed", is_whole, "{name}");
        let [passed, failed, errors, skipped] = cases(file(files, "junit.xml"));
        assert_eq!(failed + errors == 0, is_whole, "{name}: {passed} passed, {skipped} skipped");
        let journal: Value = serde_json::from_str(file(files, "journal.json")).unwrap();
        for hypothesis in unknown.iter().filter(|it| !matches!(it.verdict.name.as_str(), "refuted" | "gap_closed")) {
            let row = format!("| {} | {} |", hypothesis.id, hypothesis.text);
            let markdown = file(files, "report.md").lines().find(|line| line.starts_with(&row)).unwrap();
            assert!(markdown.contains(&format!("**{}**", hypothesis.verdict.name.replace('_', " "))), "{markdown}");
            assert!(hypothesis.terms.iter().all(|term| term.held.is_none()), "{name}");
            let probes = journal["steady_states"]["after"]["probes"].as_array().unwrap();
            let is_it = |probe: &&Value| probe["activity"]["name"].as_str().unwrap().starts_with(&hypothesis.id);
            let probe = probes.iter().find(is_it).unwrap();
            assert_eq!((&probe["tolerance_met"], &probe["status"]), (&json!(false), &json!("failed")), "{name}");
        }
        let came_to_its_end = report.header.outcome.name == "completed";
        let exercised = report.practices.iter().any(|practice| practice.state == "exercised");
        assert!(!exercised || came_to_its_end, "{name}: what was not carried out to its end is not exercised");
    }
}

#[test]
fn what_a_newer_version_added_is_told_and_what_it_changed_is_refused() {
    let (report, _) = made("older");
    let told = report.timeline.iter().find(|entry| entry.about.as_deref() == Some("weather_changed")).unwrap();
    assert_eq!(told.text, "an event of a kind that this version does not know");
    assert_eq!(report.header.version, "0.0.9");
    let error = read_run(&logs().join("newer")).unwrap_err();
    assert!(matches!(error, ReportError::Log(_)), "{error:?}");
    let told = crate::unit::error_chain(&error);
    assert!(told.contains("run.ndjson") && told.contains("is of format 2, and this version reads format 1"), "{told}");
}
