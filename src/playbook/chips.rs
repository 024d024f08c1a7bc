//! The chips of a step. Owns: their words. Must not know: Markdown.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::Evidence;
use crate::document::{Diagnostic, SourceFile, Span};
use crate::unit::{PersonId, StepId, UnitError, Within, nearest};

/// The names of the chips.
const NAMES: [&str; 6] = ["id", "owner", "within", "must", "evidence", "needs"];

const EVIDENCE: [(&str, Evidence); 4] =
    [("number", Evidence::Number), ("trace", Evidence::Trace), ("link", Evidence::Link), ("text", Evidence::Text)];

/// What the chips of one step say.
#[derive(Debug, Default)]
pub(super) struct Chips {
    pub(super) id: Option<(StepId, Span)>,
    pub(super) owner: Option<PersonId>,
    pub(super) within: Option<Within>,
    pub(super) must: bool,
    pub(super) evidence: Option<Evidence>,
    pub(super) needs: Option<PersonId>,
    seen: Vec<&'static str>,
}

/// The chip that has no value.
const MUST: &str = "must";
/// What fingers make of it.
const SLIPS: [&str; 4] = ["mst", "msut", "mustt", "muts"];

/// Whether inline code has the form of a chip: `word:…`, or a known word alone. Any other code is part of the text.
pub(super) fn is_chip(code: &str) -> bool {
    match code.split_once(':') {
        // `payments-fn:live` in the midst of a sentence is no chip; a chip's word is one of ours or nearly so.
        Some((word, _)) => NAMES.contains(&word) || (word.len() > 2 && nearest(word, NAMES).is_some()),
        None => code == MUST,
    }
}

/// What somebody meant who wrote `within 5m`, `owner=lead`, `Must` or `mst` where chips stand. In the midst of words any of them may be
/// what it is: `id -u` is a command.
pub(super) fn meant(code: &str) -> Option<String> {
    if let Some((word, value)) = code.split_once([' ', '=']) {
        let (name, value) = (NAMES.into_iter().find(|name| *name == word)?, value.trim());
        let is_value = value.starts_with(|c: char| c.is_ascii_alphanumeric()) && !value.contains(' ');
        return is_value.then(|| if name == MUST { MUST.to_owned() } else { format!("{name}:{value}") });
    }
    (SLIPS.contains(&code) || code.eq_ignore_ascii_case(MUST)).then(|| MUST.to_owned())
}

/// Tells of what is nearly a chip.
pub(super) fn no_chip(source: &Arc<SourceFile>, span: &Span, code: &str, meant: &str) -> Diagnostic {
    let problem = Diagnostic::error(source, span.clone(), "unknown-chip", format!("`{code}` is no chip"));
    problem.with_help(format!("did you mean `{meant}`?"))
}

impl Chips {
    /// Takes one chip. `span` is its place with the backticks.
    pub(super) fn take(&mut self, source: &Arc<SourceFile>, span: &Span, code: &str, problems: &mut Vec<Diagnostic>) {
        let (word, value) = code.split_once(':').map_or((code, None), |(word, value)| (word, Some(value.trim())));
        let Some(name) = NAMES.into_iter().find(|name| *name == word) else {
            let problem =
                Diagnostic::error(source, span.clone(), "unknown-chip", format!("no chip is called `{word}`"));
            let known = NAMES.map(|name| format!("`{name}`")).join(", ");
            let near = nearest(word, NAMES).map(|near| format!("did you mean `{near}`?"));
            problems.push(problem.with_note(format!("known chips: {known}")).with_help_if(near));
            return;
        };
        let mut tell = |message: String, help: &str| {
            problems.push(Diagnostic::error(source, span.clone(), "invalid-chip", message).with_help(help));
        };
        if self.seen.contains(&name) {
            tell(format!("the chip `{name}` stands here twice"), "keep one");
            return;
        }
        self.seen.push(name);
        let value = match (name, value) {
            ("must", None) => {
                self.must = true;
                return;
            }
            ("must", Some(_)) => return tell("`must` takes no value".to_owned(), "write `must` alone"),
            (_, None | Some("")) => return tell(format!("`{name}` needs a value"), "write it as `name:value`"),
            (_, Some(value)) => value,
        };
        let result = match name {
            "id" => parsed(value).map(|id| self.id = Some((id, span.clone()))),
            "owner" => parsed(value).map(|owner| self.owner = Some(owner)),
            "needs" => parsed(value).map(|needs| self.needs = Some(needs)),
            "within" => value
                .parse()
                .map(|within| self.within = Some(within))
                .map_err(|UnitError { problem, remedy }| (problem, remedy)),
            _ => match EVIDENCE.iter().find(|(word, _)| *word == value) {
                Some((_, evidence)) => {
                    self.evidence = Some(*evidence);
                    Ok(())
                }
                None => Err((format!("`{value}` is no kind of evidence"), "write `number`, `trace`, `link` or `text`")),
            },
        };
        if let Err((message, help)) = result {
            tell(message, help);
        }
    }
}

fn parsed<T: FromStr<Err: Display>>(value: &str) -> Result<T, (String, &'static str)> {
    value.parse().map_err(|problem: T::Err| (problem.to_string(), "names have no blanks: `owner:incident-lead`"))
}
