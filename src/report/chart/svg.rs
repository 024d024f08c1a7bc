//! A small SVG writer: elements with escaped attributes and text, numbers with one decimal.

use std::fmt::Write as _;

/// Text that grows by whole elements.
#[derive(Debug, Default)]
pub(super) struct Svg {
    text: String,
}

/// An element's attributes, in order.
#[derive(Debug)]
pub(super) struct Element<'a> {
    svg: &'a mut Svg,
}

impl Svg {
    /// Begins an element; one of [`Element`]'s endings must follow.
    pub(super) fn element(&mut self, name: &str, class: &str) -> Element<'_> {
        self.text.push('<');
        self.text.push_str(name);
        Element { svg: self }.attribute("class", class)
    }

    /// Ends an element that [`Element::open`] left open.
    pub(super) fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }

    /// Appends whole elements.
    pub(super) fn append(&mut self, other: &Svg) {
        self.text.push_str(&other.text);
    }

    /// A filled rectangle; a width below half a pixel is drawn as half a pixel, so that nothing vanishes.
    pub(super) fn rectangle(&mut self, class: &str, [x, y, width, height]: [f64; 4]) {
        self.element("rect", class)
            .number("x", x)
            .number("y", y)
            .number("width", width.max(0.5))
            .number("height", height.max(0.0))
            .empty();
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.element("line", class).number("x1", x1).number("y1", y1).number("x2", x2).number("y2", y2).empty();
    }

    /// A path in SVG's own notation.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        self.element("path", class).attribute("d", path).empty();
    }

    /// One line of text; `anchor` is `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: &str, text: &str) {
        self.element("text", class).number("x", x).number("y", y).attribute("text-anchor", anchor).text("text", text);
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Element<'_> {
    pub(super) fn attribute(self, name: &str, value: &str) -> Self {
        self.svg.text.push(' ');
        self.svg.text.push_str(name);
        self.svg.text.push_str("=\"");
        escape_into(&mut self.svg.text, value);
        self.svg.text.push('"');
        self
    }

    pub(super) fn number(self, name: &str, value: f64) -> Self {
        let text = number(value);
        self.attribute(name, &text)
    }

    pub(super) fn empty(self) {
        self.svg.text.push_str("/>\n");
    }

    pub(super) fn open(self) {
        self.svg.text.push_str(">\n");
    }

    pub(super) fn text(self, name: &str, text: &str) {
        self.svg.text.push('>');
        escape_into(&mut self.svg.text, text);
        self.svg.close(name);
    }
}

/// A coordinate with at most one decimal, which keeps the file small and the same on every machine.
pub(super) fn number(value: f64) -> String {
    let mut text = format!("{value:.1}");
    if let Some(whole) = text.strip_suffix(".0") {
        text.truncate(whole.len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// Appends a point to a path: `M` starts a line, `L` goes on.
pub(super) fn point_into(path: &mut String, command: char, x: f64, y: f64) {
    write!(path, "{command}{} {}", number(x), number(y)).expect("invariant: writing to a string does not fail");
}

fn escape_into(text: &mut String, raw: &str) {
    for character in raw.chars().map(crate::report::text::printable) {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\n' | '\r' | '\t' => text.push(' '),
            _ => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_leave_their_place() {
        let mut svg = Svg::default();
        svg.element("text", "a\"b").text("text", "</text><script>\u{0}&\u{202e}");
        let text = svg.into_text();
        assert_eq!(text, "<text class=\"a&quot;b\">&lt;/text&gt;&lt;script&gt;\u{fffd}&amp;\u{fffd}</text>\n");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(number(12.04), "12");
        assert_eq!(number(-0.01), "0");
        assert_eq!(number(1.25), "1.2");
    }
}
