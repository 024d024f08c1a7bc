//! Text that means harm, and text that is not to be seen.

use super::{report_of, sample_report};
use crate::event::{EventKind, StepAsks, StepOutcome};
use crate::report::model::FailureSeen;
use crate::report::{Facts, Redaction, Report, chart_of, sample};

const HOSTILE: &str =
    "<script>alert(1)</script> | `x` ``y`` {{report}} {{{chart}}}\n## head\n=1+1 \u{0}\u{1b}[31m\u{202e} \"'&";

fn hostile_report() -> Report {
    let mut script = sample::script();
    let hostile = || HOSTILE.to_owned();
    script.at(53_000, EventKind::Noted { text: hostile(), by: Some(hostile()) });
    script.at(
        53_100,
        EventKind::Marked { name: hostile(), fault: None, by: Some(hostile()), component: None, text: None },
    );
    script.at(
        53_200,
        EventKind::StepOpened {
            step: "evil".parse().unwrap(),
            text: hostile(),
            owner: None,
            due_ms: Some(53_300),
            must: true,
            playbook: None,
            asks: StepAsks::default(),
        },
    );
    let outcome = StepOutcome::Skipped { why: Some(hostile()) };
    script.at(
        54_200,
        EventKind::StepClosed { step: "evil".parse().unwrap(), outcome, by: Some(hostile()), evidence: None },
    );
    let facts = sample::facts();
    let evil = sample::hypothesis("H9", "low", HOSTILE, HOSTILE, None);
    let hypotheses = facts.hypotheses.into_iter().chain([evil]).collect();
    let facts = Facts { hypotheses, owner: hostile(), not_carried_out: vec![hostile()], ..sample::facts() };
    let mut report = report_of(&script, &facts);
    report.header.title = hostile();
    let seen = FailureSeen { journey: hostile(), step: hostile(), kind: "dns".to_owned(), detail: hostile() };
    report.loads[0].failure_samples.push(seen);
    report
}

#[test]
fn hostile_text_stays_text_in_every_format() {
    let report = hostile_report();
    let page = crate::report::html(&report, None).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("{{report}}"));
    assert!(!page.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let markdown = crate::report::markdown(&report, None).unwrap();
    assert!(!markdown.contains("<script") || markdown.contains("<script>alert(1)</script> \\|"), "only in a code span");
    assert!(!markdown.contains("\n## head") && !markdown.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let tables = markdown.lines().filter(|line| line.starts_with("| ") && line.contains("alert"));
    let bars: Vec<usize> = tables.map(|line| line.replace("\\|", "").matches('|').count()).collect();
    assert!(!bars.is_empty() && bars.iter().all(|bars| [3, 4, 5, 6, 8].contains(bars)), "{bars:?}");
    let svg = chart_of(&report).draw_file();
    assert!(!svg.contains("<script") && !svg.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let junit = crate::report::junit(&report).unwrap();
    assert!(!junit.contains("<script") && !junit.contains(['\u{0}', '\u{1b}']));
    let csv = crate::report::timeline_csv(&report);
    assert!(!csv.contains(['\u{0}', '\u{1b}']) && csv.contains("\"\"'&\""), "{csv}");
}

#[test]
fn what_is_blacked_out_is_in_no_format() {
    let mut report = sample_report();
    report.header.environment.account = Some("111122223333".to_owned());
    report.loads[0].failure_samples[0].detail = "no address for 111122223333.example".to_owned();
    report.journal[0].text = "ask maria@example.com about 111122223333".to_owned();
    let report = report.redacted(&[Redaction::AccountIds, Redaction::Emails]);
    let page = crate::report::html(&report, None).unwrap();
    assert!(!page.contains("111122223333") && !page.contains("maria@"));
    assert_eq!(report.journal[0].text, "ask [e-mail] about [account]");
}
