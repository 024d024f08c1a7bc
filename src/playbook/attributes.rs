//! The attributes of a command block: `{name=alarm-state timeout=30s readonly=true expect="OK|ALARM"}`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

use crate::document::{Diagnostic, SourceFile, Span};
use crate::unit::{StepId, UnitError, format_duration, nearest, parse_duration};

/// The names of the attributes.
const NAMES: [&str; 5] = ["name", "timeout", "readonly", "confirm", "expect"];

/// How long a command may take where the block does not say it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The longest that a command may take: whoever waits longer has lost sight of it.
const TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);

/// How large a regular expression may become in memory, in bytes.
const EXPECT_BYTES_MAX: usize = 1024 * 1024;

/// What the attributes of one block say.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) name: String,
    pub(super) timeout: Duration,
    pub(super) readonly: bool,
    pub(super) confirm: bool,
    pub(super) expect: Option<String>,
}

/// Splits a block's info string, `sh {name=x}`, into its language and whether attributes stand behind it.
pub(super) fn split(info: &str) -> (&str, bool) {
    match info.split_once('{') {
        Some((language, _)) => (language.trim(), true),
        None => (info.trim(), false),
    }
}

/// The regular expression of an `expect`: `^` and `$` stand for the ends of each line.
pub(super) fn expectation(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).multi_line(true).size_limit(EXPECT_BYTES_MAX).dfa_size_limit(EXPECT_BYTES_MAX).build()
}

/// An attribute's value and its place.
type Given<'t> = BTreeMap<&'t str, (&'t str, Span)>;

/// Reads what stands in the braces of a block whose first line is at `span`. Markdown takes backslashes out of what stands there,
/// so it is read from the line itself.
pub(super) fn read(source: &Arc<SourceFile>, span: &Span, problems: &mut Vec<Diagnostic>) -> Option<Attributes> {
    let mut given = given(source, span, problems);
    let mut tell = |place: &Span, message: String, help: &str| {
        problems.push(Diagnostic::error(source, place.clone(), "invalid-attribute", message).with_help(help));
    };
    let Some((name, place)) = given.remove("name") else {
        tell(span, "the command has no name".to_owned(), "add one: `{name=alarm-state}`");
        return None;
    };
    if name.parse::<StepId>().is_err() {
        tell(&place, format!("`{name}` is not a name"), "use letters, digits, `-`, `_` and `.`");
    }
    let timeout = match given.get("timeout").map(|(value, place)| (parse_duration(value), place)) {
        None => TIMEOUT_DEFAULT,
        Some((Ok(timeout), place)) => {
            if timeout.is_zero() || timeout > TIMEOUT_MAX {
                let most = format_duration(TIMEOUT_MAX);
                tell(place, format!("a command may take up to {most}, and some time"), "write one such as `30s`");
            }
            timeout
        }
        Some((Err(UnitError { problem, remedy }), place)) => {
            tell(place, problem, remedy);
            TIMEOUT_DEFAULT
        }
    };
    let mut flag = |name: &str| match given.get(name) {
        None => None,
        Some(("true", _)) => Some(true),
        Some(("false", _)) => Some(false),
        Some((value, place)) => {
            tell(place, format!("`{value}` is neither `true` nor `false`"), "write `true` or `false`");
            None
        }
    };
    let readonly = flag("readonly").unwrap_or(false);
    let confirm = flag("confirm");
    if let Some((value, place)) = given.get("expect") {
        if value.is_empty() {
            tell(place, "`expect` expects nothing".to_owned(), "write a regular expression: `expect=\"OK|ALARM\"`");
        } else if let Err(error) = expectation(value) {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            tell(place, format!("`{value}` is no regular expression: {why}"), "`\\` makes a sign stand for itself");
        }
    }
    doubt(source, (readonly, confirm), &given, problems);
    let expect = given.get("expect").map(|(value, _)| (*value).to_owned());
    // A command that may change something is always confirmed.
    Some(Attributes { name: name.to_owned(), timeout, readonly, confirm: !readonly || confirm == Some(true), expect })
}

/// What can be meant, and most likely is not.
fn doubt(source: &Arc<SourceFile>, flags: (bool, Option<bool>), given: &Given<'_>, problems: &mut Vec<Diagnostic>) {
    let (message, help) = match flags {
        (true, Some(true)) => (
            "a command that changes nothing asks for a typed confirmation",
            "leave `confirm` out, or `readonly` where it does change something",
        ),
        (false, Some(false)) => (
            "a command that may change something is confirmed all the same",
            "write `readonly=true` where it changes nothing, else leave `confirm` out",
        ),
        (true | false, Some(_) | None) => return,
    };
    if let Some((_, place)) = given.get("confirm") {
        problems.push(Diagnostic::warning(source, place.clone(), "doubtful-attribute", message).with_help(help));
    }
}

/// The attributes that are known, each with its value and its place.
fn given<'s>(source: &'s Arc<SourceFile>, span: &Span, problems: &mut Vec<Diagnostic>) -> Given<'s> {
    let mut given = Given::new();
    let line = source.slice(span);
    let start = line.find('{').map_or(line.len(), |brace| brace + 1);
    let inside = line.get(start..).unwrap_or_default().trim_end();
    let Some(inside) = inside.strip_suffix('}') else {
        let message = "the braces of the attributes are not closed on this line";
        let problem = Diagnostic::error(source, span.clone(), "invalid-attribute", message);
        problems.push(problem.with_help("end the line with `}`"));
        return given;
    };
    for pair in pairs(inside) {
        let place = span.start + start + pair.start..span.start + start + pair.end;
        let text = source.slice(&place);
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let value = match value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            None => Some(value),
            Some(quote) => value.get(1..).and_then(|rest| rest.strip_suffix(quote)),
        };
        if !NAMES.contains(&name) {
            let message = format!("no attribute is called `{name}`");
            let known = NAMES.map(|name| format!("`{name}`")).join(", ");
            let near = nearest(name, NAMES).map(|near| format!("did you mean `{near}`?"));
            problems.push(
                Diagnostic::error(source, place, "unknown-attribute", message)
                    .with_note(format!("known attributes: {known}"))
                    .with_help_if(near),
            );
        } else if let Some(value) = value {
            if given.insert(name, (value, place.clone())).is_some() {
                let message = format!("the attribute `{name}` stands here twice");
                problems.push(Diagnostic::error(source, place, "invalid-attribute", message));
            }
        } else {
            let message = format!("the quotes around the value of `{name}` are not closed");
            let problem = Diagnostic::error(source, place, "invalid-attribute", message);
            problems.push(problem.with_help("a value ends with the quote with which it begins, which it can not hold"));
        }
    }
    given
}

/// The places of `name=value` in a text: blanks end a value, unless it stands in quotes.
fn pairs(text: &str) -> Vec<Span> {
    let mut pairs = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut before = ' ';
    for (index, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c.is_whitespace() => pairs.extend(start.take().map(|start| start..index)),
            None => {
                start = start.or(Some(index));
                if before == '=' && matches!(c, '"' | '\'') {
                    quote = Some(c);
                }
            }
        }
        before = c;
    }
    pairs.extend(start.map(|start| start..text.len()));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> (Option<Attributes>, Vec<String>) {
        let source = Arc::new(SourceFile::new("pb.md", format!("{line}\n")));
        let mut problems = Vec::new();
        let attributes = read(&source, &source.line(1), &mut problems);
        let told = problems.iter().map(|problem| {
            let at = source.position(problem.span.start).column;
            format!("{at} {} {}", problem.code, problem.message)
        });
        (attributes, told.collect())
    }

    #[test]
    fn values_may_stand_in_quotes_and_keep_their_backslashes() {
        let (read, problems) = told(
            r#"```sh {name=a expect="\"State\": .{2}" timeout='5s' readonly=true}"#.replace("\\\"", "\\x22").as_str(),
        );
        assert_eq!(problems, [""; 0]);
        let read = read.unwrap();
        assert_eq!(read.expect.as_deref(), Some(r"\x22State\x22: .{2}"));
        assert_eq!((read.timeout, read.readonly, read.confirm), (Duration::from_secs(5), true, false));
        let (read, problems) = told(r"~~~bash {name=b expect=^\d+$}");
        assert_eq!(problems, [""; 0]);
        let read = read.unwrap();
        assert!(read.confirm && expectation(&read.expect.unwrap()).unwrap().is_match("x\n42\ny"));
    }

    #[test]
    fn what_can_not_be_meant_is_told_with_its_place() {
        let of = |line: &str| told(line).1;
        assert_eq!(
            of("```sh {name=a expect=(}"),
            ["15 invalid-attribute `(` is no regular expression: unclosed group"]
        );
        assert_eq!(of("```sh {name=a expect=}"), ["15 invalid-attribute `expect` expects nothing"]);
        assert_eq!(
            of("```sh {name=a expect=\"x readonly=true}"),
            ["15 invalid-attribute the quotes around the value of `expect` are not closed"]
        );
        assert_eq!(
            of("```sh {name=a"),
            [
                "1 invalid-attribute the braces of the attributes are not closed on this line",
                "1 invalid-attribute the command has no name",
            ]
        );
        let time = "15 invalid-attribute a command may take up to 1h, and some time";
        assert_eq!([of("```sh {name=a timeout=0s}"), of("```sh {name=a timeout=61m}")], [[time], [time]]);
        assert_eq!(of("```sh {name=a name=b}"), ["15 invalid-attribute the attribute `name` stands here twice"]);
    }

    #[test]
    fn flags_that_contradict_each_other_are_doubtful() {
        let (read, problems) = told("```sh {name=a readonly=true confirm=true}");
        assert_eq!(problems, ["29 doubtful-attribute a command that changes nothing asks for a typed confirmation"]);
        assert!(read.unwrap().confirm, "what is asked for is done");
        let (read, problems) = told("```sh {name=a confirm=false}");
        assert_eq!(problems, ["15 doubtful-attribute a command that may change something is confirmed all the same"]);
        assert!(read.unwrap().confirm);
        assert!(told("```sh {name=a readonly=true confirm=false}").1.is_empty());
        assert!(told("```sh {name=a confirm=true}").1.is_empty());
    }
}
