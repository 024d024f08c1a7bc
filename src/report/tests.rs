//! The room as a whole: goldens of the sample run, and the runs that went another way.

mod alarm;
mod ending;
mod golden;
mod hostile;
mod proxy;
mod response;
mod side;
mod window;

use std::path::{Path, PathBuf};

use super::sample::{self, Script};
use super::{Evidence, Facts, Format, Report, chart, chart_of};
use crate::event::{EventKind, FaultEnd, RunOutcome};

fn report_of(script: &Script, facts: &Facts) -> Report {
    Report::from_facts(&script.events(), facts, &sample::evidence())
}

fn sample_report() -> Report {
    report_of(&sample::script(), &sample::facts())
}

/// Compares with a file beside the tests; `BLESS=1` rewrites it.
fn assert_golden(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "`{name}` differs from its golden; run the tests with BLESS=1 and read the difference");
}

#[test]
fn the_sample_run_reads_as_it_did() {
    let report = sample_report();
    assert_golden("report.json", &super::json(&report));
    assert_golden("report.md", &super::markdown(&report, None).unwrap());
    assert_golden("junit.xml", &super::junit(&report).unwrap());
    assert_golden("events.csv", &super::timeline_csv(&report));
    assert_golden("load.csv", &super::load_csv(&report));
    assert_golden("load-windows.csv", &super::windows_csv(&report));
    assert_golden("actions.csv", &super::actions_csv(&report));
    assert_golden("journal.json", &super::journal(&report));
    assert_golden("timeline.svg", &chart_of(&report).draw_file());
}

#[test]
fn the_same_run_gives_the_same_bytes_in_every_format() {
    let written = || {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        let paths = super::write(&run, &sample_report(), &Format::ALL, None).unwrap();
        let files = paths.iter().map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap()));
        let files: Vec<_> = files.collect();
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), files.len(), "no partial file is left");
        files
    };
    let first = written();
    assert_eq!(first.len(), 10);
    assert!(first == written());
}

#[test]
fn the_json_can_be_read_back() {
    let report = sample_report();
    let read: Report = serde_json::from_str(&super::json(&report)).unwrap();
    assert!(read == report, "something was lost or changed on the way");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = super::html(&sample_report(), None).unwrap();
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("url("));
    let addresses: Vec<&str> = page.split("http").skip(1).collect();
    // An action may link to where it is followed up; that is no part of the page.
    const KNOWN: [&str; 3] = ["://www.w3.org/2000/svg\"", "-equiv", "s://example.com/issues/31"];
    assert!(addresses.iter().all(|rest| KNOWN.iter().any(|known| rest.starts_with(known))));
    for section in [
        "summary",
        "why",
        "hypotheses",
        "timeline",
        "response",
        "alarms",
        "findings",
        "insights",
        "steps",
        "journal",
        "load",
        "safety",
        "debrief",
        "actions",
        "lessons",
        "comparison",
        "practices",
        "effort",
        "evidence",
    ] {
        assert!(page.contains(&format!("id=\"{section}\"")), "{section}");
        assert!(section == "why" || page.contains(&format!("href=\"#{section}\"")), "{section}");
    }
    for digest in ["SHA-256", "gap holds", "Time to detect"] {
        assert!(page.contains(digest), "{digest}");
    }
}

#[test]
fn the_summary_has_five_lines_and_names_the_worst() {
    let report = sample_report();
    assert_eq!(report.summary.len(), 5, "{:#?}", report.summary);
    assert!(report.summary[3].contains("91.32 %"), "{}", report.summary[3]);
    assert!(report.summary[4].starts_with("The one thing to fix: H1 is refuted"), "{}", report.summary[4]);
}

#[test]
fn a_route_is_in_the_ledger_but_is_no_fault_that_anybody_should_notice() {
    let mut script = sample::script();
    let route = sample::identity("000", "route-provider");
    script.at(
        950,
        sample::intended("000", "route-provider", "lambda_environment", "payments-fn", "PROVIDER_URL", "PROVIDER_URL"),
    );
    script.at(960, sample::armed("000", "route-provider"));
    script.at(970, EventKind::FaultApplied { identity: route.clone() });
    script.at(93_000, EventKind::FaultRestored { identity: route, how: FaultEnd::Restored });
    let report = report_of(&script, &sample::facts());
    assert_eq!((report.faults.len(), report.safety.ledger.len()), (2, 3));
    assert!(report.summary[1].contains("2 faults were injected"), "{}", report.summary[1]);
}

#[test]
fn a_run_without_load_faults_and_people_has_no_empty_sections() {
    let mut script = Script::default();
    script.at(0, sample::started());
    script.at(500, EventKind::RunEnded { outcome: RunOutcome::GateShut, exit_code: 7 });
    let facts = Facts { hypotheses: Vec::new(), guardrails: Vec::new(), why: None, ..sample::facts() };
    let report = Report::from_facts(&script.events(), &facts, &Evidence::default());
    assert_eq!(report.safety.state, "untouched");
    let page = super::html(&report, None).unwrap();
    for section in
        ["why", "hypotheses", "response", "steps", "journal", "load", "actions", "lessons", "comparison", "evidence"]
    {
        assert!(!page.contains(&format!("id=\"{section}\"")), "{section}");
        assert!(!page.contains(&format!("href=\"#{section}\"")), "{section}");
    }
    assert!(page.contains("No guardrail was set."));
    super::markdown(&report, None).unwrap();
    assert_eq!(super::load_csv(&report).lines().count(), 1);
    let nothing = Report::from_facts(&[], &facts, &Evidence::default());
    super::html(&nothing, None).unwrap();
}

#[test]
fn a_run_of_twenty_seconds_and_one_of_three_hours_are_drawn_with_few_points() {
    for seconds in [20_u64, 10_800] {
        let mut script = Script::default();
        script.at(0, sample::started());
        script.at(10, EventKind::PhaseStarted { phase: "p".repeat(64).parse().unwrap() });
        for second in 0..seconds {
            script.at(second * 1_000 + 1_000, EventKind::LoadRecorded(sample::shopper_second(second + 8)));
        }
        let report = report_of(&script, &sample::facts());
        for width in [chart::Width::Wide, chart::Width::Narrow] {
            let svg = chart_of(&report).draw(width);
            assert!(svg.len() < 80_000, "{seconds} s: {} bytes", svg.len());
            assert!(svg.matches("gd-axis").count() < 60);
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}

fn keys_into(keys: &mut std::collections::BTreeSet<String>, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
            keys.insert(key.clone());
            keys_into(keys, value);
        }),
        serde_json::Value::Array(list) => list.iter().for_each(|value| keys_into(keys, value)),
        _ => {}
    }
}

/// Rendering tells a mistyped name only where it is reached; this looks into the branches that no sample reaches, too.
#[test]
fn every_name_in_the_templates_is_a_field_of_the_model() {
    const OURS: [&str; 10] =
        ["page_style", "report", "chart", "style", "is_empty", "wide", "narrow", "chart_file", "this", "first"];
    let mut keys: std::collections::BTreeSet<String> = OURS.map(ToOwned::to_owned).into();
    keys_into(&mut keys, &serde_json::to_value(sample_report()).unwrap());
    for template in ["report.html.hbs", "report.md.hbs"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/templates").join(template);
        let text = std::fs::read_to_string(path).unwrap();
        let mut paths = 0;
        for expression in text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            let expression = expression.trim_matches(['{', '}']).trim();
            if expression.starts_with('/') || expression == "else" {
                continue;
            }
            // The last word is the value; what stands before it is a helper. An option of a helper is no value.
            let mut words = expression.split_whitespace().filter(|word| !word.contains('=') && !word.starts_with('"'));
            let path = words.next_back().unwrap().trim_start_matches(['#', '@']);
            for name in path.split(['.', '/']).filter(|name| !name.is_empty()) {
                let name = name.trim_start_matches('@');
                assert!(keys.contains(name), "`{name}` of `{{{{{expression}}}}}` in {template} is no field");
            }
            paths += 1;
        }
        assert!(paths > 100, "the templates were not read");
    }
}
