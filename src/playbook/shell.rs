//! The shells that run commands, and whether a text is a command of theirs: they are asked, and run nothing. Must not know: playbooks.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::unit::process::kill_group;

/// How long a shell may look at a text.
const PARSE_WAIT: Duration = Duration::from_secs(5);

/// How much of what a shell says of a text is read, in bytes.
const SAID_BYTES_MAX: u64 = 16 * 1024;

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shell {
    /// The one that every system has.
    Sh,
    /// Bash.
    Bash,
    /// Z shell.
    Zsh,
}

/// The languages of blocks, and what runs them.
const LANGUAGES: [(&str, Shell); 4] =
    [("sh", Shell::Sh), ("shell", Shell::Sh), ("bash", Shell::Bash), ("zsh", Shell::Zsh)];

/// What a shell says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    /// It is a command.
    Fine,
    /// It is none.
    Wrong {
        /// The line, from 1.
        line: usize,
        /// What is wrong, in the shell's words.
        what: String,
    },
    /// There is no such shell here.
    NoShell,
    /// It did not answer, and why.
    NoAnswer(String),
}

impl Shell {
    /// The shell for a block's language.
    #[must_use]
    pub fn of(language: &str) -> Option<Self> {
        LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, shell)| *shell)
    }

    /// Every language that something runs.
    pub fn languages() -> impl Iterator<Item = &'static str> {
        LANGUAGES.iter().map(|(name, _)| *name)
    }

    /// The program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Bash => "bash",
            Self::Zsh => "zsh",
        }
    }

    /// Asks the shell whether a text of at most 64 KiB, which a pipe holds, is a command: `-n` reads, and runs nothing.
    pub(super) fn parse(self, text: &str) -> Parsed {
        match self.ask(text) {
            Ok(parsed) => parsed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Parsed::NoShell,
            Err(error) => Parsed::NoAnswer(error.to_string()),
        }
    }

    fn ask(self, text: &str) -> io::Result<Parsed> {
        let mut command = Command::new(self.program());
        // What a shell reads first, such as `$BASH_ENV`, is no part of the text.
        command.arg("-n").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = pipes.process_group(0).spawn()?;
        let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A shell that has seen enough may close its end before everything is written.
            stdin.write_all(text.as_bytes()).ok();
        }
        let wait = Timespec::try_from(PARSE_WAIT).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let is_over = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&wait)).is_ok_and(|ready| ready > 0);
        if !is_over {
            kill_group(child.id());
        }
        let status = child.wait()?;
        let mut said = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            stderr.take(SAID_BYTES_MAX).read_to_end(&mut said)?;
        }
        if !is_over {
            return Ok(Parsed::NoAnswer(format!("`{} -n` did not end within {PARSE_WAIT:?}", self.program())));
        }
        Ok(if status.success() { Parsed::Fine } else { wrong(&String::from_utf8_lossy(&said)) })
    }
}

/// What stands in `sh: 3: Syntax error: end of file unexpected` and `bash: line 3: syntax error near unexpected token`.
fn wrong(said: &str) -> Parsed {
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says no more");
    let mut parts = first.split(':').map(str::trim);
    let number = |part: &str| part.trim_start_matches("line ").parse::<usize>().ok();
    let line = parts.by_ref().find_map(number);
    let what = parts.collect::<Vec<_>>().join(": ");
    match line {
        Some(line) if !what.is_empty() => Parsed::Wrong { line: line.max(1), what },
        Some(_) | None => Parsed::Wrong { line: 1, what: first.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_says_what_is_no_command_and_runs_nothing() {
        assert_eq!(Shell::Sh.parse("echo \"$A\" | wc -l\n"), Parsed::Fine);
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        assert_eq!(Shell::Sh.parse(&format!("touch {}\n", made.display())), Parsed::Fine);
        assert!(!made.exists(), "it was run");
        let Parsed::Wrong { line, what } = Shell::Sh.parse("true\nif true; then\n  echo )\nfi\n") else {
            panic!("it is no command")
        };
        assert_eq!(line, 3, "{what}");
        assert!(what.to_lowercase().contains("unexpected"), "{what}");
    }

    #[test]
    fn the_line_is_read_from_what_shells_say() {
        let wrong_at = |line, what: &str| Parsed::Wrong { line, what: what.to_owned() };
        assert_eq!(wrong("sh: 3: Syntax error: end of file\n"), wrong_at(3, "Syntax error: end of file"));
        assert_eq!(wrong("bash: line 2: unexpected `)'"), wrong_at(2, "unexpected `)'"));
        assert_eq!(wrong("zsh: parse error"), wrong_at(1, "zsh: parse error"));
        assert_eq!(wrong(""), wrong_at(1, "it says no more"));
    }

    #[test]
    fn languages_lead_to_shells() {
        assert_eq!(
            (Shell::of("shell"), Shell::of("bash"), Shell::of("python")),
            (Some(Shell::Sh), Some(Shell::Bash), None)
        );
    }
}
