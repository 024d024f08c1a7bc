//! What would have undone each change in AWS itself, and what became of it.

use super::Run;
use crate::event::{FaultProgress, FaultState, SwitchProgress, SwitchState};
use crate::report::model::SwitchRow;
use crate::unit::plural;

/// One row for each change that has a switch, or of which the plan says why it has none.
pub(super) fn switches(run: &Run<'_>) -> Vec<SwitchRow> {
    run.state.faults.iter().filter_map(|fault| row(run, fault)).collect()
}

fn row(run: &Run<'_>, fault: &FaultProgress) -> Option<SwitchRow> {
    let cover = run.facts.covers.get(fault.identity.fault.as_str());
    let (state, text) = match (&fault.switch, cover) {
        (Some(switch), _) => told(switch, fault),
        (None, Some(_)) if fault.state == FaultState::Intended => return None,
        (None, Some(cover)) if cover.is_switch => ("none", "none was set: see the ledger".to_owned()),
        (None, Some(cover)) => ("none", cover.text.clone()),
        (None, None) => return None,
    };
    let (step, fault) = (fault.identity.step.clone(), fault.identity.fault.to_string());
    Some(SwitchRow { step, fault, state: state.to_owned(), text })
}

fn told(switch: &SwitchProgress, fault: &FaultProgress) -> (&'static str, String) {
    let SwitchProgress { schedule, call, .. } = switch;
    let at = switch.fires_at.format("%H:%M:%S UTC");
    let error = switch.error.as_deref().unwrap_or("no error is known");
    let pushed = match switch.pushed_count {
        0 => "never put off".to_owned(),
        1 => "put off once".to_owned(),
        count => format!("put off {}", plural(count as usize, "time", "times")),
    };
    match switch.state {
        SwitchState::Deleted => match (switch.pushed_count, &switch.error) {
            (_, Some(error)) => ("deleted", format!("{call}, {pushed}, deleted after the undo; {error}")),
            (_, None) => ("deleted", format!("{call}, {pushed}, deleted after the undo")),
        },
        SwitchState::Failed | SwitchState::Refused => ("failed", format!("{call} could not be set: {error}")),
        SwitchState::Undeleted => (
            "undeleted",
            format!(
                "{call}, {pushed}; schedule {schedule} could not be deleted ({error}): it fires at {at}, writes what was \
                 there before the fault once more, and is gone then"
            ),
        ),
        SwitchState::Left => {
            ("left", format!("{call}, {pushed}; left in place, since the fault is not undone: fires at {at}"))
        }
        SwitchState::Intended | SwitchState::Set => {
            let is_open = if fault.is_outstanding() { ", unless the run puts it off or undoes the fault" } else { "" };
            ("set", format!("{call}, {pushed}; schedule {schedule} fires at {at}{is_open}"))
        }
    }
}

/// What of switches is left in AWS although the faults are over, for the words of the section; none where nothing is.
pub(super) fn left_over(run: &Run<'_>) -> Option<String> {
    let count = run.state.faults.iter().filter(|fault| fault.is_switch_left_over()).count();
    let text = plural(count, "dead man's switch is", "dead man's switches are");
    (count > 0).then(|| format!(" {text} still in AWS, and delete themselves once they have fired."))
}
