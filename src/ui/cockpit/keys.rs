//! The keys, each with what it does: for the footer, the help, and whom it is offered to.

use crate::ui::board::View;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Help,
    Tick,
    Skip,
    Vote,
    Detected,
    Acknowledge,
    Diagnosed,
    Mitigated,
    Recovered,
    Escalated,
    Surprised,
    Note,
    Join,
    Inject,
    Hint,
    Reveal,
    Pause,
    Abort,
    Quit,
}

/// A key that is offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: char,
    /// How the key is written.
    pub(super) name: &'static str,
    /// One or two words for the footer.
    pub(super) label: &'static str,
    /// A sentence for the help.
    pub(super) help: &'static str,
    pub(super) wish: Wish,
    /// Whether only whoever runs the game day has it.
    is_facilitators: bool,
}

const fn entry(key: char, name: &'static str, wish: Wish, label: &'static str, help: &'static str) -> Entry {
    Entry { key, name, label, help, wish, is_facilitators: false }
}

const fn facilitators(key: char, name: &'static str, wish: Wish, label: &'static str, help: &'static str) -> Entry {
    Entry { is_facilitators: true, ..entry(key, name, wish, label, help) }
}

/// All of them, the most important first: the footer shows as many as there is room for.
const ENTRIES: [Entry; 19] = [
    entry('?', "?", Wish::Help, "help", "this help, and back"),
    entry('x', "x", Wish::Abort, "abort", "end the run and undo everything; asks for the word `abort`"),
    entry(' ', "space", Wish::Tick, "tick", "the chosen step is done; asks for evidence where the step does"),
    entry('d', "d", Wish::Detected, "detected", "mark: something is wrong"),
    entry('a', "a", Wish::Acknowledge, "ack", "acknowledge: somebody is on it"),
    entry('n', "n", Wish::Note, "note", "write something down, with time and name"),
    entry('g', "g", Wish::Diagnosed, "diagnosed", "mark: the cause is known; asks for the component"),
    entry('m', "m", Wish::Mitigated, "mitigated", "mark: customers do not feel it any more"),
    entry('r', "r", Wish::Recovered, "recovered", "mark: everything is well again"),
    facilitators('p', "p", Wish::Pause, "pause", "let the timeline stand still, and go on; guardrails never pause"),
    facilitators('i', "i", Wish::Inject, "inject", "deliver a message now"),
    facilitators('h', "h", Wish::Hint, "hint", "give a hint"),
    entry('v', "v", Wish::Vote, "vote", "say go or no-go to the chosen poll"),
    entry('s', "s", Wish::Skip, "skip", "the chosen step will not be done; asks why"),
    entry('e', "e", Wish::Escalated, "escalated", "mark: others were called"),
    entry('!', "!", Wish::Surprised, "surprised", "mark: nobody expected this"),
    entry('J', "J", Wish::Join, "join", "take part in a role"),
    facilitators('R', "R", Wish::Reveal, "reveal", "show a fault, or everything, to blind participants; deal a card"),
    entry('q', "q", Wish::Quit, "quit", "leave this view"),
];

/// The keys that a view has.
pub(super) fn entries(view: View) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(move |entry| view == View::Facilitator || !entry.is_facilitators)
}

/// What a key asks for in a view; the error says whose key it is.
pub(super) fn wish(key: char, view: View) -> Result<Option<Wish>, String> {
    let Some(entry) = ENTRIES.iter().find(|entry| entry.key == key) else { return Ok(None) };
    if entry.is_facilitators && view == View::Participant {
        return Err(format!("`{}` ({}) is the facilitator's", entry.name, entry.label));
    }
    Ok(Some(entry.wish))
}
