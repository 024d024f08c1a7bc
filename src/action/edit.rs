//! What is written into the file of an action later: how it ended, and where it is tracked. Nothing else of the file is touched.

use std::sync::Arc;

use super::{Action, Record, Status, check};
use crate::document::{Edit, EditError, SourceFile, Tree};
use crate::unit::Date;

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// It was done.
    Done {
        /// On which day.
        on: Date,
        /// What there is to say of it.
        why: Option<String>,
    },
    /// It will not be done.
    Dropped {
        /// Why.
        why: String,
    },
}

/// What is written into an action's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// How it ended.
    Close(Closing),
    /// Where it is tracked.
    Track(String),
}

/// Why an action was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It ended before.
    #[error("`{id}` is {} already, and is left as it is", status.as_str())]
    Closed {
        /// Its id.
        id: String,
        /// How it ended.
        status: Status,
    },
    /// It would have been done before it was written.
    #[error("`{id}` was written on {created}, and can not have been done on {on}, before that; give a later day")]
    TooEarly {
        /// Its id.
        id: String,
        /// When it was written.
        created: Date,
        /// When it is said to have been done.
        on: Date,
    },
    /// Its file is not written in the usual way, or would not be right afterwards.
    #[error(
        "`{file}` is not written a key a line, or would not be right then, and is left as it is: set {keys} by hand"
    )]
    Form {
        /// The file.
        file: String,
        /// Which keys were to be set.
        keys: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Writes a change into an action's file; what the file says then.
///
/// # Errors
/// See [`ChangeError`].
pub fn change(action: &Action, change: &Change) -> Result<Record, ChangeError> {
    let record = &action.record;
    if let (Change::Close(_), true) = (change, record.status.is_closed()) {
        return Err(ChangeError::Closed { id: record.id.to_string(), status: record.status });
    }
    if let (Change::Close(Closing::Done { on, .. }), Some(created)) = (change, record.created)
        && *on < created
    {
        return Err(ChangeError::TooEarly { id: record.id.to_string(), created, on: *on });
    }
    let (expected, keys) = changed(record, change);
    let names = || keys.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let form = || ChangeError::Form { file: action.path.display().to_string(), keys: names() };
    let source = &action.source;
    let tree = Tree::parse(source, &mut Vec::new()).ok_or_else(form)?;
    let pairs: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let edit = Edit::keys(&tree, source.text().len(), &pairs);
    let rewritten = check(&Arc::new(SourceFile::new(source.name(), edit.text())), &action.path);
    if rewritten.map_or(true, |rewritten| rewritten.record != expected) {
        return Err(form());
    }
    edit.write(&action.path)?;
    Ok(expected)
}

/// What the file says after a change, and the keys that say it.
fn changed(record: &Record, change: &Change) -> (Record, Vec<(&'static str, String)>) {
    let mut after = record.clone();
    let mut keys = Vec::new();
    match change {
        Change::Close(Closing::Done { on, why }) => {
            after.status = Status::Done;
            after.done_on = Some(*on);
            keys.extend([("status", Status::Done.as_str().to_owned()), ("done_on", on.to_string())]);
            if let Some(why) = why {
                after.why = Some(why.clone());
                keys.push(("why", quoted(why)));
            }
        }
        Change::Close(Closing::Dropped { why }) => {
            after.status = Status::Dropped;
            after.why = Some(why.clone());
            keys.extend([("status", Status::Dropped.as_str().to_owned()), ("why", quoted(why))]);
        }
        Change::Track(url) => {
            after.tracker = Some(url.clone());
            keys.push(("tracker", quoted(url)));
        }
    }
    (after, keys)
}

/// A text as YAML writes it on one line.
fn quoted(text: &str) -> String {
    let plain = serde_yaml::to_string(text).unwrap_or_default();
    match plain.trim_end() {
        // Double quotes of JSON are those of YAML.
        lines if lines.contains('\n') => serde_json::Value::from(text).to_string(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::load;

    const TEXT: &str = "# An action.\r\nid: A-1\r\ntext: 'Ä: slow' # kept\r\ntype: detect  # prevent | detect\r\nowner: shop\r\n\
                        due: 2026-12-01\r\nstatus: \"open\"  # open | done | dropped\r\n";

    fn written(text: &str, wanted: &Change) -> (Result<Record, ChangeError>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("A-1.yaml");
        std::fs::write(&path, text).unwrap();
        let Ok(action) = load(&path) else { panic!("{text} is an action") };
        (change(&action, wanted), std::fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn only_what_says_how_it_ended_is_touched() {
        let on = "2026-11-28".parse().unwrap();
        let (after, text) = written(TEXT, &Change::Close(Closing::Done { on, why: None }));
        assert_eq!(text, TEXT.replace("\"open\"", "done") + "done_on: 2026-11-28\r\n");
        assert_eq!(after.unwrap().status, Status::Done);
        for why in ["It is gone: \"all\" of it # really", "no", "- ü\\", "{a: b}", "'"] {
            let (after, text) = written(TEXT, &Change::Close(Closing::Dropped { why: why.to_owned() }));
            assert_eq!(after.unwrap().why.as_deref(), Some(why), "{text}");
        }
        let (after, text) = written(TEXT, &Change::Track("https://a.b/issues/1#x".to_owned()));
        assert_eq!(text, format!("{TEXT}tracker: https://a.b/issues/1#x\r\n"));
        assert_eq!(after.unwrap().status, Status::Open);
    }

    #[test]
    fn nothing_was_done_before_it_was_written() {
        let text = format!("{TEXT}created: 2026-03-10\r\n");
        let on = "2026-03-09".parse().unwrap();
        let (after, left) = written(&text, &Change::Close(Closing::Done { on, why: None }));
        assert!(after.unwrap_err().to_string().contains("was written on 2026-03-10") && left == text);
    }

    #[test]
    fn what_ended_or_is_written_in_another_way_is_left_alone() {
        let on = "2026-11-28".parse().unwrap();
        let close = Change::Close(Closing::Done { on, why: None });
        let closed = TEXT.replace("\"open\"", "done");
        let (after, text) = written(&closed, &close);
        assert!(matches!(after, Err(ChangeError::Closed { .. })) && text == closed);
        let flow = "{id: A-1, text: t, type: detect, owner: shop, due: 2026-12-01}\n";
        let (after, text) = written(flow, &close);
        assert!(matches!(after, Err(ChangeError::Form { .. })) && text == flow, "{after:?}");
        let (after, text) = written(TEXT, &Change::Close(Closing::Dropped { why: "a\nb".to_owned() }));
        assert!(matches!(after, Err(ChangeError::Form { .. })) && text == TEXT, "of two lines");
    }
}
