//! Writing to the terminal: results to standard output, progress and errors to standard error.
//!
//! A reader that went away (`gameday … | head`) is no error of ours.

use std::fmt::Display;
use std::io::Write as _;

/// Writes one line to standard output.
pub(crate) fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// Writes a text that has its own line ends to standard output.
pub(crate) fn text(text: &str) {
    write!(std::io::stdout().lock(), "{text}").ok();
}

/// Writes a part of a line to standard output, at once: somebody is asked, or types.
pub(crate) fn part(text: &str) {
    let mut output = std::io::stdout().lock();
    write!(output, "{text}").and_then(|()| output.flush()).ok();
}

/// Writes one line to standard error.
pub(crate) fn progress(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Writes a value as indented JSON to standard output.
pub(crate) fn json(value: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(value).expect("invariant: our own values serialise to JSON");
    line(text);
}
