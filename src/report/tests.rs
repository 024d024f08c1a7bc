//! The room as a whole: goldens of the sample run, and the runs that went another way.

use std::path::{Path, PathBuf};

use super::sample::{self, Script};
use super::{Facts, Format, Report, chart, chart_of};
use crate::event::{
    AbortCause, Event, EventKind, FaultEnd, HypothesisResult, PhaseEnd, Recoverer, RunOutcome, StepOutcome, SwitchStep,
    Verdict,
};

fn report_of(script: &Script, facts: &Facts) -> Report {
    Report::from_facts(&script.events(), facts, sample::evidence())
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
    assert_eq!(first.len(), 7);
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
    assert!(addresses.iter().all(|rest| rest.starts_with("://www.w3.org/2000/svg\"") || rest.starts_with("-equiv")));
    for section in [
        "summary",
        "why",
        "hypotheses",
        "timeline",
        "response",
        "alarms",
        "findings",
        "steps",
        "journal",
        "load",
        "safety",
        "debrief",
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
fn detection_is_measured_from_the_proven_effect() {
    let report = sample_report();
    let slow = &report.faults[0].response;
    assert_eq!(slow.injection_lag.value(), "2.8 s ± 1 s");
    assert_eq!(slow.detected_by.as_deref(), Some("inject"), "the ticket came before the first mark");
    assert_eq!(slow.time_to_detect.value(), "10.5 s ± 1 s");
    assert_eq!(slow.time_to_acknowledge.value(), "5.1 s");
    assert_eq!(slow.time_to_identify.value(), "18.3 s ± 1 s");
    assert_eq!(slow.time_to_mitigate.detail(), "not marked as mitigated in 27 s; then the fault was undone");
    assert_eq!(slow.time_to_recover.name(), "not_applicable");
    let throttle = &report.faults[1].response;
    assert_eq!(throttle.detected_by.as_deref(), Some("nobody"));
    assert_eq!(throttle.time_to_detect.value(), "> 15 s");
    assert_eq!(throttle.time_to_recover.value(), "20.4 s ± 2 s");
    assert!(report.findings.iter().any(|finding| finding.kind == "unnoticed"));
}

#[test]
fn a_mark_belongs_to_the_fault_it_names_or_to_the_latest_effective_one() {
    let mut script = sample::script();
    let name = "mitigated".to_owned();
    script.at(80_000, EventKind::Marked { name, fault: Some("slow-provider".parse().unwrap()), by: None });
    script.at(81_000, EventKind::Marked { name: "detected".to_owned(), fault: None, by: None });
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.faults[0].response.time_to_mitigate.value(), "49 s ± 1 s");
    let throttle = &report.faults[1].response;
    assert_eq!(
        (throttle.detected_by.as_deref(), throttle.time_to_detect.value().as_str()),
        (Some("human"), "12 s ± 1 s")
    );
}

#[test]
fn nobody_is_late_where_nobody_was_there() {
    let mut script = Script::default();
    let lag = sample::identity("001", "lag");
    script.at(0, sample::started());
    script.at(100, sample::intended("001", "lag", "lambda_timeout", "fn", "3 s → 1 s", "3 s"));
    script.at(110, sample::armed("001", "lag"));
    script.at(120, EventKind::FaultApplied { identity: lag.clone() });
    script.at(900, EventKind::FaultEffective { identity: lag.clone(), evidence: "x".to_owned() });
    script.at(2_000, EventKind::FaultRestored { identity: lag, how: FaultEnd::AsBefore });
    script.at(3_000, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    let report = report_of(&script, &sample::facts());
    let response = &report.faults[0].response;
    assert_eq!((response.detected_by.as_deref(), response.time_to_detect.name()), (None, "not_applicable"));
    assert!(report.findings.iter().any(|finding| finding.kind == "unattended"));
    script.at(2_500, EventKind::Noted { text: "hm".to_owned(), by: None });
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.faults[0].response.detected_by.as_deref(), Some("nobody"), "now there was somebody");
    assert!(report.findings.iter().all(|finding| finding.kind != "unattended"));
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

/// The sample up to a moment, without what came later.
fn cut(at_ms: u64) -> Vec<Event> {
    sample::script().events().into_iter().filter(|event| event.elapsed_ms <= at_ms).collect()
}

#[test]
fn a_run_without_its_last_event_is_reported_as_crashed_with_what_is_outstanding() {
    let report = Report::from_facts(&cut(40_500), &sample::facts(), Vec::new());
    assert_eq!((report.header.outcome.name.as_str(), report.header.outcome.exit_code), ("crashed", None));
    assert_eq!(report.safety.state, "dirty");
    assert!(report.safety.residual[0].contains("slow-provider on provider"), "{:?}", report.safety.residual);
    assert!(report.hypotheses.iter().all(|hypothesis| hypothesis.verdict.name == "not_judged"));
    let kinds: Vec<&str> = report.findings.iter().map(|finding| finding.kind.as_str()).take(2).collect();
    assert_eq!(kinds, ["dirty", "crashed"]);
    let page = super::html(&report, None).unwrap();
    assert!(page.contains("Left behind") && page.contains("(not undone)"));
    super::markdown(&report, None).unwrap();
    super::junit(&report).unwrap();
}

#[test]
fn a_recovery_after_a_crash_is_told_but_does_not_stretch_the_run() {
    let mut script = Script::default();
    cut(40_500).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let slow = sample::identity("001", "slow-provider");
    script.at(7_200_000, EventKind::RecoveryStarted { process: 5, by: Recoverer::Person });
    script.at(7_200_100, EventKind::FaultReverting { identity: slow.clone() });
    script.at(7_200_300, EventKind::FaultRestored { identity: slow, how: FaultEnd::Gone });
    script.at(7_200_400, EventKind::RunSettled);
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.header.duration_ms, 40_060, "the last event before the crash");
    assert_eq!((report.header.outcome.name.as_str(), report.safety.state.as_str()), ("crashed", "clean"));
    assert!(report.safety.recovered_at.is_some());
    let detected = report.faults[0].response.time_to_detect.detail().to_owned();
    assert_eq!(detected, "not detected in 9.1 s; then the run ended");
    assert!(
        report.findings[0].text.contains("A recovery afterwards undid every change"),
        "{}",
        report.findings[0].text
    );
    super::html(&report, None).unwrap();
}

#[test]
fn a_run_that_a_guardrail_ended_says_so_in_every_place() {
    let mut script = Script::default();
    cut(45_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let (slow, g1) = (sample::identity("001", "slow-provider"), "G1");
    let observed = "mean(checkout_ok) was 41 % for 20 s".to_owned();
    script.at(45_100, EventKind::GuardrailTripped { guardrail: g1.parse().unwrap(), observed });
    script.at(45_110, EventKind::RunAborted { cause: AbortCause::Guardrail { guardrail: g1.parse().unwrap() } });
    script.at(45_120, EventKind::PhaseEnded { phase: "slow".parse().unwrap(), why: PhaseEnd::Aborted });
    script.at(45_200, EventKind::FaultReverting { identity: slow.clone() });
    script.at(45_400, EventKind::FaultRestored { identity: slow, how: FaultEnd::Restored });
    script.at(
        45_500,
        EventKind::HypothesisJudged(HypothesisResult {
            hypothesis: "H2".parse().unwrap(),
            verdict: Verdict::NotTested("phase `throttle` was not reached".to_owned()),
            observations: Vec::new(),
        }),
    );
    script.at(45_600, EventKind::RunSettled);
    script.at(45_700, EventKind::RunEnded { outcome: RunOutcome::Aborted, exit_code: 4 });
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.header.outcome.exit_meaning.as_deref(), Some("aborted by a guardrail"));
    assert_eq!(report.safety.aborted_by.as_deref(), Some("guardrail G1"));
    assert_eq!(report.guardrails[0].state, "tripped");
    assert_eq!(report.safety.state, "clean");
    assert!(report.summary[1].contains("aborted by guardrail G1"), "{}", report.summary[1]);
    assert!(chart_of(&report).draw(chart::Width::Wide).contains("gd-trouble-line"));
    let junit = super::junit(&report).unwrap();
    assert!(junit.contains("type=\"guardrail_tripped\"") && junit.contains("not tested: phase"), "{junit}");
}

#[test]
fn a_dirty_run_lists_what_is_left_and_how_to_finish_it() {
    let mut script = Script::default();
    cut(57_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let by_hand = vec!["aws lambda delete-function-concurrency --function-name payments-fn".to_owned()];
    let identity = sample::identity("001", "slow-provider");
    script.at(58_000, EventKind::FaultReverting { identity: identity.clone() });
    script.at(60_000, EventKind::FaultStuck { identity, error: "throttled".to_owned(), by_hand: by_hand.clone() });
    script.at(60_100, EventKind::RunDirty { left: vec!["slow-provider".to_owned()] });
    script.at(60_200, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 8 });
    let report = report_of(&script, &sample::facts());
    assert_eq!((report.header.outcome.result.as_str(), report.safety.state.as_str()), ("dirty", "dirty"));
    assert_eq!(report.safety.by_hand, by_hand);
    assert!(super::markdown(&report, None).unwrap().contains("`aws lambda delete-function-concurrency"));
    assert!(super::html(&report, None).unwrap().contains("aws lambda delete-function-concurrency"));
}

#[test]
fn switches_and_the_lock_are_told_with_what_became_of_them() {
    let fires_at = "2026-11-10T10:06:00Z".parse().unwrap();
    let switch = |identity: &crate::event::FaultIdentity| EventKind::SwitchIntended {
        identity: identity.clone(),
        schedule: "gameday-1".to_owned(),
        group: "default".to_owned(),
        call: "lambda:PutFunctionConcurrency".to_owned(),
        fires_at,
    };
    let mut script = Script::default();
    cut(57_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let (parameter, ticket, holder) = ("/gameday/x".to_owned(), "t".to_owned(), "maria".to_owned());
    script.at(100, EventKind::LockIntended { parameter, ticket, holder });
    script.at(101, EventKind::LockTaken { expires_at: fires_at });
    let identity = sample::identity("001", "slow-provider");
    script.at(57_100, switch(&identity));
    script.at(57_200, EventKind::SwitchSet { identity: identity.clone() });
    script.at(57_300, EventKind::SwitchPushed { identity: identity.clone(), fires_at });
    script.at(
        57_400,
        EventKind::FaultStuck {
            identity: identity.clone(),
            error: "throttled".to_owned(),
            by_hand: vec!["aws x".to_owned()],
        },
    );
    script.at(57_500, EventKind::SwitchLeft { identity: identity.clone(), fires_at });
    script.at(57_600, EventKind::LockKept);
    let report = report_of(&script, &sample::facts());
    let row = report.safety.switches.iter().find(|row| row.fault == "slow-provider").unwrap();
    assert_eq!(row.state, "left");
    assert!(row.text.contains("put off once; left in place") && row.text.contains("10:06:00 UTC"), "{}", row.text);
    assert_eq!(report.safety.lock.as_deref(), Some("/gameday/x, held by maria: kept, since something is not undone"));

    // Undone at last, and the schedule can not be deleted: it is no change that is left, and it is told.
    script.at(58_000, EventKind::FaultRestored { identity: identity.clone(), how: FaultEnd::Restored });
    let by_hand = vec!["aws scheduler delete-schedule --name gameday-1".to_owned()];
    let (step, error) = (SwitchStep::Delete, "denied".to_owned());
    script.at(58_100, EventKind::SwitchFailed { identity, step, error, by_hand: by_hand.clone() });
    let report = report_of(&script, &sample::facts());
    assert!(report.safety.text.contains("1 dead man's switch is still in AWS"), "{}", report.safety.text);
    assert_eq!(report.safety.by_hand, by_hand);
    let (page, text) = (super::html(&report, None).unwrap(), super::markdown(&report, None).unwrap());
    assert!(page.contains("could not be deleted") && text.contains("could not be deleted"));
}

#[test]
fn a_run_without_load_faults_and_people_has_no_empty_sections() {
    let mut script = Script::default();
    script.at(0, sample::started());
    script.at(500, EventKind::RunEnded { outcome: RunOutcome::GateShut, exit_code: 7 });
    let facts = Facts { hypotheses: Vec::new(), guardrails: Vec::new(), why: None, ..sample::facts() };
    let report = Report::from_facts(&script.events(), &facts, Vec::new());
    assert_eq!(report.safety.state, "untouched");
    let page = super::html(&report, None).unwrap();
    for section in ["why", "hypotheses", "response", "steps", "journal", "load", "evidence"] {
        assert!(!page.contains(&format!("id=\"{section}\"")), "{section}");
        assert!(!page.contains(&format!("href=\"#{section}\"")), "{section}");
    }
    assert!(page.contains("No guardrail was set."));
    super::markdown(&report, None).unwrap();
    assert_eq!(super::load_csv(&report).lines().count(), 1);
    let nothing = Report::from_facts(&[], &facts, Vec::new());
    super::html(&nothing, None).unwrap();
}

const HOSTILE: &str =
    "<script>alert(1)</script> | `x` ``y`` {{report}} {{{chart}}}\n## head\n=1+1 \u{0}\u{1b}[31m\u{202e} \"'&";

fn hostile_report() -> Report {
    let mut script = sample::script();
    let hostile = || HOSTILE.to_owned();
    script.at(53_000, EventKind::Noted { text: hostile(), by: Some(hostile()) });
    script.at(53_100, EventKind::Marked { name: hostile(), fault: None, by: Some(hostile()) });
    script.at(
        53_200,
        EventKind::StepOpened {
            step: "evil".parse().unwrap(),
            text: hostile(),
            owner: None,
            due_ms: Some(53_300),
            must: true,
            playbook: None,
        },
    );
    let outcome = StepOutcome::Skipped { why: Some(hostile()) };
    script.at(54_200, EventKind::StepClosed { step: "evil".parse().unwrap(), outcome, by: Some(hostile()) });
    let facts = sample::facts();
    let evil = sample::hypothesis("H9", "low", HOSTILE, HOSTILE, None);
    let hypotheses = facts.hypotheses.into_iter().chain([evil]).collect();
    let facts = Facts { hypotheses, owner: hostile(), not_carried_out: vec![hostile()], ..sample::facts() };
    let mut report = report_of(&script, &facts);
    report.header.title = hostile();
    report
}

#[test]
fn hostile_text_stays_text_in_every_format() {
    let report = hostile_report();
    let page = super::html(&report, None).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("{{report}}"));
    assert!(!page.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let markdown = super::markdown(&report, None).unwrap();
    assert!(!markdown.contains("<script") || markdown.contains("<script>alert(1)</script> \\|"), "only in a code span");
    assert!(!markdown.contains("\n## head") && !markdown.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let tables = markdown.lines().filter(|line| line.starts_with("| ") && line.contains("alert"));
    let bars: Vec<usize> = tables.map(|line| line.replace("\\|", "").matches('|').count()).collect();
    assert!(!bars.is_empty() && bars.iter().all(|bars| [3, 5, 6, 8].contains(bars)), "{bars:?}");
    let svg = chart_of(&report).draw_file();
    assert!(!svg.contains("<script") && !svg.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let junit = super::junit(&report).unwrap();
    assert!(!junit.contains("<script") && !junit.contains(['\u{0}', '\u{1b}']));
    let csv = super::timeline_csv(&report);
    assert!(!csv.contains(['\u{0}', '\u{1b}']) && csv.contains("\"\"'&\""), "{csv}");
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

#[test]
fn what_is_blacked_out_is_in_no_format() {
    let mut report = sample_report();
    report.header.environment.account = Some("111122223333".to_owned());
    report.journal[0].text = "ask maria@example.com about 111122223333".to_owned();
    let report = report.redacted(&[super::Redaction::AccountIds, super::Redaction::Emails]);
    let page = super::html(&report, None).unwrap();
    assert!(!page.contains("111122223333") && !page.contains("maria@"));
    assert_eq!(report.journal[0].text, "ask ***@*** about ************");
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
    const OURS: [&str; 9] = ["report", "chart", "style", "is_empty", "wide", "narrow", "chart_file", "this", "first"];
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
            // The last word is the value; what stands before it is a helper.
            let path = expression.split_whitespace().last().unwrap().trim_start_matches(['#', '@']);
            for name in path.split(['.', '/']).filter(|name| !name.is_empty()) {
                let name = name.trim_start_matches('@');
                assert!(keys.contains(name), "`{name}` of `{{{{{expression}}}}}` in {template} is no field");
            }
            paths += 1;
        }
        assert!(paths > 100, "the templates were not read");
    }
}

/// One fault from 28.2 s on, effective at 31 s and undone at 58.2 s, and an alarm that is expected.
fn alarm_script(events: &[(u64, EventKind)]) -> Report {
    let mut script = Script::default();
    let identity = || sample::identity("001", "slow");
    script.at(0, sample::started());
    script.at(950, EventKind::ReadinessPassed { checks: Vec::new() });
    script.at(28_200, sample::intended("001", "slow", "lambda_timeout", "pay", "x", "y"));
    script.at(28_230, sample::armed("001", "slow"));
    script.at(28_350, EventKind::FaultApplied { identity: identity() });
    script.at(31_000, EventKind::FaultEffective { identity: identity(), evidence: "z".to_owned() });
    script.at(58_010, EventKind::FaultReverting { identity: identity() });
    script.at(58_200, EventKind::FaultRestored { identity: identity(), how: FaultEnd::Restored });
    script.at(93_900, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    for (at_ms, kind) in events {
        script.at(*at_ms, kind.clone());
    }
    let alarms = super::facts::AlarmFacts { expected: vec!["pay-slow".to_owned()], ..Default::default() };
    report_of(&script, &Facts { alarms: Some(alarms), ..sample::facts() })
}

#[test]
fn an_alarm_that_comes_before_a_person_detects_and_is_the_notice_to_acknowledge() {
    use crate::unit::AlarmState::{Alarm, Ok};
    let found = (900, sample::found("pay-slow", Ok));
    let fired = (42_300, sample::transitioned("pay-slow", Some(Ok), Alarm, 40_000));
    let over = (72_300, sample::transitioned("pay-slow", Some(Alarm), Ok, 70_000));
    let acknowledged = (46_000, EventKind::Acknowledged { by: Some("aiko".to_owned()) });
    let report = alarm_script(&[found.clone(), fired.clone(), over, acknowledged.clone()]);
    let response = &report.faults[0].response;
    assert_eq!((response.detected_by.as_deref(), response.alarm_ms), (Some("alarm"), Some(40_000)));
    assert_eq!(response.time_to_detect.value(), "9 s ± 1 s");
    assert_eq!(response.time_to_acknowledge.value(), "6 s");
    assert_eq!(response.clear_lag.value(), "11.8 s");
    // A person who was quicker takes the credit; the alarm stays where it was.
    let quick = (36_000, EventKind::Marked { name: "detected".to_owned(), fault: None, by: None });
    let report = alarm_script(&[found.clone(), fired.clone(), quick]);
    assert_eq!(report.faults[0].response.detected_by.as_deref(), Some("human"));
    assert_eq!(report.faults[0].response.alarm_ms, Some(40_000));
    let late = &report.alarms[0];
    assert!(late.is_late_to_clear && late.cleared_ms.is_none(), "{late:#?}");
    assert!(report.findings.iter().any(|finding| finding.kind == "late_to_clear"));
}

#[test]
fn a_silent_alarm_is_told_apart_from_one_that_is_not_known() {
    use crate::unit::AlarmState::{Alarm, Ok};
    let found = |state| (900, sample::found("pay-slow", state));
    let told = |events: &[(u64, EventKind)]| {
        let report = alarm_script(events);
        let kinds = report.findings.iter().map(|finding| finding.kind.clone()).collect::<Vec<String>>();
        (report.alarms[0].outcome.clone(), report.faults[0].response.detected_by.clone(), kinds)
    };
    let (outcome, by, kinds) = told(&[found(Ok)]);
    assert_eq!((outcome.as_str(), by.as_deref()), ("silent", Some("nobody")));
    assert!(kinds.contains(&"silent_alarm".to_owned()), "{kinds:?}");
    let unread = (50_000, EventKind::AlarmsUnread { since_ms: 45_000, why: "no route".to_owned() });
    let lost = (50_000, EventKind::AlarmLost { alarm: "pay-slow".to_owned() });
    for (events, finding) in [
        (vec![], "unknown_alarm"),
        (vec![found(Alarm)], "unknown_alarm"),
        (vec![found(Ok), unread], "alarms_unread"),
        (vec![found(Ok), lost], "unknown_alarm"),
    ] {
        let (outcome, by, kinds) = told(&events);
        assert_eq!(outcome, "unknown", "{events:?}");
        assert!(kinds.contains(&finding.to_owned()), "{kinds:?}");
        assert_eq!(by, None, "{events:?}");
    }
}
