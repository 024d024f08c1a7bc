//! The thread that reads keys. It ends with its receiver, and when the terminal goes away.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use tokio::sync::mpsc;

use super::input::{Decoder, Key};
use super::screen::is_foreground;

/// How long an escape waits for what may follow it, and how often is looked whether anybody still listens, in nanoseconds.
const WAIT_NANOS: i64 = 50_000_000;
/// How many keys may wait; more than a person types while a frame is drawn.
const KEYS_WAITING_MAX: usize = 256;
const READ_BYTES: usize = 1_024;

/// The keys that are pressed from now on.
pub(super) fn listen() -> std::io::Result<mpsc::Receiver<Key>> {
    let (sender, receiver) = mpsc::channel(KEYS_WAITING_MAX);
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&sender))?;
    Ok(receiver)
}

fn read(sender: &mpsc::Sender<Key>) {
    let mut decoder = Decoder::default();
    let mut bytes = [0; READ_BYTES];
    while !sender.is_closed() {
        let input = stdin();
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: WAIT_NANOS };
        let keys = match poll(&mut ready, Some(&wait)) {
            Ok(0) if decoder.is_waiting() => decoder.flush(),
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            // Another program's keys; the kernel would stop this one for reading them.
            Ok(_) if !is_foreground() => {
                poll(&mut [], Some(&wait)).ok();
                continue;
            }
            Ok(_) => match rustix::io::read(stdin(), &mut bytes) {
                Ok(0) => return,
                Ok(count) => decoder.push(bytes.get(..count).unwrap_or_default()),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                Err(_) => return,
            },
            Err(_) => return,
        };
        for key in keys {
            // Keys that nobody takes for so long were not meant for what will be on the screen by then.
            if let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(key) {
                return;
            }
        }
    }
}
