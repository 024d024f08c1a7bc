//! A playbook as text for a terminal, 80 columns wide. Must not know: where it is printed, what was done of it.

use console::style;

use crate::playbook::{Evidence, Part, PartKind, Playbook, PlaybookCommand, PlaybookKind, PlaybookStep};
use crate::unit::{format_duration, printable};

/// How wide a line may be, in columns.
const COLUMNS: usize = 79;

/// How far what belongs to a step stands to the right.
const BELOW_STEP: usize = 6;

/// The title, and what it is for.
pub(super) fn head(playbook: &Playbook) -> Vec<String> {
    let kind = match playbook.kind {
        PlaybookKind::Playbook => "playbook",
        PlaybookKind::Runbook => "runbook",
    };
    let mut lines = wrap(&printable(&playbook.title), 0, 0)
        .into_iter()
        .map(|line| style(line).bold().to_string())
        .collect::<Vec<_>>();
    let mut facts = vec![format!("{kind} {}", playbook.id)];
    facts.extend(playbook.owner.as_ref().map(|owner| format!("kept by {owner}")));
    let list = |what: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    facts.extend(list("alarms", playbook.alarms.iter().map(|alarm| alarm.as_str()).collect()));
    facts.extend(list("components", playbook.components.iter().map(|component| component.as_str()).collect()));
    facts.extend(list("answers", playbook.ops.iter().map(String::as_str).collect()));
    for fact in facts {
        lines.extend(wrap(&printable(&fact), 2, 4));
    }
    lines
}

/// One part of a playbook.
pub(super) fn part(playbook: &Playbook, part: &Part) -> Vec<String> {
    match &part.kind {
        // The title is told already.
        PartKind::Heading { level: 1, text } if *text == playbook.title => Vec::new(),
        PartKind::Heading { level, text } => {
            let mark = if *level <= 2 { "== " } else { "-- " };
            let lines = wrap(&format!("{mark}{}", printable(text)), 0, 3);
            let bold = lines.into_iter().map(|line| style(line).bold().to_string());
            std::iter::once(String::new()).chain(bold).collect()
        }
        PartKind::Prose { indent, text } => prose(text, *indent),
        PartKind::Code(text) => code(text),
        PartKind::Step(number) => {
            playbook.steps.get(*number).map(|step| self::step(playbook, step, part)).unwrap_or_default()
        }
        PartKind::Command(number) => playbook.commands.get(*number).map(command).unwrap_or_default(),
    }
}

/// A paragraph, or an item, which hangs by its mark; what stands below a step stands to the right.
fn prose(text: &str, indent: usize) -> Vec<String> {
    let bare = text.trim_start_matches("> ");
    let is_item =
        bare.starts_with("- ") || bare.split_once(". ").is_some_and(|(number, _)| number.parse::<u64>().is_ok());
    let column = if indent == 0 { 0 } else { BELOW_STEP + indent - 2 };
    let quote = text.len() - bare.len();
    let lines = wrap(&printable(text), column, column + quote + if is_item { 2 } else { 0 });
    if column == 0 && !is_item { std::iter::once(String::new()).chain(lines).collect() } else { lines }
}

fn step(playbook: &Playbook, step: &PlaybookStep, part: &Part) -> Vec<String> {
    let mut lines = vec![String::new()];
    let text = printable(&step.text);
    lines.extend(wrap(&format!("[ ] {text}"), 2, BELOW_STEP));
    let mut words = chips(step);
    words.push(format!("`{}`", step.id));
    lines.extend(wrap(&words.join(", "), BELOW_STEP, BELOW_STEP).into_iter().map(|line| style(line).dim().to_string()));
    // Its links stand on the lines that it stands on.
    let line_of = |at: usize| playbook.source.position(at).line;
    let end = playbook.outline.parts.iter().map(|other| other.span.start).find(|start| *start > part.span.start);
    let inside = |at: usize| {
        at > part.span.start && end.is_none_or(|end| at < end) && line_of(at) - line_of(part.span.start) < 10
    };
    for link in playbook.outline.links.iter().filter(|link| inside(link.span.start)) {
        lines.push(format!("{:BELOW_STEP$}-> {}", "", printable(&link.to)));
    }
    lines
}

/// What the chips of a step say, in words.
pub(super) fn chips(step: &PlaybookStep) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(step.must.then(|| "must be done".to_owned()));
    words.extend(step.owner.as_ref().map(|owner| format!("by {owner}")));
    words.extend(step.within.as_ref().map(|within| format!("within {within}")));
    words.extend(step.needs.as_ref().map(|role| format!("needs the word of {role}")));
    words.extend(step.evidence.map(|evidence| format!("note {}", evidence.in_words())));
    words
}

/// A command with what is known of it.
pub(super) fn command(command: &PlaybookCommand) -> Vec<String> {
    let mut lines = vec![String::new()];
    let effect = if command.readonly {
        style("changes nothing".to_owned()).green()
    } else {
        style("MAY CHANGE SOMETHING: its name is typed before it runs".to_owned()).yellow().bold()
    };
    let shell = command.shell().map_or_else(|| "nothing here runs it".to_owned(), |shell| shell.program().to_owned());
    let timeout = format_duration(command.timeout);
    lines.push(format!("      $ {}  {effect}", style(printable(&command.name)).bold()));
    let mut facts = vec![format!("{shell}, up to {timeout}")];
    facts.extend(command.expect.as_ref().map(|expect| format!("expects /{}/", printable(expect))));
    lines.extend(
        wrap(&facts.join(", "), BELOW_STEP + 2, BELOW_STEP + 2).into_iter().map(|line| style(line).dim().to_string()),
    );
    lines.extend(code(&command.text));
    lines
}

/// Code as it is: a line that is too long is not wrapped, since it would be another command.
fn code(text: &str) -> Vec<String> {
    let column = BELOW_STEP + 2;
    text.lines().flat_map(pieces).map(|line| format!("{:column$}{line}", "")).collect()
}

/// A line of any length, safe for a terminal; [`printable`] cuts what is longer than any of these.
pub(super) fn pieces(line: &str) -> Vec<String> {
    const PIECE_CHARS: usize = 500;
    let characters: Vec<char> = line.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    let safe = |piece: &[char]| {
        let text: String = piece.iter().collect();
        text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
    };
    characters.chunks(PIECE_CHARS).map(safe).collect()
}

/// Text in lines of at most 79 columns: the first begins at one column, the others at another. A word that is too long stays whole.
pub(super) fn wrap(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let width = console::measure_text_width(&line) + usize::from(!is_empty) + console::measure_text_width(word);
        if !is_empty && width > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(others)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    if !is_empty {
        lines.push(line);
    }
    lines
}

/// What is asked for as evidence.
pub(super) fn wanted(evidence: Evidence) -> String {
    format!("{}: ", evidence.in_words())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;
    use crate::playbook::check;

    fn shown(text: &str) -> Vec<String> {
        let playbook = check(&Arc::new(SourceFile::new("pb.md", text))).unwrap();
        let parts = playbook.outline.parts.iter().flat_map(|it| part(&playbook, it));
        let lines: Vec<String> = head(&playbook).into_iter().chain(parts).collect();
        lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect()
    }

    #[test]
    fn a_playbook_is_read_at_eighty_columns_with_its_chips_in_words() {
        let text = "---\nid: pb\ntitle: Payments\nowner: team-shop\nalarms: [slow]\n---\n# Payments\n\nFirst of all, breathe.\n\n> - **Do not** run in the dark, however much of a hurry you believe that you are in at the moment.\n\n## 1. Look\n\
                    - [ ] Say \"I am on it\" in the channel where everybody reads it, and nowhere else, [now](#1-look) `id:claim` \
                    `owner:responder` `within:2m` `must` `needs:lead` `evidence:number`\n  - a detail\n\n```sh {name=state readonly=true \
                    expect=OK}\naws x\n```\n```bash {name=back timeout=1m}\nfalse\n```\n";
        let lines = shown(text);
        let expected = [
            "Payments",
            "  playbook pb",
            "  kept by team-shop",
            "  alarms slow",
            "",
            "First of all, breathe.",
            "> - Do not run in the dark, however much of a hurry you believe that you are in",
            "    at the moment.",
            "",
            "== 1. Look",
            "",
            "  [ ] Say \"I am on it\" in the channel where everybody reads it, and nowhere",
            "      else, now",
            "      must be done, by responder, within 2m, needs the word of lead, note a",
            "      number, `claim`",
            "      -> #1-look",
            "      - a detail",
            "",
            "      $ state  changes nothing",
            "        sh, up to 30s, expects /OK/",
            "        aws x",
            "",
            "      $ back  MAY CHANGE SOMETHING: its name is typed before it runs",
            "        bash, up to 1m",
            "        false",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn nothing_of_a_playbook_moves_the_cursor() {
        let text = "---\nid: pb\ntitle: \"x\\u001b[2J\"\n---\n## \u{1b}[31m red\n- [ ] a\u{9b}2J \u{202e}b\n\n\u{7}prose\n\n```sh {name=a \
                    expect=\u{1b}x}\n\u{1b}]0;title\u{7}\n```\n\n```\n\u{1b}c\n```\n";
        for line in shown_raw(text) {
            assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        }
    }

    fn shown_raw(text: &str) -> Vec<String> {
        let playbook = check(&Arc::new(SourceFile::new("pb.md", text))).unwrap();
        let parts = playbook.outline.parts.iter().flat_map(|it| part(&playbook, it));
        head(&playbook).into_iter().chain(parts).collect()
    }

    #[test]
    fn a_long_line_of_code_is_whole_and_safe() {
        let line = "x".repeat(1_200) + "\u{1b}\ty";
        let pieces = pieces(&line);
        assert_eq!(pieces.concat(), "x".repeat(1_200) + "\\u{1b}\ty");
        assert_eq!(wrap("a b", 2, 2), ["  a b"]);
        assert_eq!(wrap(&"w".repeat(90), 0, 0).len(), 1);
        assert!(wrap("", 2, 2).is_empty());
    }
}
