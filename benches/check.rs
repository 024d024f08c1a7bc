//! How long a scenario of ten thousand steps takes to check, beside `serde_yaml` reading the same text into a tree that
//! nobody checks. `cargo bench --bench check`; the allocator's peak is printed below each time.

use std::sync::Arc;

use divan::{AllocProfiler, Bencher, black_box};
use gameday::document::SourceFile;
use gameday::workspace::Workspace;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// How many steps the scenario has.
const STEPS: usize = 10_000;

fn main() {
    divan::main();
}

/// One phase of nine hours, with an inject each second.
fn scenario() -> String {
    let steps: String = (0..STEPS).map(|second| format!("      - {{at: {second}s, inject: ticket}}\n")).collect();
    format!(
        "gameday: 1\nid: large\ntitle: Ten thousand steps\nowner: me\n\
         people: {{responder: {{who: me}}}}\n\
         targets: {{orders: {{lambda: {{function: orders-fn, url: \"http://127.0.0.1:1\"}}}}}}\n\
         signals: {{ok: {{load: {{of: users, stat: success_ratio}}}}}}\n\
         hypotheses: [{{id: H1, text: \"It holds\", expect: \"mean(ok) >= 99% during all\"}}]\n\
         injects: {{ticket: {{to: responder, text: \"a customer calls\"}}}}\n\
         load:\n  users:\n    base_url: \"${{orders.url}}\"\n    \
         journeys: [{{name: look, steps: [{{get: /}}]}}]\n    shape: [{{hold: 9h, at: 1 user}}]\n\
         timeline:\n  - phase: all\n    for: 9h\n    do:\n      - {{at: 0s, load: users}}\n{steps}"
    )
}

#[divan::bench(sample_count = 30)]
fn gameday_checks_ten_thousand_steps(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::read(folder.path()).expect("an empty workspace");
    let text = scenario();
    bencher.bench_local(|| {
        let source = Arc::new(SourceFile::new("large.yaml", text.clone()));
        let checked = gameday::scenario::check(black_box(&source), &workspace, None);
        assert!(checked.is_ok(), "{:?}", checked.err());
        checked
    });
}

#[divan::bench(sample_count = 30)]
fn serde_yaml_reads_the_same_text(bencher: Bencher<'_, '_>) {
    let text = scenario();
    bencher.bench_local(|| serde_yaml::from_str::<serde_yaml::Value>(black_box(&text)).expect("it is YAML"));
}
