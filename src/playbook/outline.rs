//! What stands in a playbook from top to bottom: headings, prose, steps, commands, links. Owns: their order and places. Must not
//! know: what a step or a command says; [`super::parse`] reads that.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::attributes;
use super::parse::MARKDOWN;
use crate::document::Span;

/// How far what stands in a list is moved to the right, for each list around it.
const INDENT: usize = 2;

/// One part of a playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its place.
    pub span: Span,
}

/// What a part of a playbook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// A heading.
    Heading {
        /// 1 for the title, 2 for a phase.
        level: u8,
        /// Its text.
        text: String,
    },
    /// A paragraph, an item of a plain list, or a row of a table.
    Prose {
        /// How far it stands to the right, in columns.
        indent: usize,
        /// Its text; an item begins with its mark.
        text: String,
    },
    /// A block of code that is no command.
    Code(String),
    /// A step, by its number among the steps.
    Step(usize),
    /// A command, by its number among the commands.
    Command(usize),
}

/// A link or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, as it is written.
    pub to: String,
    /// Its place.
    pub span: Span,
}

/// A playbook from top to bottom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its parts.
    pub parts: Vec<Part>,
    /// Its links.
    pub links: Vec<Link>,
    /// Names that its HTML gives to places.
    pub anchors: Vec<String>,
}

impl Outline {
    /// The headings, from top to bottom.
    pub fn headings(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.kind {
            PartKind::Heading { text, .. } => Some(text.as_str()),
            PartKind::Prose { .. } | PartKind::Code(_) | PartKind::Step(_) | PartKind::Command(_) => None,
        })
    }
}

/// Reads the Markdown that begins at byte `offset` of a file.
pub(super) fn read(markdown: &str, offset: usize) -> Outline {
    let mut reader = Reader::default();
    for (event, span) in Parser::new_ext(markdown, MARKDOWN).into_offset_iter() {
        reader.event(event, &(span.start + offset..span.end + offset));
    }
    reader.end_prose();
    // A step begins where its item does, and so do the lines inside of it.
    reader.outline.parts.sort_by_key(|part| part.span.start);
    reader.outline
}

/// An item of a list that is being read.
struct Item {
    /// What stands before its text, until that was written.
    mark: Option<String>,
    is_step: bool,
}

/// What text belongs to.
enum Within {
    Nothing,
    Heading { level: u8, text: String, span: Span },
    Code { text: String, is_command: bool, span: Span },
}

struct Reader {
    outline: Outline,
    within: Within,
    prose: Option<(usize, String, Span)>,
    /// The number of the next item of each list; none in a list without numbers.
    lists: Vec<Option<u64>>,
    items: Vec<Item>,
    quotes: usize,
    links: Vec<String>,
    steps: usize,
    commands: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            outline: Outline::default(),
            within: Within::Nothing,
            prose: None,
            lists: Vec::new(),
            items: Vec::new(),
            quotes: 0,
            links: Vec::new(),
            steps: 0,
            commands: 0,
        }
    }
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: &Span) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::TaskListMarker(_) => {
                if let Some(item) = self.items.last_mut() {
                    item.is_step = true;
                }
                self.put(PartKind::Step(self.steps), span);
                self.steps += 1;
            }
            Event::Text(text) => self.text(&text, span),
            Event::Code(code) => self.text(&format!("`{code}`"), span),
            Event::SoftBreak | Event::HardBreak => self.text(" ", span),
            Event::Html(html) | Event::InlineHtml(html) => self.anchors(&html),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, span: &Span) {
        match tag {
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push(dest_url.to_string());
                self.outline.links.push(Link { to: dest_url.to_string(), span: span.clone() });
                return;
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::TableCell => return,
            _ => self.end_prose(),
        }
        match tag {
            Tag::Heading { level, .. } => {
                self.within = Within::Heading { level: level as u8, text: String::new(), span: span.clone() };
            }
            Tag::CodeBlock(kind) => {
                let is_command = matches!(&kind, CodeBlockKind::Fenced(info) if attributes::split(info).1);
                self.within = Within::Code { text: String::new(), is_command, span: span.clone() };
            }
            Tag::List(first) => self.lists.push(first),
            Tag::Item => {
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    Some(None) | None => "- ".to_owned(),
                };
                self.items.push(Item { mark: Some(mark), is_step: false });
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, span: &Span) {
        match tag {
            TagEnd::Link | TagEnd::Image => {
                let to = self.links.pop().unwrap_or_default();
                // A link that is its own text is not told twice.
                let is_told = self.prose.as_ref().is_some_and(|(_, text, _)| text.ends_with(&to));
                if !is_told && self.prose.is_some() {
                    self.text(&format!(" ({to})"), span);
                }
            }
            TagEnd::TableCell => self.text(" | ", span),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {}
            TagEnd::Heading(_) | TagEnd::CodeBlock => match std::mem::replace(&mut self.within, Within::Nothing) {
                Within::Heading { level, text, span } => self.put(PartKind::Heading { level, text }, &span),
                Within::Code { is_command: true, span, .. } => {
                    self.put(PartKind::Command(self.commands), &span);
                    self.commands += 1;
                }
                Within::Code { text, span, .. } => self.put(PartKind::Code(text), &span),
                Within::Nothing => {}
            },
            TagEnd::List(_) => {
                self.end_prose();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.end_prose();
                self.items.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.end_prose();
                self.quotes = self.quotes.saturating_sub(1);
            }
            _ => self.end_prose(),
        }
    }

    fn text(&mut self, text: &str, place: &Span) {
        match &mut self.within {
            Within::Heading { text: so_far, .. } => return so_far.push_str(text.trim_matches('`')),
            Within::Code { text: so_far, .. } => return so_far.push_str(text),
            Within::Nothing => {}
        }
        // The words of a step are the step's.
        if self.items.last().is_some_and(|item| item.is_step) {
            return;
        }
        let mark = self.items.last_mut().and_then(|item| item.mark.take()).unwrap_or_default();
        let quote = "> ".repeat(self.quotes);
        let indent = self.lists.len().saturating_sub(1) * INDENT;
        let prose = self.prose.get_or_insert_with(|| (indent, format!("{quote}{mark}"), place.clone()));
        prose.1.push_str(text);
    }

    fn end_prose(&mut self) {
        if let Some((indent, text, span)) = self.prose.take().filter(|(_, text, _)| !text.trim().is_empty()) {
            let text = text.trim_end_matches(" | ").to_owned();
            self.put(PartKind::Prose { indent, text }, &span);
        }
    }

    fn put(&mut self, kind: PartKind, span: &Span) {
        self.outline.parts.push(Part { kind, span: span.clone() });
    }

    /// The names that `<a id="…">` and `<a name="…">` give.
    fn anchors(&mut self, html: &str) {
        for (at, _) in html.match_indices('=') {
            let (before, after) = (html.get(..at).unwrap_or_default(), html.get(at + 1..).unwrap_or_default());
            let attribute = before.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            let Some(quote) = after.trim_start().chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let value = after.trim_start().get(1..).and_then(|rest| rest.split_once(quote));
            if let (true, Some((value, _))) = (matches!(attribute, "id" | "name"), value) {
                self.outline.anchors.push(value.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_in_its_order() {
        let markdown = "# Pay `now`\n\nIf it *burns*, see [there](x.md).\n\n> **Do not** wait\n\n## 1. Look\n- [ ] Step\n  - detail\n\n  \
                        ```sh {name=a}\n  x\n  ```\n\n- [ ] Other [link](#1-look)\n\n1. one\n2. two\n\n```\nplain\n```\n| a | b |\n|--|--|\n| c | d |\n\n<a \
                        id=\"here\"></a> <https://example.com>\n";
        let outline = read(markdown, 100);
        let heading = |level, text: &str| PartKind::Heading { level, text: text.to_owned() };
        let prose = |indent, text: &str| PartKind::Prose { indent, text: text.to_owned() };
        let kinds: Vec<PartKind> = outline.parts.iter().map(|part| part.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                heading(1, "Pay now"),
                prose(0, "If it burns, see there (x.md)."),
                prose(0, "> Do not wait"),
                heading(2, "1. Look"),
                PartKind::Step(0),
                prose(2, "- detail"),
                PartKind::Command(0),
                PartKind::Step(1),
                prose(0, "1. one"),
                prose(0, "2. two"),
                PartKind::Code("plain\n".to_owned()),
                prose(0, "a | b"),
                prose(0, "c | d"),
                prose(0, " https://example.com"),
            ]
        );
        let links: Vec<&str> = outline.links.iter().map(|link| link.to.as_str()).collect();
        assert_eq!(links, ["x.md", "#1-look", "https://example.com"]);
        assert_eq!(outline.anchors, ["here"]);
        assert_eq!(outline.headings().collect::<Vec<_>>(), ["Pay now", "1. Look"]);
        assert_eq!(outline.parts.first().map(|part| part.span.start), Some(100));
    }
}
