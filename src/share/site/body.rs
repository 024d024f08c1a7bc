//! A lesson's Markdown as HTML: nothing of it is HTML by itself, and its links lead where links may lead.

use std::collections::BTreeSet;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html};

use super::link::{is_relative, is_safe};
use crate::report::printable_character;
use crate::unit::{Redaction, redact_text};

/// What there is to be linked to.
#[derive(Debug)]
pub(super) struct Names<'n> {
    /// The lessons that have a page.
    pub(super) lessons: BTreeSet<&'n str>,
    /// The actions that are on their page.
    pub(super) actions: BTreeSet<&'n str>,
    /// Where the lessons' own folder is.
    pub(super) sources: &'n str,
    /// What is blacked out of what is shown.
    pub(super) redactions: &'n [Redaction],
}

impl Names<'_> {
    /// The place of a lesson or an action, from a lesson's page.
    fn place(&self, id: &str) -> Option<String> {
        if self.lessons.contains(id) {
            return Some(format!("{id}.html"));
        }
        self.actions.contains(id).then(|| format!("../actions.html#{id}"))
    }

    /// Where a link of the text leads from the lesson's page; none where it may lead nowhere.
    fn target(&self, place: &str) -> Option<String> {
        if !is_safe(place) {
            return None;
        }
        if !is_relative(place) {
            return Some(place.to_owned());
        }
        let (path, part) = place.split_at(place.find('#').unwrap_or(place.len()));
        let file = path.rsplit('/').next().unwrap_or_default();
        let id = file.strip_suffix(".md").or_else(|| file.strip_suffix(".yaml"));
        // An action has a part of a page to itself.
        let with_part = |own: String| if own.contains('#') { own } else { format!("{own}{part}") };
        let own = id.and_then(|id| self.place(id)).map(with_part);
        Some(own.unwrap_or_else(|| format!("{}/{place}", self.sources)))
    }
}

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// What a text says. Texts that stand beside each other are one, so that nothing in them is overseen; what is HTML is text.
fn read(text: &str) -> impl Iterator<Item = Event<'_>> {
    let as_text = |event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        other => other,
    };
    TextMergeStream::new(Parser::new_ext(text, options()).map(as_text))
}

/// What is read with all words and places blacked out: what stands in the file may be written so that only here it is what it is.
fn redacted<'t>(event: Event<'t>, redactions: &[Redaction]) -> Event<'t> {
    let clean = |words: &CowStr<'_>| CowStr::from(redact_text(words, redactions));
    match event {
        Event::Text(words) => Event::Text(clean(&words)),
        Event::Code(words) => Event::Code(clean(&words)),
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(name))) => {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(clean(&name))))
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: clean(&dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: clean(&dest_url), title, id })
        }
        other => other,
    }
}

/// The text of a lesson as HTML.
pub(super) fn html_of(text: &str, names: &Names<'_>) -> String {
    let text: String = text.chars().map(printable_character).collect();
    let mut events = Vec::new();
    // Of each link that is open, whether it leads anywhere.
    let mut links: Vec<bool> = Vec::new();
    let mut is_code = false;
    for event in read(&text).map(|event| redacted(event, names.redactions)) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                // Nothing is loaded: a picture becomes a link to it.
                let target = names.target(&dest_url).filter(|_| !links.contains(&true));
                links.push(target.is_some());
                events.extend(target.map(opened));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                events.extend(links.pop().filter(|leads| *leads).map(|_| Event::End(TagEnd::Link)));
            }
            Event::Text(words) if !is_code && !links.contains(&true) => events.extend(linked(&words, names)),
            Event::Start(Tag::CodeBlock(_)) => {
                is_code = true;
                events.push(event);
            }
            Event::End(TagEnd::CodeBlock) => {
                is_code = false;
                events.push(event);
            }
            other => events.push(other),
        }
    }
    let mut written = String::new();
    html::push_html(&mut written, events.into_iter());
    written
}

fn opened(target: String) -> Event<'static> {
    let (dest_url, title, id) = (CowStr::from(target), CowStr::from(""), CowStr::from(""));
    Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, title, id })
}

/// Words in which the ids of lessons and actions become links.
fn linked(words: &str, names: &Names<'_>) -> Vec<Event<'static>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut events = Vec::new();
    let mut plain = String::new();
    let mut rest = words;
    while let Some(first) = rest.chars().next() {
        let kind = is_part(first);
        let (piece, after) = rest.split_at(rest.find(|c| is_part(c) != kind).unwrap_or(rest.len()));
        rest = after;
        let Some(place) = names.place(piece) else {
            plain.push_str(piece);
            continue;
        };
        events.push(Event::Text(std::mem::take(&mut plain).into()));
        events.extend([opened(place), Event::Text(piece.to_owned().into()), Event::End(TagEnd::Link)]);
    }
    events.push(Event::Text(plain.into()));
    events
}

/// The words of a lesson's text without its mark-up.
pub(super) fn plain_text(text: &str, redactions: &[Redaction]) -> String {
    let mut plain = String::new();
    for event in read(text).map(|event| redacted(event, redactions)) {
        match event {
            Event::Text(words) | Event::Code(words) => plain.push_str(&words),
            Event::SoftBreak | Event::HardBreak | Event::Start(_) => plain.push(' '),
            // What is no text is not searched.
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        shown_without(text, &[])
    }

    fn shown_without(text: &str, redactions: &[Redaction]) -> String {
        let (lessons, actions) = (["L-2026-001"].into(), ["A-2026-031"].into());
        html_of(text, &Names { lessons, actions, sources: "../../lessons", redactions }).trim().to_owned()
    }

    #[test]
    fn what_is_blacked_out_is_what_is_shown() {
        let shown = |text: &str| shown_without(text, &Redaction::ALL);
        for text in ["maria@example.com", "maria&#64;example.com", "maria\\@example.com", "`maria@example.com`"] {
            let html = shown(text);
            assert!(html.contains("[e-mail]") && !html.contains("maria"), "{text}: {html}");
        }
        assert_eq!(shown("1111&#50;2223333 *x*"), "<p>[account] <em>x</em></p>");
        assert_eq!(shown("In 111122223333 and 111122224444."), "<p>In [account] and [account].</p>");
        assert!(!shown("[a](https://b.c/111122223333) <mailto:maria@example.com>").contains("1111"));
        assert!(!shown("```maria@example.com\n111122223333\n```").contains("maria"));
        assert!(!plain_text("maria&#64;example.com", &Redaction::ALL).contains("maria"));
    }

    #[test]
    fn html_is_shown_and_not_obeyed() {
        assert_eq!(shown("<b onclick=x>a</b>"), "<p>&lt;b onclick=x&gt;a&lt;/b&gt;</p>");
        assert!(!shown("<script>\nalert(1)\n</script>\n").contains("<script"));
        assert!(!shown("<!-- a -->\n\n<style>*{}</style>").contains("<s"));
        assert_eq!(shown("`</code><script>`"), "<p><code>&lt;/code&gt;&lt;script&gt;</code></p>");
        assert!(!shown("```x\" onload=\"y\n<b>\n```").contains("onload=\"y"));
    }

    #[test]
    fn links_lead_where_they_may_and_pictures_are_links() {
        assert_eq!(shown("[a](javascript:x)"), "<p>a</p>");
        assert_eq!(shown("[a](<java&#10;script:x>)"), "<p>a</p>");
        assert_eq!(shown("<javascript:x>"), "<p>javascript:x</p>");
        assert_eq!(shown("[a](https://b.c \"t\")"), "<p><a href=\"https://b.c\">a</a></p>");
        assert_eq!(shown("![a](https://b.c/x.png)"), "<p><a href=\"https://b.c/x.png\">a</a></p>");
        assert_eq!(shown("[![a](x.png)](javascript:y)"), "<p><a href=\"../../lessons/x.png\">a</a></p>");
        assert_eq!(shown("[a](../playbooks/p.md)"), "<p><a href=\"../../lessons/../playbooks/p.md\">a</a></p>");
        assert_eq!(shown("[a](L-2026-001.md)"), "<p><a href=\"L-2026-001.html\">a</a></p>");
        assert_eq!(shown("[a](L-2026-001.md#part)"), "<p><a href=\"L-2026-001.html#part\">a</a></p>");
        assert_eq!(shown("[a](../actions/A-2026-031.yaml#x)"), "<p><a href=\"../actions.html#A-2026-031\">a</a></p>");
        assert_eq!(shown("[a](other.md#x)"), "<p><a href=\"../../lessons/other.md#x\">a</a></p>");
    }

    #[test]
    fn ids_become_links() {
        assert_eq!(
            shown("See L-2026-001, (A-2026-031), XL-2026-001 and `L-2026-001`."),
            "<p>See <a href=\"L-2026-001.html\">L-2026-001</a>, (<a href=\"../actions.html#A-2026-031\">A-2026-031</a>), \
             XL-2026-001 and <code>L-2026-001</code>.</p>"
        );
        assert_eq!(shown("[L-2026-001](https://b.c)"), "<p><a href=\"https://b.c\">L-2026-001</a></p>");
        assert_eq!(plain_text("**a** `b`\nc", &[]).trim(), "a b c");
    }
}
