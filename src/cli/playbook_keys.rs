//! Keys of a terminal, one at a time. Must not know: what they are for.
//!
//! The terminal is taken only while a question is open, and what was typed before the question is thrown away: a key that was meant
//! for something else answers nothing.

use std::io;
use std::os::fd::OwnedFd;

use futures_util::FutureExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::out;

/// The longest line that can be typed, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024;

const INTERRUPT: u8 = 0x03;
const END_OF_TEXT: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];
const ERASE_LINE: u8 = 0x15;
const ESCAPE: u8 = 0x1b;

/// What a person pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Return.
    Enter,
    /// Something that can be written.
    Char(char),
    /// The last character is taken back.
    Backspace,
    /// The line is taken back.
    Clear,
    /// Ctrl-C, Ctrl-D, a terminal that is gone, or a signal that ends this process.
    End,
}

/// Why this process is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP: the process ends.
    Terminate,
}

/// The signals that end what is under way.
pub(super) struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Forgets a Ctrl-C that came while nobody asked: it was meant for what was under way then.
    fn forget_interrupt(&mut self) {
        while let Some(Some(())) = self.interrupt.recv().now_or_never() {}
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.hangup.recv() => Stop::Terminate,
        }
    }
}

/// A terminal that asks.
pub(super) struct Keys {
    input: AsyncFd<OwnedFd>,
    pub(super) stops: Stops,
    /// Whether nothing more will come: the terminal is gone, or this process is to end.
    is_over: bool,
}

impl Keys {
    /// Those of standard input, which must be a terminal.
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` keeps its number for as long as it lives")]
    pub(super) fn new() -> io::Result<Self> {
        let input = rustix::io::dup(rustix::stdio::stdin())?;
        let input = AsyncFd::with_interest(input, Interest::READABLE)?;
        Ok(Self { input, stops: Stops::new()?, is_over: false })
    }

    /// Asks for one key.
    pub(super) async fn key(&mut self, question: &str) -> io::Result<Key> {
        let _taken = Taken::new(self.input.get_ref())?;
        self.stops.forget_interrupt();
        out::part(question);
        let mut bytes = Vec::new();
        loop {
            match read(&self.input, &mut self.stops, &mut self.is_over, &mut bytes).await? {
                None => return Ok(Key::End),
                Some(keys) => {
                    if let Some(key) = keys.first() {
                        return Ok(*key);
                    }
                }
            }
        }
    }

    /// Asks for a line; none where it was broken off.
    pub(super) async fn line(&mut self, question: &str) -> io::Result<Option<String>> {
        let _taken = Taken::new(self.input.get_ref())?;
        self.stops.forget_interrupt();
        out::part(question);
        let (mut bytes, mut line) = (Vec::new(), String::new());
        loop {
            let Some(keys) = read(&self.input, &mut self.stops, &mut self.is_over, &mut bytes).await? else {
                return Ok(None);
            };
            for key in keys {
                match key {
                    Key::Enter => {
                        out::line("");
                        return Ok(Some(line.trim().to_owned()));
                    }
                    Key::End => {
                        out::line("");
                        return Ok(None);
                    }
                    Key::Char(c) => {
                        if line.len() + c.len_utf8() <= LINE_BYTES_MAX {
                            line.push(c);
                            out::part(&c.to_string());
                        }
                    }
                    Key::Backspace => {
                        if let Some(c) = line.pop() {
                            out::part(&rub_out(&c.to_string()));
                        }
                    }
                    Key::Clear => out::part(&rub_out(&std::mem::take(&mut line))),
                }
            }
        }
    }
}

/// The next keys; none where the question is broken off.
async fn read(
    input: &AsyncFd<OwnedFd>,
    stops: &mut Stops,
    is_over: &mut bool,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<Vec<Key>>> {
    if *is_over {
        return Ok(None);
    }
    let mut ready = tokio::select! {
        ready = input.readable() => ready?,
        stop = stops.next() => {
            *is_over = stop == Stop::Terminate;
            return Ok(None);
        }
    };
    // What it was ready for may have been thrown away since, and a read that waits would keep signals waiting too.
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut [PollFd::new(input.get_ref(), PollFlags::IN)], Some(&now))? == 0 {
        ready.clear_ready();
        return Ok(Some(Vec::new()));
    }
    let mut chunk = [0_u8; 1024];
    let count = match rustix::io::read(input.get_ref(), &mut chunk) {
        Ok(count) => count,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(Some(Vec::new())),
        // The other side of the terminal is gone.
        Err(Errno::IO) => 0,
        Err(error) => return Err(error.into()),
    };
    if count == 0 {
        *is_over = true;
        return Ok(None);
    }
    bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    Ok(Some(keys_of(bytes)))
}

/// What takes the last characters of a line from the screen.
fn rub_out(text: &str) -> String {
    "\u{8} \u{8}".repeat(console::measure_text_width(text))
}

/// Takes whole keys out of bytes; the beginning of a character stays.
fn keys_of(bytes: &mut Vec<u8>) -> Vec<Key> {
    // What begins with an escape is a cursor key or the like, which comes in one piece and means nothing here.
    let end = bytes.iter().position(|byte| *byte == ESCAPE).unwrap_or(bytes.len());
    let has_escape = end < bytes.len();
    let head = bytes.get(..end).unwrap_or_default();
    let (text, rest) = match std::str::from_utf8(head) {
        Ok(text) => (text.to_owned(), Vec::new()),
        Err(error) => {
            let (good, rest) = head.split_at(error.valid_up_to());
            let text = String::from_utf8_lossy(good).into_owned();
            // What can never become a character is dropped.
            (text, if error.error_len().is_none() { rest.to_vec() } else { Vec::new() })
        }
    };
    *bytes = if has_escape { Vec::new() } else { rest };
    text.chars().filter_map(key_of).collect()
}

fn key_of(c: char) -> Option<Key> {
    match u8::try_from(c) {
        Ok(b'\r' | b'\n') => Some(Key::Enter),
        Ok(INTERRUPT | END_OF_TEXT) => Some(Key::End),
        Ok(byte) if BACKSPACE.contains(&byte) => Some(Key::Backspace),
        Ok(ERASE_LINE) => Some(Key::Clear),
        Ok(_) | Err(_) => (!c.is_control()).then_some(Key::Char(c)),
    }
}

/// A terminal that gives every key at once and shows none, until this is dropped.
struct Taken<'f> {
    terminal: &'f OwnedFd,
    before: Termios,
}

impl<'f> Taken<'f> {
    fn new(terminal: &'f OwnedFd) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Now, &now)?;
        let taken = Self { terminal, before };
        tcflush(terminal, QueueSelector::IFlush)?;
        Ok(taken)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing given back.
        tcsetattr(self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> (Vec<Key>, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        (keys_of(&mut bytes), bytes)
    }

    #[test]
    fn bytes_become_keys() {
        assert_eq!(keys(b"y\r").0, [Key::Char('y'), Key::Enter]);
        assert_eq!(keys(b"\x7f\x15\x03\x04").0, [Key::Backspace, Key::Clear, Key::End, Key::End]);
        assert_eq!(keys(b"\x1b[Aq").0, [], "a cursor key is no answer");
        assert_eq!(keys(b"a\x00\x07").0, [Key::Char('a')]);
        let (first, mut rest) = keys("ä".as_bytes().split_at(1).0);
        assert_eq!(first, []);
        rest.extend_from_slice("ä".as_bytes().split_at(1).1);
        assert_eq!(keys(&rest), (vec![Key::Char('ä')], Vec::new()), "a character in two parts is one");
        assert_eq!(keys(b"\xff\xfe"), (Vec::new(), Vec::new()));
    }
}
