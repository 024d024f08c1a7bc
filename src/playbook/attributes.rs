//! The attributes of a command block: `{name=alarm-state timeout=30s readonly=true}`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::document::{Diagnostic, SourceFile, Span};
use crate::unit::{StepId, UnitError, nearest, parse_duration};

/// The names of the attributes.
const NAMES: [&str; 4] = ["name", "timeout", "readonly", "confirm"];

/// How long a command may take where the block does not say it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// What the attributes of one block say.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) name: String,
    pub(super) timeout: Duration,
    pub(super) readonly: bool,
    pub(super) confirm: bool,
}

/// Splits a block's info string, `sh {name=x}`, into its language and what stands in the braces.
pub(super) fn split(info: &str) -> (&str, Option<&str>) {
    match info.split_once('{') {
        Some((language, rest)) => (language.trim(), Some(rest.trim_end().trim_end_matches('}'))),
        None => (info.trim(), None),
    }
}

/// Reads what stands in the braces of a block whose first line is at `span`.
pub(super) fn read(
    source: &Arc<SourceFile>,
    span: &Span,
    text: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Attributes> {
    let line = source.slice(span);
    let mut given: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for pair in text.split_whitespace() {
        // The pair stands in the line as it is, so its place is where it is found.
        let start = span.start + line.find(pair).unwrap_or_default();
        let place = start..start + pair.len();
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !NAMES.contains(&name) {
            let message = format!("no attribute is called `{name}`");
            let known = NAMES.map(|name| format!("`{name}`")).join(", ");
            let near = nearest(name, NAMES).map(|near| format!("did you mean `{near}`?"));
            problems.push(
                Diagnostic::error(source, place, "unknown-attribute", message)
                    .with_note(format!("known attributes: {known}"))
                    .with_help_if(near),
            );
        } else if given.insert(name, (value, place.clone())).is_some() {
            let message = format!("the attribute `{name}` stands here twice");
            problems.push(Diagnostic::error(source, place, "invalid-attribute", message));
        }
    }
    let mut tell = |place: &Span, message: String, help: &str| {
        problems.push(Diagnostic::error(source, place.clone(), "invalid-attribute", message).with_help(help));
    };
    let Some((name, place)) = given.get("name") else {
        tell(span, "the command has no name".to_owned(), "add one: `{name=alarm-state}`");
        return None;
    };
    if name.parse::<StepId>().is_err() {
        tell(place, format!("`{name}` is not a name"), "use letters, digits, `-`, `_` and `.`");
    }
    let timeout = match given.get("timeout").map(|(value, place)| (parse_duration(value), place)) {
        None => TIMEOUT_DEFAULT,
        Some((Ok(timeout), _)) => timeout,
        Some((Err(UnitError { problem, remedy }), place)) => {
            tell(place, problem, remedy);
            TIMEOUT_DEFAULT
        }
    };
    let mut flag = |name: &str, default: bool| match given.get(name) {
        None => default,
        Some(("true", _)) => true,
        Some(("false", _)) => false,
        Some((value, place)) => {
            tell(place, format!("`{value}` is neither `true` nor `false`"), "write `true` or `false`");
            default
        }
    };
    let readonly = flag("readonly", false);
    // A command that may change something is confirmed, unless the block says otherwise.
    let confirm = flag("confirm", !readonly);
    Some(Attributes { name: (*name).to_owned(), timeout, readonly, confirm })
}
