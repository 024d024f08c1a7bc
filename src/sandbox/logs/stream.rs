//! One execution environment's log stream: bytes come in, lines go out.

use std::sync::Arc;

use super::Logs;

/// The longest event, in bytes; a longer line becomes several. Source: AWS, CloudWatch Logs quotas: 1 MB an event; Lambda cuts its
/// lines at 256 KB.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// Where one process's lines go.
#[derive(Debug)]
pub(in crate::sandbox) struct LogStream {
    logs: Arc<Logs>,
    group: Arc<str>,
    stream: Arc<str>,
    /// A line that has not ended yet.
    partial: Vec<u8>,
}

impl LogStream {
    /// The stream `name` of a group; nothing is in it before the first line.
    pub(in crate::sandbox) fn new(logs: Arc<Logs>, group: &str, name: &str) -> Self {
        Self { logs, group: group.into(), stream: name.into(), partial: Vec::new() }
    }

    /// What the process printed.
    pub(in crate::sandbox) fn print(&mut self, bytes: &[u8]) {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(EVENT_BYTES_MAX) {
                if self.partial.len() + part.len() > EVENT_BYTES_MAX {
                    lines.extend(self.take_partial());
                }
                self.partial.extend_from_slice(part);
            }
            if piece.ends_with(b"\n") {
                lines.extend(self.take_partial());
            }
        }
        if !lines.is_empty() {
            self.logs.append(&self.group, &self.stream, lines);
        }
    }

    /// A line of Lambda's own. A line of the process's that has not ended stands before it, as far as it goes.
    pub(in crate::sandbox) fn note(&mut self, line: &str) {
        let lines = self.take_partial().into_iter().chain([line.to_owned()]);
        self.logs.append(&self.group, &self.stream, lines);
    }

    /// The begun line as text; none where it is empty, as empty lines are no events.
    fn take_partial(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        if let Some(line) = self.take_partial() {
            self.logs.append(&self.group, &self.stream, [line]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::everything;
    use super::*;
    use crate::unit::Clock;

    fn lines(logs: &Logs) -> Vec<String> {
        let (page, _) = logs.page(everything("g")).unwrap();
        page.iter().map(|event| event.message.to_string()).collect()
    }

    #[test]
    fn lines_are_put_together_and_lambdas_own_stand_behind_what_was_begun() {
        let logs = Arc::new(Logs::new("us-east-1", "000000000000", Clock::start()));
        let mut stream = LogStream::new(Arc::clone(&logs), "g", "s");
        stream.note("START");
        stream.print(b"hel");
        stream.print(b"lo\r\n\nhalf");
        stream.note("END");
        stream.print(b"\xff left");
        drop(stream);
        assert_eq!(lines(&logs), ["START", "hello", "half", "END", "\u{fffd} left"]);
    }

    #[test]
    fn a_line_without_an_end_does_not_grow_for_ever() {
        let logs = Arc::new(Logs::new("us-east-1", "000000000000", Clock::start()));
        let mut stream = LogStream::new(Arc::clone(&logs), "g", "s");
        for _ in 0..5 {
            stream.print(&vec![b'x'; 100 * 1024]);
        }
        stream.print(&vec![b'y'; EVENT_BYTES_MAX * 2]);
        assert!(stream.partial.len() <= EVENT_BYTES_MAX);
        drop(stream);
        let lines = lines(&logs);
        assert!(lines.iter().all(|line| line.len() <= EVENT_BYTES_MAX));
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), 500 * 1024 + EVENT_BYTES_MAX * 2);
    }
}
