//! A line that is typed: text with a cursor.

use super::input::Key;

/// How long a line may be, in bytes: it goes into one line of the log.
const LINE_BYTES_MAX: usize = 2_000;

/// The text and where the cursor stands, in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Editor {
    text: Vec<char>,
    cursor: usize,
}

impl Editor {
    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text before the cursor, and that behind it.
    pub(super) fn parts(&self) -> (String, String) {
        let (before, behind) = self.text.split_at(self.cursor.min(self.text.len()));
        (before.iter().collect(), behind.iter().collect())
    }

    pub(super) fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.cursor = self.text.len();
    }

    fn insert(&mut self, c: char) {
        let bytes: usize = self.text.iter().map(|c| c.len_utf8()).sum();
        if !c.is_control() && bytes + c.len_utf8() <= LINE_BYTES_MAX {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// Takes in a key; answers whether it is one of those that edit.
    pub(super) fn key(&mut self, key: &Key) -> bool {
        match key {
            Key::Char(c) => self.insert(*c),
            Key::Paste(text) => {
                let line = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
                line.for_each(|c| self.insert(c));
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.text.len() => drop(self.text.remove(self.cursor)),
            Key::Backspace | Key::Delete => {}
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home | Key::Control('a') => self.cursor = 0,
            Key::End | Key::Control('e') => self.cursor = self.text.len(),
            Key::Control('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Control('k') => self.text.truncate(self.cursor),
            Key::Control('w') => self.delete_word(),
            Key::Enter
            | Key::Escape
            | Key::Tab
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::Control(_) => return false,
        }
        true
    }

    fn delete_word(&mut self) {
        let end = self.cursor;
        while self.cursor > 0 && self.text.get(self.cursor - 1).is_some_and(|c| c.is_whitespace()) {
            self.cursor -= 1;
        }
        while self.cursor > 0 && self.text.get(self.cursor - 1).is_some_and(|c| !c.is_whitespace()) {
            self.cursor -= 1;
        }
        self.text.drain(self.cursor..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> Editor {
        let mut editor = Editor::default();
        for key in keys {
            assert!(editor.key(key), "{key:?}");
        }
        editor
    }

    fn text(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn a_line_is_edited_in_its_middle() {
        let mut keys = text("grün ist gut");
        keys.extend([Key::Home, Key::Delete, Key::Char('G'), Key::End, Key::Left, Key::Backspace, Key::Char('ü')]);
        let editor = typed(&keys);
        assert_eq!(editor.parts(), ("Grün ist gü".to_owned(), "t".to_owned()));
    }

    #[test]
    fn words_and_ends_are_deleted() {
        let mut editor = typed(&text("one two  three"));
        editor.key(&Key::Control('w'));
        assert_eq!(editor.text(), "one two  ");
        editor.key(&Key::Control('w'));
        assert_eq!(editor.text(), "one ");
        editor.key(&Key::Left);
        editor.key(&Key::Control('k'));
        assert_eq!(editor.text(), "one");
        editor.key(&Key::Control('u'));
        assert!(editor.is_empty());
        assert!(editor.key(&Key::Backspace) && editor.key(&Key::Delete) && editor.key(&Key::Left));
    }

    #[test]
    fn what_is_pasted_becomes_one_line_without_control_characters() {
        let editor = typed(&[Key::Paste("one\r\ntwo\u{1b}[2J".to_owned())]);
        assert_eq!(editor.text(), "one  two[2J");
    }

    #[test]
    fn a_line_has_an_end() {
        let editor = typed(&[Key::Paste("ü".repeat(5_000))]);
        assert_eq!(editor.text().len(), LINE_BYTES_MAX);
    }
}
