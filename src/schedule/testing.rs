//! Scenarios for the tests of this room.

use std::path::{Path, PathBuf};

use super::{Entry, Guard, Recurrence};
use crate::scenario::Scenario;

pub(super) fn scenario(id: &str, schedule: &str) -> Scenario {
    let text = format!(
        "gameday: 1\nid: {id}\ntitle: Orders, slow; and 100% \\ safe\nowner: maria@example.com\nwhy: We believe it.\n\
         people: {{facilitator: {{who: joonas@example.com, required: true}}, scribe: {{who: aiko}}}}\n\
         hypotheses: [{{id: H1, severity: low, text: x, expect: 'mean(ok) > 1'}}]\n\
         timeline: [{{phase: one, for: 10m}}, {{phase: two, for: 20m}}]\n\
         debrief: {{review: {{after: 3d, for: 60m}}}}\nschedule: {schedule}\n"
    );
    serde_yaml::from_str(&text).unwrap()
}

pub(super) fn entry(id: &str, schedule: &str) -> Entry {
    let scenario = scenario(id, schedule);
    let at = |text: &str| text.parse().unwrap();
    let guard = Guard::of(&scenario, Path::new("."), at("2026-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"));
    Entry {
        recurrence: Recurrence::of(scenario.schedule.as_ref().unwrap()).unwrap(),
        guard: guard.unwrap().unwrap(),
        file: PathBuf::from(format!("scenarios/{id}.yaml")),
        environments: ["staging".to_owned()].into(),
        scenario,
    }
}

pub(super) fn staging() -> crate::workspace::Environment {
    let folder = tempfile::tempdir().unwrap();
    let text = "gameday: 1\nenvironments: {staging: {endpoint: 'http://127.0.0.1:4566'}}\n";
    std::fs::write(folder.path().join("gameday.yaml"), text).unwrap();
    let workspace = crate::workspace::Workspace::read(folder.path()).unwrap();
    workspace.environment("staging").unwrap().clone()
}
