//! What a kind of fault says about itself, and what it objects to in its own parameters.

/// What `gameday explain faults` and `docs/faults.md` say of a kind, each a few words without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What callers see.
    pub effect: &'static str,
    /// The calls that undo it.
    pub undo: &'static str,
    /// How much of the traffic it touches.
    pub blast_radius: &'static str,
}

/// The calls of a fault, as IAM names them. What undoes it never needs more than what injects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Of the look at the target, the change, and reading it back.
    pub inject: &'static [&'static str],
    /// Of the undo.
    pub undo: &'static [&'static str],
}

/// A parameter that has no effect, or that AWS would not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The keys and places in lists that lead to it from the fault's parameters; none is the fault as a whole.
    pub path: Vec<Step>,
    /// Whether it is the key that is wrong, and not its value.
    pub is_about_key: bool,
    /// What kind of problem it is: `out-of-range`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// One step of a path into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// A place in a list, from 0.
    Item(usize),
}

impl Objection {
    /// A value of a parameter that AWS would not take.
    pub(super) fn value(key: &str, code: &'static str, message: String, help: &str) -> Self {
        let path = vec![Step::Key(key.to_owned())];
        Self { path, is_about_key: false, code, message, help: Some(help.to_owned()) }
    }

    /// A fault that would change nothing.
    pub(super) fn nothing(help: &str) -> Self {
        let message = "it would change nothing".to_owned();
        Self { path: Vec::new(), is_about_key: true, code: "missing-key", message, help: Some(help.to_owned()) }
    }

    /// A value that lies outside of what AWS takes.
    pub(super) fn out_of<T: std::fmt::Display + PartialOrd>(
        key: &str,
        value: T,
        range: &std::ops::RangeInclusive<T>,
        source: &str,
    ) -> Option<Self> {
        let message = format!("{source} takes no `{key}` of {value}");
        let help = format!("write a number from {} to {}", range.start(), range.end());
        (!range.contains(&value)).then(|| Self::value(key, "out-of-range", message, &help))
    }
}
