//! Sections of a column: each a title and items, of which as many are shown as there is room for, and the title says how many.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::look::{bold, dim};
use super::text::row;

/// A part of a column.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What the title says beside its name.
    pub(super) note: String,
    /// Each item with its lines.
    pub(super) items: Vec<Vec<Line<'static>>>,
    /// The item that must be in sight.
    pub(super) focus: usize,
    /// Whether it is shown from its end on: the newest last.
    pub(super) from_end: bool,
}

impl Section {
    fn height(&self) -> usize {
        1 + self.items.iter().map(Vec::len).sum::<usize>()
    }

    /// Its title and its first item.
    fn height_min(&self) -> usize {
        1 + self.items.first().map_or(0, Vec::len)
    }

    /// The items that fit into `room` lines: from which on, and how many.
    fn window(&self, room: usize) -> (usize, usize) {
        let lines = |from: usize, count: usize| self.items.iter().skip(from).take(count).map(Vec::len).sum::<usize>();
        let mut from = if self.from_end { self.items.len() } else { 0 };
        while self.from_end && from > 0 && lines(from - 1, self.items.len()) <= room {
            from -= 1;
        }
        while from < self.focus && lines(from, self.focus + 1 - from) > room {
            from += 1;
        }
        let mut count = 0;
        while from + count < self.items.len() && lines(from, count + 1) <= room {
            count += 1;
        }
        (from, count)
    }

    /// Draws it into all of `area`.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        if height == 0 || width == 0 {
            return;
        }
        let (mut from, mut count) = self.window(height - 1);
        // An item that is higher than all the room is shown as far as there is any.
        if count == 0 && height > 1 && !self.items.is_empty() {
            (from, count) = (self.focus.min(self.items.len() - 1), 1);
        }
        let note = match (count < self.items.len(), self.from_end, count) {
            (false, ..) | (true, true, _) => self.note.clone(),
            (true, false, 0) => format!("{} · {} not shown", self.note, self.items.len()),
            (true, false, 1) => format!("{} · {} of {} shown", self.note, from + 1, self.items.len()),
            (true, false, _) => format!("{} · {}–{} of {} shown", self.note, from + 1, from + count, self.items.len()),
        };
        let note = note.trim_start_matches(" · ").to_owned();
        let rule = |note: &str| {
            let used = super::text::width(self.title) + super::text::width(note) + 2;
            "─".repeat(width.saturating_sub(used))
        };
        let rule = Span::styled(format!(" {}", rule(&note)), dim());
        let title = row(vec![Span::styled(self.title, bold()), rule], vec![Span::styled(note, dim())], width);
        let lines = self.items.iter().skip(from).take(count).flatten();
        for (line, y) in std::iter::once(&title).chain(lines).zip(area.top()..area.bottom()) {
            buffer.set_line(area.left(), y, line, area.width);
        }
    }
}

/// How many lines each section gets of `room`: first all of them their least, the first ones first, then what they want.
pub(super) fn share_out(sections: &[Section], room: usize) -> Vec<usize> {
    let mut left = room;
    let mut heights: Vec<usize> = sections
        .iter()
        .map(|section| {
            // A title alone says at least how many there are.
            let height = if left >= section.height_min() { section.height_min() } else { left.min(1) };
            left -= height;
            height
        })
        .collect();
    for (section, height) in sections.iter().zip(&mut heights) {
        let more = section.height().saturating_sub(*height).min(left);
        *height += more;
        left -= more;
    }
    heights
}

/// Draws sections below each other.
pub(super) fn draw_column(sections: &[Section], area: Rect, buffer: &mut Buffer) {
    let mut y = area.top();
    for (section, height) in sections.iter().zip(share_out(sections, usize::from(area.height))) {
        let height = u16::try_from(height).unwrap_or(u16::MAX);
        section.draw(Rect { y, height, ..area }, buffer);
        y += height;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(items: usize, height: usize) -> Section {
        let item = |at: usize| (0..height).map(|row| Line::from(format!("item {at}.{row}"))).collect();
        Section { title: "things", items: (0..items).map(item).collect(), ..Section::default() }
    }

    fn drawn(section: &Section, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, 32, height);
        let mut buffer = Buffer::empty(area);
        section.draw(area, &mut buffer);
        let rows = buffer.content.chunks(32);
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn every_section_gets_its_least_before_one_gets_all_it_wants() {
        assert_eq!(share_out(&[section(3, 2), section(2, 1)], 9), [7, 2]);
        assert_eq!(share_out(&[section(3, 2), section(2, 1)], 6), [4, 2]);
        assert_eq!(share_out(&[section(3, 2), section(2, 1)], 100), [7, 3]);
        assert_eq!(share_out(&[section(3, 2), section(2, 1), section(1, 1)], 6), [3, 2, 1]);
        assert_eq!(share_out(&[section(3, 2), section(2, 1)], 0), [0, 0]);
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert_eq!(drawn(&section(5, 1), 4)[0], "things ────────── 1–3 of 5 shown");
        let focused = Section { focus: 4, ..section(5, 1) };
        assert_eq!(drawn(&focused, 4)[3], "item 4.0");
        assert_eq!(drawn(&focused, 1), ["things ───────────── 5 not shown"]);
        assert_eq!(drawn(&section(2, 1), 4)[0], format!("things {}", "─".repeat(24)));
        assert_eq!(drawn(&section(2, 5), 4)[0], "things ──────────── 1 of 2 shown");
    }

    #[test]
    fn the_newest_stands_last() {
        let log = Section { from_end: true, ..section(9, 1) };
        assert_eq!(drawn(&log, 4)[1..], ["item 6.0", "item 7.0", "item 8.0"]);
    }
}
