//! From Markdown to steps and commands. Owns: which parts of Markdown mean something. Must not know: the chips' words.

use std::collections::BTreeMap;
use std::sync::Arc;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::chips::{Chips, is_chip, meant, no_chip};
use super::{FrontMatter, Playbook, PlaybookCommand, PlaybookStep, attributes, outline};
use crate::document::{Decoder, Diagnostic, PROBLEMS_MAX, SourceFile, Span, Tree};
use crate::unit::StepId;

/// The Markdown that is read, besides CommonMark.
pub(super) const MARKDOWN: Options = Options::ENABLE_TASKLISTS.union(Options::ENABLE_TABLES);

/// How many steps a playbook may have; nobody follows more.
const STEPS_MAX: usize = 500;

/// The longest text of a command, in bytes: it is handed to its shell as one argument, of which Linux takes 128 KiB (execve(2)).
const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// How long an id is that is made from a step's words.
const SLUG_CHARS_MAX: usize = 40;

/// Reads a playbook; what is wrong with it is added to `problems`.
pub(super) fn read(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<Playbook> {
    let (tree, body) = Tree::front_matter(source, problems)?;
    let (front, document, found) = Decoder::new(tree).finish::<FrontMatter>();
    problems.extend(found);
    if front.as_ref().is_some_and(|front| front.title.trim().is_empty()) {
        let problem = document.root().key("title").error("empty-value", "the title is empty");
        problems.push(problem.with_help("say in one line what the playbook is for"));
    }
    let mut reader = Reader::new(source);
    let text = source.text().get(body..).unwrap_or_default();
    for (event, span) in Parser::new_ext(text, MARKDOWN).into_offset_iter() {
        reader.event(event, &(span.start + body..span.end + body));
    }
    reader.finish();
    problems.extend(reader.problems.into_iter().take(PROBLEMS_MAX));
    let front = front?;
    Some(Playbook {
        id: front.id,
        kind: front.kind,
        title: front.title,
        owner: front.owner,
        alarms: front.alarms,
        components: front.components,
        ops: front.ops,
        sections: reader.sections,
        steps: reader.steps.into_iter().map(|(step, _)| step).collect(),
        commands: reader.commands.into_iter().map(|(command, _)| command).collect(),
        outline: outline::read(text, body),
        warnings: Vec::new(),
        source: Arc::clone(source),
    })
}

/// An item of a task list that is being read.
#[derive(Default)]
struct Item {
    span: Span,
    text: String,
    chips: Chips,
    /// The chip that stands last, until words follow on it, which is told once.
    last_chip: Option<Span>,
    /// What is nearly a chip, with what was meant, unless words follow on it.
    doubtful: Vec<(Span, String, String)>,
    /// Set when a list inside of the item starts: what follows belongs to that.
    closed: bool,
}

struct Reader<'s> {
    source: &'s Arc<SourceFile>,
    /// The heading that is being read, or was read last.
    heading: Option<String>,
    in_heading: bool,
    /// Within a block of code that is no command: its text is nobody's.
    in_code: bool,
    sections: Vec<String>,
    items: Vec<Option<Item>>,
    steps: Vec<(PlaybookStep, Span)>,
    command: Option<(PlaybookCommand, Span)>,
    commands: Vec<(PlaybookCommand, Span)>,
    problems: Vec<Diagnostic>,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Arc<SourceFile>) -> Self {
        Self {
            source,
            heading: None,
            in_heading: false,
            in_code: false,
            sections: Vec::new(),
            items: Vec::new(),
            steps: Vec::new(),
            command: None,
            commands: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: &Span) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.heading = Some(String::new());
                self.in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => self.in_heading = false,
            Event::Start(Tag::Item) => {
                if let Some(Some(outer)) = self.items.last_mut() {
                    outer.closed = true;
                }
                self.items.push(None);
            }
            Event::TaskListMarker(_) => {
                if let Some(item) = self.items.last_mut() {
                    *item = Some(Item { span: span.clone(), ..Item::default() });
                }
            }
            Event::End(TagEnd::Item) => {
                if let Some(Some(item)) = self.items.pop() {
                    self.step(item);
                }
            }
            Event::End(TagEnd::Paragraph) => self.end_paragraph(),
            Event::Start(Tag::CodeBlock(kind)) => {
                self.in_code = true;
                if let CodeBlockKind::Fenced(info) = kind {
                    self.check_fence(span);
                    self.start_command(&info, span);
                }
            }
            Event::End(TagEnd::CodeBlock) => self.end_code(),
            Event::Code(code) => self.code(&code, span),
            Event::Text(text) => self.text(&text),
            Event::SoftBreak | Event::HardBreak => self.text(" "),
            _ => {}
        }
    }

    fn open_item(&mut self) -> Option<&mut Item> {
        self.items.last_mut().and_then(Option::as_mut).filter(|item| !item.closed)
    }

    fn text(&mut self, text: &str) {
        if let Some((command, _)) = &mut self.command {
            command.text.push_str(text);
        } else if self.in_heading {
            self.heading.get_or_insert_default().push_str(text);
        } else if let (false, Some(item)) = (self.in_code, self.open_item()) {
            item.text.push_str(text);
            if !text.trim().is_empty() {
                item.doubtful.clear();
            }
            if !text.trim().is_empty()
                && let Some(span) = item.last_chip.take()
            {
                let problem = Diagnostic::error(self.source, span, "chip-in-text", "words follow on this chip");
                self.problems.push(problem.with_help("chips stand at the end of a step, with blanks between them"));
            }
        }
    }

    fn code(&mut self, code: &str, span: &Span) {
        if !is_chip(code) || self.in_heading {
            return self.plain_code(code, span);
        }
        let source = self.source;
        let mut problems = std::mem::take(&mut self.problems);
        if let Some(item) = self.open_item() {
            item.chips.take(source, span, code, &mut problems);
            item.last_chip = Some(span.clone());
        }
        self.problems = problems;
    }

    /// Code that is a part of the text; what is nearly a chip, at a step's end, is told.
    fn plain_code(&mut self, code: &str, span: &Span) {
        let meant = meant(code).filter(|_| !self.in_heading);
        match (meant, self.open_item()) {
            (Some(meant), Some(item)) => {
                item.text.push_str(code);
                item.doubtful.push((span.clone(), code.to_owned(), meant));
            }
            _ => self.text(code),
        }
    }

    /// A paragraph of a step is over: what follows in another one is none of its chips' business.
    fn end_paragraph(&mut self) {
        let source = self.source;
        if let Some(item) = self.open_item() {
            item.last_chip = None;
            let doubtful = std::mem::take(&mut item.doubtful);
            self.problems.extend(doubtful.iter().map(|(span, code, meant)| no_chip(source, span, code, meant)));
        }
    }

    fn step(&mut self, item: Item) {
        let source = self.source;
        self.problems.extend(item.doubtful.iter().map(|(span, code, meant)| no_chip(source, span, code, meant)));
        if self.steps.len() >= STEPS_MAX {
            return;
        }
        let section = self.section();
        let text = item.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            let problem = Diagnostic::error(self.source, item.span, "empty-value", "this step says nothing");
            self.problems.push(problem.with_help("write what is to be done"));
            return;
        }
        let (id, span) = match item.chips.id {
            Some(id) => id,
            None => match self.slug(&text) {
                Some(id) => (id, item.span),
                None => {
                    let problem = Diagnostic::error(self.source, item.span, "missing-id", "this step has no id");
                    self.problems.push(problem.with_help("add a chip such as `id:confirm`"));
                    return;
                }
            },
        };
        let Chips { owner, within, must, evidence, needs, .. } = item.chips;
        self.steps.push((PlaybookStep { id, text, section, owner, within, must, evidence, needs }, span));
    }

    /// The heading under which the reader stands; it becomes one of the sections once something stands under it.
    fn section(&mut self) -> Option<String> {
        let heading = self.heading.clone()?;
        if self.sections.last() != Some(&heading) {
            self.sections.push(heading.clone());
        }
        Some(heading)
    }

    /// An id from a step's words: `The alarm is real` becomes `the-alarm-is-real`.
    fn slug(&self, text: &str) -> Option<StepId> {
        let mut slug = String::new();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            if slug.len() + word.len() >= SLUG_CHARS_MAX {
                break;
            }
            if !slug.is_empty() {
                slug.push('-');
            }
            slug.push_str(&word.to_ascii_lowercase());
        }
        let taken = |id: &str| self.steps.iter().any(|(step, _)| step.id.as_str() == id);
        let id =
            (1..=STEPS_MAX).map(|n| if n == 1 { slug.clone() } else { format!("{slug}-{n}") }).find(|id| !taken(id))?;
        id.parse().ok()
    }

    /// A block that is not closed takes in all that follows, steps and commands as well.
    fn check_fence(&mut self, span: &Span) {
        let bare = |line: &str| line.trim_start_matches([' ', '\t', '>']).trim_end().to_owned();
        let mut lines = self.source.slice(span).lines().map(bare);
        let opening = lines.next().unwrap_or_default();
        let mark = opening.chars().next().unwrap_or('`');
        let length = opening.chars().take_while(|character| *character == mark).count();
        let is_fence = |line: &String| line.len() >= length && line.chars().all(|character| character == mark);
        if !lines.next_back().as_ref().is_some_and(is_fence) {
            let line = self.source.line(self.source.position(span.start).line);
            let message = "this block is not closed: all that follows is a part of it";
            let problem = Diagnostic::error(self.source, line, "unclosed-block", message);
            let fence = mark.to_string().repeat(length);
            self.problems.push(problem.with_help(format!("end it by a line of `{fence}` alone")));
        }
    }

    fn start_command(&mut self, info: &str, span: &Span) {
        let (language, true) = attributes::split(info) else { return };
        let line = self.source.line(self.source.position(span.start).line);
        let section = self.section();
        let Some(read) = attributes::read(self.source, &line, &mut self.problems) else { return };
        let command = PlaybookCommand {
            name: read.name,
            language: language.to_owned(),
            text: String::new(),
            section,
            timeout: read.timeout,
            readonly: read.readonly,
            confirm: read.confirm,
            expect: read.expect,
        };
        self.command = Some((command, line));
    }

    fn end_code(&mut self) {
        self.in_code = false;
        let Some((command, span)) = self.command.take() else { return };
        let tell = |code, message: String, help: &str| {
            Diagnostic::error(self.source, span.clone(), code, message).with_help(help)
        };
        if command.text.trim().is_empty() {
            let message = format!("the command `{}` is empty", command.name);
            self.problems.push(tell("empty-value", message, "write what is to be run, or take the block out"));
        } else if command.text.len() > COMMAND_BYTES_MAX {
            let message = format!("the command `{}` has more than {COMMAND_BYTES_MAX} bytes", command.name);
            self.problems.push(tell("too-large", message, "put it into a program of its own, and call that"));
        }
        self.commands.push((command, span));
    }

    /// What can be told only at the end: names that stand twice, and a playbook with nothing to do.
    fn finish(&mut self) {
        // An item ends after the items inside of it, but stands before them.
        self.steps.sort_by_key(|(_, span)| span.start);
        let steps = self.steps.iter().map(|(step, span)| (step.id.as_str(), span));
        let mut problems = twice(self.source, steps, "steps");
        let commands = self.commands.iter().map(|(command, span)| (command.name.as_str(), span));
        problems.extend(twice(self.source, commands, "commands"));
        if self.steps.is_empty() && self.problems.is_empty() {
            let message = "there is no step in this playbook";
            let problem = Diagnostic::warning(self.source, self.source.line(1), "no-steps", message);
            problems.push(problem.with_help("write steps as items of a task list: `- [ ] Look at the alarm`"));
        }
        if self.steps.len() >= STEPS_MAX {
            let message = format!("the playbook has more than {STEPS_MAX} steps");
            problems.push(Diagnostic::error(self.source, self.source.line(1), "too-many-values", message));
        }
        self.problems.extend(problems);
    }
}

fn twice<'n>(
    source: &Arc<SourceFile>,
    names: impl Iterator<Item = (&'n str, &'n Span)>,
    what: &str,
) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&str, &Span> = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, span) in names {
        if let Some(first) = seen.insert(name, span) {
            let message = format!("two of the {what} are called `{name}`");
            problems.push(Diagnostic::error(source, span.clone(), "duplicate-id", message).with_related(
                source,
                first.clone(),
                "the first is here",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{Evidence, PlaybookKind, check};

    fn checked(body: &str) -> Result<Playbook, Vec<String>> {
        let text = format!("---\nid: pb\ntitle: Pay\n---\n{body}");
        check(&Arc::new(SourceFile::new("pb.md", text))).map_err(|problems| {
            problems
                .iter()
                .map(|problem| {
                    let at = problem.source.position(problem.span.start);
                    format!("{}:{} {}", at.line, at.column, problem.message)
                })
                .collect()
        })
    }

    #[test]
    fn chips_and_commands_are_read_with_their_section() {
        let playbook = checked(
            "# Pay\n\n## 1. Confirm\n- [ ] Errors in `payments-fn:live`? **Look** at [it](#x) `id:a` `owner:responder` \
             `within:2m` `must`\n- [x] Orders `evidence:number` `needs:owner`\n- not a step\n\n```sh {name=state timeout=5s \
             readonly=true}\naws x\n```\n\n```sh\nno command\n```\n",
        )
        .unwrap();
        assert_eq!(playbook.kind, PlaybookKind::Playbook);
        assert_eq!(playbook.sections, ["1. Confirm"]);
        let [first, second] = playbook.steps.as_slice() else { panic!("{:?}", playbook.steps) };
        assert_eq!(first.text, "Errors in payments-fn:live? Look at it");
        assert_eq!((first.id.as_str(), first.must, first.within.clone()), ("a", true, Some("2m".parse().unwrap())));
        assert_eq!((second.id.as_str(), second.evidence), ("orders", Some(Evidence::Number)));
        assert_eq!(second.needs.as_ref().map(|needs| needs.as_str()), Some("owner"));
        let [command] = playbook.commands.as_slice() else { panic!("{:?}", playbook.commands) };
        assert_eq!((command.name.as_str(), command.text.as_str(), command.confirm), ("state", "aws x\n", false));
    }

    #[test]
    fn an_item_inside_an_item_is_a_step_of_its_own() {
        let playbook = checked("- [ ] Outer `id:o`\n  - [ ] Inner `must`\n  - plain\n").unwrap();
        let steps: Vec<_> = playbook.steps.iter().map(|step| (step.text.as_str(), step.must)).collect();
        assert_eq!(steps, [("Outer", false), ("Inner", true)]);
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let problems = checked(
            "- [ ] A `id:a` `ownr:x` `within:2`\n- [ ] B `id:a` `evidence:smell` `must:yes` `needs:`\n- [ ] `id:c`\n\n\
             ```sh {timeout=5s}\nx\n```\n```sh {name=a tiemout=1 readonly=maybe}\nx\n```\n",
        );
        assert_eq!(
            problems.unwrap_err(),
            [
                "5:16 no chip is called `ownr`",
                "5:25 `2` has no unit",
                "6:9 two of the steps are called `a`",
                "6:16 `smell` is no kind of evidence",
                "6:33 `must` takes no value",
                "6:44 `needs` needs a value",
                "7:3 this step says nothing",
                "9:1 the command has no name",
                "12:15 no attribute is called `tiemout`",
                "12:25 `maybe` is neither `true` nor `false`",
            ]
        );
    }

    #[test]
    fn what_is_nearly_a_chip_or_stands_in_the_midst_of_words_is_an_error() {
        let problems = checked(
            "- [ ] A `Must` `mst` `must be` `within 5m` `owner=lead`\n- [ ] B `owner:lead` and then words\n\
             - [ ] C `id:k`, `owner:lead`\n- [ ] D with `just` and `owner=x` and `id root` and `a:b`, `mut` `id -u`\n\
             - [ ] E `id:e`\n\n  Why it matters.\n",
        );
        assert_eq!(
            problems.unwrap_err(),
            [
                "5:9 `Must` is no chip",
                "5:16 `mst` is no chip",
                "5:22 `must be` is no chip",
                "5:32 `within 5m` is no chip",
                "5:44 `owner=lead` is no chip",
                "6:9 words follow on this chip",
                "7:9 words follow on this chip",
            ]
        );
    }

    #[test]
    fn a_block_that_is_not_closed_is_told_where_it_begins() {
        let told = |body: &str| checked(body).unwrap_err();
        let unclosed = ["6:1 this block is not closed: all that follows is a part of it"];
        assert_eq!(told("- [ ] a\n```sh {name=open readonly=true}\necho hi\n\n## More\n- [ ] b\n"), unclosed);
        assert_eq!(told("- [ ] a\n~~~~sh {name=open}\necho hi\n~~~\n"), unclosed);
        let closed = "- [ ] a\n  ```sh {name=a}\n  echo\n  ```\n\n> ```sh {name=b}\n> echo\n> ```\n\n````\n```\n````\n";
        assert_eq!(checked(closed).unwrap().commands.len(), 2);
    }

    #[test]
    fn front_matter_is_needed_and_strict() {
        let told = |text: &str| {
            let problems = check(&Arc::new(SourceFile::new("pb.md", text))).unwrap_err();
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert_eq!(told("# No\n"), ["the file does not start with front matter"]);
        assert_eq!(told("---\nid: pb\ntitel: x\n---\n- [ ] a\n"), ["unknown key `titel`"]);
        assert_eq!(told("---\nid: pb\ntitle: ' '\n---\n- [ ] a\n"), ["the title is empty"]);
    }
}
