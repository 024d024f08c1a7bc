//! Keys from the bytes that a terminal sends. What is not understood is left out.

/// The longest sequence that is waited for, in bytes; a longer one is no key.
const SEQUENCE_BYTES_MAX: usize = 64;
/// The longest text that can be pasted, in bytes; of a longer one the beginning is taken.
const PASTE_BYTES_MAX: usize = 4_096;
const PASTE_END: &[u8] = b"\x1b[201~";

/// What was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    /// A letter together with the control key.
    Control(char),
    /// A text that was pasted: it is not typed, and no key of it counts.
    Paste(String),
}

/// Bytes become keys.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    /// The text that is being pasted.
    paste: Option<Vec<u8>>,
}

/// What the beginning of the pending bytes is.
enum Parsed {
    /// So many bytes are a key, or nothing that is known.
    Key(usize, Option<Key>),
    PasteBegins(usize),
    /// There is more to come.
    Incomplete,
}

impl Decoder {
    /// Whether it waits for more: an escape alone is a key, and the beginning of others.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        loop {
            if self.paste.is_some() {
                match self.pasted() {
                    Some(key) => keys.push(key),
                    None => break,
                }
                continue;
            }
            match parse(&self.pending) {
                Parsed::Key(length, key) => {
                    self.pending.drain(..length);
                    keys.extend(key);
                }
                Parsed::PasteBegins(length) => {
                    self.pending.drain(..length);
                    self.paste = Some(Vec::new());
                }
                Parsed::Incomplete => break,
            }
        }
        keys
    }

    /// Nothing more came for a while: what waits is what it is.
    pub(super) fn flush(&mut self) -> Vec<Key> {
        if self.paste.is_some() {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.pending);
        if waiting == [0x1b] { vec![Key::Escape] } else { Vec::new() }
    }

    fn pasted(&mut self) -> Option<Key> {
        let paste = self.paste.as_mut()?;
        let end = memchr::memmem::find(&self.pending, PASTE_END);
        // Its end may be cut in two.
        let length = end.unwrap_or_else(|| self.pending.len().saturating_sub(PASTE_END.len() - 1));
        let room = PASTE_BYTES_MAX.saturating_sub(paste.len());
        paste.extend(self.pending.drain(..length).take(room));
        end?;
        self.pending.drain(..PASTE_END.len());
        self.paste.take().map(|text| Key::Paste(String::from_utf8_lossy(&text).into_owned()))
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    match bytes {
        [] | [0x1b] => Parsed::Incomplete,
        [0x1b, b'[' | b'O', rest @ ..] => parse_sequence(rest),
        // A key with Alt, which none of ours has; two escapes are one.
        [0x1b, 0x1b, ..] => Parsed::Key(1, Some(Key::Escape)),
        [0x1b, _, ..] => Parsed::Key(2, None),
        [b'\r' | b'\n', ..] => Parsed::Key(1, Some(Key::Enter)),
        [b'\t', ..] => Parsed::Key(1, Some(Key::Tab)),
        [0x7f | 0x08, ..] => Parsed::Key(1, Some(Key::Backspace)),
        [control @ 1..=0x1a, ..] => Parsed::Key(1, Some(Key::Control(char::from(control - 1 + b'a')))),
        [0 | 0x1c..=0x1f, ..] => Parsed::Key(1, None),
        [first, ..] => {
            let length = match first {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 1,
            };
            let Some(character) = bytes.get(..length) else {
                // What follows may not be a part of it.
                let is_broken = bytes.iter().skip(1).any(|byte| byte & 0xc0 != 0x80);
                return if is_broken { Parsed::Key(1, None) } else { Parsed::Incomplete };
            };
            match std::str::from_utf8(character).ok().and_then(|text| text.chars().next()) {
                Some(c) => Parsed::Key(length, Some(Key::Char(c))),
                None => Parsed::Key(1, None),
            }
        }
    }
}

/// What stands behind `ESC [` or `ESC O`: numbers, and a byte that ends it.
fn parse_sequence(rest: &[u8]) -> Parsed {
    let Some(end) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
        return if rest.len() > SEQUENCE_BYTES_MAX { Parsed::Key(rest.len() + 2, None) } else { Parsed::Incomplete };
    };
    let (numbers, last) = (rest.get(..end).unwrap_or_default(), rest.get(end).copied().unwrap_or_default());
    let first = numbers.split(|byte| *byte == b';').next().unwrap_or_default();
    let key = match (last, first) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'M', []) => Some(Key::Enter),
        (b'~', b"3") => Some(Key::Delete),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        (b'~', b"200") => return Parsed::PasteBegins(end + 3),
        _ => None,
    };
    Parsed::Key(end + 3, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        let mut keys = decoder.push(bytes);
        keys.extend(decoder.flush());
        keys
    }

    #[test]
    fn bytes_become_keys() {
        assert_eq!(keys("dü支👍".as_bytes()), ['d', 'ü', '支', '👍'].map(Key::Char));
        assert_eq!(keys(b"\r\x7f\t\x0c"), [Key::Enter, Key::Backspace, Key::Tab, Key::Control('l')]);
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[D"), [Key::Up, Key::Down, Key::Right, Key::Left]);
        assert_eq!(keys(b"\x1b[3~\x1b[H\x1b[4~\x1b[5~"), [Key::Delete, Key::Home, Key::End, Key::PageUp]);
    }

    #[test]
    fn an_escape_alone_is_a_key_once_nothing_follows() {
        let mut decoder = Decoder::default();
        assert!(decoder.push(b"\x1b").is_empty());
        assert!(decoder.is_waiting());
        assert_eq!(decoder.flush(), [Key::Escape]);
        assert!(decoder.push(b"\x1b").is_empty());
        assert_eq!(decoder.push(b"[A"), [Key::Up]);
    }

    #[test]
    fn a_key_with_alt_and_a_sequence_that_nobody_knows_are_no_keys() {
        assert_eq!(keys(b"\x1bx\x1b[99;99Rq"), [Key::Char('q')]);
    }

    #[test]
    fn what_is_pasted_is_one_text_and_no_keys_however_it_is_cut() {
        let bytes = "\x1b[200~x abort\r支\x1b[201~d".as_bytes();
        let pasted = [Key::Paste("x abort\r支".to_owned()), Key::Char('d')];
        assert_eq!(keys(bytes), pasted);
        let mut decoder = Decoder::default();
        let one_by_one: Vec<Key> = bytes.iter().flat_map(|byte| decoder.push(&[*byte])).collect();
        assert_eq!(one_by_one, pasted);
    }

    #[test]
    fn whatever_comes_nothing_is_kept_without_end() {
        let mut decoder = Decoder::default();
        decoder.push(b"\x1b[200~");
        for _ in 0..1_000 {
            decoder.push(&[b'x'; 1_000]);
        }
        assert!(decoder.pending.len() < 10);
        assert_eq!(decoder.push(PASTE_END), [Key::Paste("x".repeat(PASTE_BYTES_MAX))]);
        decoder.push(b"\x1b[");
        (0..1_000).for_each(|_| drop(decoder.push(b"0")));
        assert!(decoder.pending.len() <= SEQUENCE_BYTES_MAX + 2);
    }

    proptest::proptest! {
        #[test]
        fn bytes_cut_anywhere_are_the_same_keys(bytes: Vec<u8>, at in 0_usize..64) {
            let mut whole = Decoder::default();
            let mut all = whole.push(&bytes);
            all.extend(whole.flush());
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            let mut cut = Decoder::default();
            let mut keys = cut.push(first);
            keys.extend(cut.push(second));
            keys.extend(cut.flush());
            proptest::prop_assert_eq!(keys, all);
        }
    }
}
