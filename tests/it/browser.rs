//! Real browsers, driven by a script in Node that asks for things and is answered.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::page;
use crate::support::{repository, tell_skipped};

/// A script of `tests/peers/node`. What it says is JSON, one value a line: things that it asks for, and at the end what it saw.
pub(crate) struct Browser {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Browser {
    /// Chromium and Node with what `make node-peers` installs, or none, said so.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let folder = repository().join("tests/peers/node");
        let node = std::env::var_os("GAMEDAY_TEST_NODE").filter(|node| !node.is_empty());
        let has_driver = folder.join("node_modules/playwright-core").is_dir();
        let (Some(chromium), Some(node), true) = (page::program(), node, has_driver) else {
            tell_skipped("browsers: they need Chromium and GAMEDAY_TEST_NODE (`make test` has both)");
            return None;
        };
        let mut command = Command::new(node);
        command.arg(folder.join(script)).arg(chromium).args(arguments).current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Self { child, lines })
    }

    /// The next thing that the script says.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the script says something").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the script says: {line}"))
    }

    /// Says that what it asked for is so.
    pub(crate) fn answer(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"done\n").unwrap();
    }

    /// Waits until the script is over.
    pub(crate) fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}
