//! The terminal itself: taken over and always given back.
//!
//! In the run's own cockpit Ctrl-C and Ctrl-Z stay with the kernel: they become signals as they do without a cockpit, also when nobody
//! reads the keys any more.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdin};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};

use super::draw::SIZE_MIN;

/// The alternate screen, no cursor, pasted texts told apart, an empty screen.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m\x1b[2J\x1b[H";
/// All of that back.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// How often whoever restores looks whether a frame is still being written.
const LOCK_LOOKS_MAX: usize = 20;
/// How long between two looks, in nanoseconds.
const LOCK_LOOK_NANOS: i64 = 10_000_000;

/// Whose terminal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The process that runs the game day: a Ctrl-Z goes to it as a signal.
    Run,
    /// A process that only looks: a Ctrl-Z suspends it.
    Viewer,
}

/// Whether the cockpit can be shown: standard input and error are one terminal that can do more than print, large enough, and
/// this process is in its foreground.
#[must_use]
pub fn is_possible() -> bool {
    let is_dumb = std::env::var("TERM").map_or(true, |term| term.is_empty() || term == "dumb");
    let (columns, rows) = SIZE_MIN;
    let is_large = || size().is_some_and(|(width, height)| width >= columns && height >= rows);
    !is_dumb && isatty(stdin()) && isatty(stderr()) && is_foreground() && is_large()
}

/// Whether this process is in the terminal's foreground.
pub(super) fn is_foreground() -> bool {
    // A terminal that is not ours by a session says nothing about who is in front.
    tcgetpgrp(stdin()).map_or(true, |group| group == rustix::process::getpgrp())
}

/// Columns and rows of the terminal.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

#[derive(Debug)]
struct Shared {
    /// The modes before.
    before: Termios,
    owner: Owner,
    is_taken: AtomicBool,
    /// Whether it was given back for good: it is not taken again.
    is_over: AtomicBool,
    /// Held while something is written, and while the terminal is taken or given back.
    writing: Mutex<()>,
}

/// Gives the terminal back, from any thread, once.
#[derive(Debug, Clone)]
pub struct Restorer(Arc<Shared>);

impl Restorer {
    /// Gives the terminal back for good; does nothing more where it is not taken.
    pub fn restore(&self) {
        // Whoever is about to take it again sees this, or has taken it before it is given back below.
        self.0.is_over.store(true, Ordering::SeqCst);
        self.lend();
    }

    /// Gives the terminal back until it is entered again.
    pub(super) fn lend(&self) {
        let guard = self.wait_for_writer();
        if self.0.is_taken.swap(false, Ordering::SeqCst) {
            if takes_more() {
                write_all(LEAVE).ok();
            }
            tcsetattr(stdin(), OptionalActions::Now, &self.0.before).ok();
        }
        drop(guard);
    }

    /// A frame that is being written goes first; a terminal that takes nothing more is not waited for.
    fn wait_for_writer(&self) -> Option<MutexGuard<'_, ()>> {
        for _ in 0..LOCK_LOOKS_MAX {
            match self.0.writing.try_lock() {
                Ok(held) => return Some(held),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: LOCK_LOOK_NANOS })).ok();
                }
            }
        }
        None
    }

    /// Whether the terminal is still taken.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.is_taken.load(Ordering::SeqCst) && !self.is_over()
    }

    /// Whether the terminal was given back for good.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::SeqCst)
    }
}

/// Whether the terminal takes something without a wait.
fn takes_more() -> bool {
    let error = stderr();
    let mut ready = [PollFd::new(&error, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0)
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stderr(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The terminal while it is taken; dropping it gives it back.
#[derive(Debug)]
pub struct Screen(Restorer);

impl Screen {
    /// Takes the terminal over. A panic in any thread gives it back before it is told.
    ///
    /// # Errors
    /// It is no terminal, or went away.
    pub fn take(owner: Owner) -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let (is_taken, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Shared { before, owner, is_taken, is_over, writing: Mutex::new(()) };
        let screen = Self(Restorer(Arc::new(shared)));
        let former = std::panic::take_hook();
        let restorer = screen.restorer();
        std::panic::set_hook(Box::new(move |panic| {
            restorer.restore();
            former(panic);
        }));
        if screen.enter()? { Ok(screen) } else { Err(io::Error::other("another program has the terminal")) }
    }

    /// What gives the terminal back from elsewhere.
    #[must_use]
    pub fn restorer(&self) -> Restorer {
        self.0.clone()
    }

    /// Takes the terminal, also again after it was lent. Answers whether it has: not while another program is in front, and never
    /// once it was given back for good, since nobody would give it back again.
    pub(super) fn enter(&self) -> io::Result<bool> {
        let shared = &self.0.0;
        let mut modes = shared.before.clone();
        modes.make_raw();
        match shared.owner {
            // Ctrl-C and Ctrl-Z stay signals; one that ends the process at once would leave the terminal as it is now.
            Owner::Run => {
                modes.local_modes |= LocalModes::ISIG;
                modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
            }
            // They are keys.
            Owner::Viewer => {}
        }
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        let _guard = shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.is_over() || !is_foreground() {
            return Ok(false);
        }
        shared.is_taken.store(true, Ordering::SeqCst);
        tcsetattr(stdin(), OptionalActions::Now, &modes)?;
        write_all(ENTER)?;
        Ok(true)
    }

    /// What frames are drawn to.
    pub(super) fn terminal(&self, (columns, rows): (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Frames>>> {
        let frames = Frames { restorer: self.restorer(), bytes: Vec::new() };
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        Terminal::with_options(CrosstermBackend::new(frames), TerminalOptions { viewport })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.restore();
    }
}

/// What is drawn, written a whole frame at a time, and not at all once the terminal was given back.
#[derive(Debug)]
pub(super) struct Frames {
    restorer: Restorer,
    bytes: Vec<u8>,
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let guard = self.restorer.0.writing.lock().map_err(|_| io::Error::other("a thread that wrote has panicked"))?;
        let written = if self.restorer.is_taken() { write_all(&self.bytes) } else { Ok(()) };
        drop(guard);
        self.bytes.clear();
        written
    }
}
