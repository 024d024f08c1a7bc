//! A real tmux with a program in it.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Workspace, tell_skipped, wait_for};

/// A server of its own, with one session.
pub(crate) struct Tmux {
    folder: PathBuf,
}

impl Tmux {
    /// Runs a shell's script in a terminal of that size, in the workspace; none, said so, where there is no tmux.
    pub(crate) fn start(workspace: &Workspace, (columns, rows): (u16, u16), script: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            tell_skipped("there is no tmux");
            return None;
        }
        let tmux = Self { folder: workspace.path().to_owned() };
        tmux.tell(&["new-session", "-d", "-x", &columns.to_string(), "-y", &rows.to_string(), script]);
        Some(tmux)
    }

    fn tell(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.join("tmux.sock")).arg("-f").arg("/dev/null").args(arguments);
        command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color").env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.current_dir(&self.folder).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses a key by its name in tmux: `d`, `Down`.
    pub(crate) fn key(&self, key: &str) {
        self.tell(&["send-keys", key]);
    }

    /// Types a text, and Enter.
    pub(crate) fn text(&self, text: &str) {
        self.tell(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tell(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tell(&["capture-pane", "-p"])
    }

    /// Waits until that text is on the screen; all that is there then.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        // What was on the screen instead is worth more than that something was not.
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(text, || Some(self.screen()).filter(|screen| screen.contains(text)))
        }));
        found.unwrap_or_else(|_| panic!("`{text}` does not come; there is:\n{}", self.screen()))
    }
}

impl Drop for Tmux {
    /// Ends the server, and with it what runs in it.
    fn drop(&mut self) {
        self.tell(&["kill-server"]);
    }
}
