//! A day of eight hours, of which nothing is planned but its length.

use gameday::plan::Plan;
use serde_json::json;

/// Its plan. Where it is blind, a responder plays.
pub(crate) fn plan(is_blind: bool) -> Plan {
    let people = if is_blind { json!({"responder": {"who": "aiko", "blind": true}}) } else { json!({}) };
    let plan = json!({
        "format": 1,
        "scenario": {
            "id": "day", "title": "A day", "owner": "me", "why": null, "mode": "drill", "tags": [], "covers": null, "people": people,
            "sha256": "00",
        },
        "environment": {"name": "sandbox", "kind": "sandbox"},
        "targets": {},
        "phases": [{"phase": "day", "start": "0s", "length": "8h", "until": null, "gate": [], "checklist": []}],
        "steps": [], "loads": {}, "changes": {}, "signals": {}, "hypotheses": [], "guardrails": [], "settle": null, "formats": [],
        "debrief": null,
    });
    serde_json::from_value(plan).expect("a plan")
}
