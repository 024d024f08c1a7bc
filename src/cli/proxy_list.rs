//! The file of proxies of `gameday proxy --config`: reading it with positions, and following it while it changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::check::print_diagnostics;
use super::{Exit, Failure, out};
use crate::document::{Decoder, Diagnostic, Place, SourceFile, Tree};
use crate::proxy::{EntryProblem, ProxyEntry, ProxyList};
use crate::unit::error_chain;

/// How often the file is looked at.
const LOOK_WAIT: Duration = Duration::from_millis(500);

/// After how many looks a file that is not there is told as gone.
const LOOKS_GONE: u64 = 3;

/// A file of proxies: a list in YAML, or Toxiproxy's configuration in JSON, which is YAML, too. Files that it names are looked
/// for beside it.
#[derive(Debug)]
pub(super) struct ProxyFile {
    path: PathBuf,
    list: ProxyList,
    seen: Option<(SystemTime, u64)>,
}

impl ProxyFile {
    /// Reads the file and makes its proxies.
    pub(super) async fn open(path: PathBuf, list: ProxyList) -> Result<Self, Failure> {
        let mut file = Self { seen: None, path, list };
        file.seen = file.stamp().await;
        let entries = read(&file.path).map_err(|problems| {
            print_diagnostics(&problems);
            Failure::new(Exit::Invalid, format_args!("`{}` is not valid", file.path.display()))
        })?;
        let failed =
            |error| Failure::new(Exit::Invalid, format_args!("`{}`: {}", file.path.display(), error_chain(&error)));
        for proxy in file.list.put(entries).await.map_err(failed)? {
            out::line(format_args!("proxy {proxy}"));
        }
        Ok(file)
    }

    /// Takes over each change of the file, for as long as it is polled. A file that is not valid, or asks for what can not
    /// be, is told, and what was before goes on.
    pub(super) async fn follow(mut self) {
        let mut looks_gone = 0_u64;
        loop {
            tokio::time::sleep(LOOK_WAIT).await;
            let stamp = self.stamp().await;
            if stamp.is_none() {
                // A file that is being replaced may be gone for a moment.
                looks_gone += 1;
                if looks_gone == LOOKS_GONE {
                    out::progress(format_args!("`{}` is gone; what it said before goes on", self.path.display()));
                }
                continue;
            }
            looks_gone = 0;
            if stamp != self.seen {
                self.seen = stamp;
                self.reload().await;
            }
        }
    }

    async fn reload(&mut self) {
        let name = self.path.display();
        let entries = match read(&self.path) {
            Ok(entries) => entries,
            Err(problems) => {
                print_diagnostics(&problems);
                out::progress(format_args!("`{name}` is not valid; what it said before goes on"));
                return;
            }
        };
        match self.list.put(entries).await {
            Ok(proxies) => out::progress(format_args!("`{name}` is taken over: {} proxies", proxies.len())),
            Err(error) => out::progress(format_args!(
                "`{name}` cannot be taken over, what it said before goes on: {}",
                error_chain(&error)
            )),
        }
    }

    /// When the file was last written, and how long it is.
    async fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = tokio::fs::metadata(&self.path).await.ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}

fn read(path: &std::path::Path) -> Result<Vec<ProxyEntry>, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    let mut problems = Vec::new();
    let entries = decode(&source, &mut problems);
    problems.sort_by_key(|problem| problem.span.start);
    let folder = path.parent().unwrap_or_else(|| std::path::Path::new(""));
    let entries = entries.map(|entries| entries.into_iter().map(|entry| entry.in_folder(folder)).collect());
    entries.filter(|_| problems.is_empty()).ok_or(problems)
}

fn decode(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<Vec<ProxyEntry>> {
    let mut decoder = Decoder::new(Tree::parse_list(source, problems)?);
    decoder.list::<ProxyEntry>(&[]);
    let (entries, document, found) = decoder.finish::<Vec<ProxyEntry>>();
    let is_whole = found.is_empty();
    problems.extend(found);
    let entries = entries?;
    // Entries that could not be read are missing from the list, so that places and entries would not match.
    if is_whole {
        problems.extend(check(document.root(), &entries));
    }
    Some(entries)
}

/// The values that are out of range, and names that come twice.
fn check(root: Place<'_>, entries: &[ProxyEntry]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let place = root.item(index);
        problems.extend(entry.problems().into_iter().map(|problem| locate(place, problem)));
        let is_taken = entries.iter().take(index).any(|other| other.name() == entry.name());
        if let Some(name) = entry.name()
            && is_taken
        {
            problems.push(place.key("name").error("duplicate-id", format!("there is a proxy `{name}` already")));
        }
        let of_other = |other: &ProxyEntry| other.fixed_address() == entry.fixed_address();
        if let Some(address) = entry.fixed_address()
            && let Some(other) = entries.iter().take(index).find(|other| of_other(other))
        {
            let message = format!("`{}` listens on `{address}` already", other.name().unwrap_or_default());
            problems.push(place.key("listen").error("duplicate-listen", message));
        }
    }
    problems
}

fn locate(place: Place<'_>, EntryProblem { key, toxic, text }: EntryProblem) -> Diagnostic {
    let place = key.map_or(place, |key| place.key(key));
    toxic.map_or(place, |index| place.item(index)).error("invalid-proxy", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, String)> {
        let source = Arc::new(SourceFile::new("proxies.yaml", text));
        let mut problems = Vec::new();
        decode(&source, &mut problems);
        problems
            .iter()
            .map(|problem| (problem.source.position(problem.span.start).line, problem.message.clone()))
            .collect()
    }

    #[test]
    fn yaml_and_toxiproxys_json_are_read_alike() {
        for text in [
            "- name: db\n  listen: 127.0.0.1:0\n  upstream: localhost:5432\n  enabled: true\n  toxics:\n    \
             - {type: latency, attributes: {latency: 250}}\n",
            r#"[{"name": "db", "listen": "127.0.0.1:0", "upstream": "localhost:5432", "enabled": true}]"#,
        ] {
            assert_eq!(problems(text), []);
        }
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "\
- name: db
  upstream: http://localhost
- name: db
  listen: nowhere
  upstream: localhost:1
  toxics:
    - {type: latency}
    - {type: latencyy}
- upstream: localhost:1
";
        let found = problems(text);
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 8, 3, 9], "{found:?}");
        let unknown = problems("- name: db\n  upstrem: localhost:1\n");
        assert_eq!(unknown.first().map(|(line, _)| *line), Some(2), "{unknown:?}");
    }
}
