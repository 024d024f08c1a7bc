//! The house of ARCHITECTURE.md holds: its table says which room may use which, and the sources do that and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Rooms by name, from the top of the house to its ground, each with the rooms that it may use.
type House = Vec<(String, BTreeSet<String>)>;

/// The table under "The house": `| room | owns | may use |`, where the third column names rooms, or is `all below`.
fn house() -> House {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("\n## The house\n").expect("a section on the house");
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let rows: Vec<(String, String)> = section
        .lines()
        .filter_map(|line| {
            let [_, room, _, may_use, _] = line.split('|').map(str::trim).collect::<Vec<_>>().try_into().ok()?;
            let room = room.strip_prefix('`')?.strip_suffix("/`")?;
            let room = room.split('/').next().unwrap_or(room);
            Some((room.to_owned(), may_use.to_owned()))
        })
        .collect();
    let names: Vec<String> = rows.iter().map(|(room, _)| room.clone()).collect();
    let rooms = rows.into_iter().enumerate().map(|(index, (room, may_use))| {
        let below: BTreeSet<String> = names.iter().skip(index + 1).cloned().collect();
        let allowed = match may_use.as_str() {
            "all below" => below,
            "nothing" => BTreeSet::new(),
            list => {
                // `fault (specs)`: what stands in brackets is for readers.
                let first_word = |part: &str| part.split_whitespace().next().unwrap_or_default().to_owned();
                let listed: BTreeSet<String> = list.split(',').map(first_word).collect();
                let up: Vec<_> = listed.difference(&below).collect();
                assert!(up.is_empty(), "the table lets `{room}` use {up:?}, which do not stand below it");
                listed
            }
        };
        (room, allowed)
    });
    rooms.collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A source file of the program: its path under `src`, and its code without comments and without what only tests see.
struct Source {
    path: PathBuf,
    code: String,
}

impl Source {
    /// The room, which is the file's folder; none for `main.rs` and `lib.rs`.
    fn room(&self) -> Option<&str> {
        let first = self.path.components().next()?.as_os_str().to_str()?;
        (!first.contains('.')).then_some(first)
    }

    /// How many modules the file's own stands below the crate: 1 for `run/mod.rs`, 2 for `run/core.rs`.
    fn depth(&self) -> usize {
        self.path.components().count() - usize::from(self.path.ends_with("mod.rs"))
    }
}

/// Takes out comments, and everything from a `#[cfg(test)]` on, which stands at the end of a file or before a `mod x;`.
fn code_of(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut test_modules = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let item = lines.next().unwrap_or_default().trim();
            let module = item.rsplit_once("mod ").map_or("", |(_, name)| name);
            match module.strip_suffix(';') {
                Some(name) => test_modules.push(name.to_owned()),
                None if module.ends_with('{') => break,
                None => {}
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or_default());
            code.push('\n');
        }
    }
    (code, test_modules)
}

fn sources() -> Vec<Source> {
    let root = repository().join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut only_for_tests = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files {
        let (code, test_modules) = code_of(&std::fs::read_to_string(&file).unwrap());
        let home = if file.ends_with("mod.rs") || file.ends_with("lib.rs") {
            file.parent().unwrap().to_owned()
        } else {
            file.with_extension("")
        };
        only_for_tests.extend(test_modules.into_iter().map(|module| home.join(module)));
        sources.push(Source { path: file, code });
    }
    sources.retain(|source| !source.path.with_extension("").ancestors().any(|part| only_for_tests.contains(part)));
    for source in &mut sources {
        source.path = source.path.strip_prefix(&root).unwrap().to_owned();
    }
    sources
}

/// The names behind `crate::`, also in groups: `use crate::{event, unit::Clock}`.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let group = after.strip_prefix('{').map(|inside| {
            let mut depth = 0_u32;
            let end = inside.find(|character| {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => return true,
                    '}' => depth -= 1,
                    _ => {}
                }
                false
            });
            inside.get(..end.unwrap_or(inside.len())).unwrap_or_default()
        });
        let paths = group.map_or_else(|| vec![after], |inside| inside.split(',').collect());
        for path in paths {
            let name: String = path.trim_start().chars().take_while(|character| is_name(*character)).collect();
            used.insert(name);
        }
    }
    used
}

#[test]
fn arrows_point_down_as_architecture_md_draws_them() {
    let house = house();
    let allowed: BTreeMap<&str, &BTreeSet<String>> =
        house.iter().map(|(room, allowed)| (room.as_str(), allowed)).collect();
    assert!(allowed.len() >= 15, "only {} rooms were read from the table", allowed.len());
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let sources = sources();
    for source in &sources {
        let Some(room) = source.room() else { continue };
        let Some(may_use) = allowed.get(room) else {
            wrong.push(format!("{}: the table has no room `{room}`", source.path.display()));
            continue;
        };
        for name in rooms_used(&source.code).into_iter().filter(|name| allowed.contains_key(name.as_str())) {
            if name != room && !may_use.contains(&name) {
                wrong.push(format!("{}: `{room}` must not use `{name}`", source.path.display()));
            }
            used.entry(room).or_default().insert(name);
        }
        let up_and_out = "super::".repeat(source.depth());
        if source.code.contains(&up_and_out) {
            wrong.push(format!("{}: `{up_and_out}` leaves the room without naming where to", source.path.display()));
        }
    }
    for (room, may_use) in house.iter().filter(|(room, _)| room != "cli") {
        for name in may_use {
            if !used.get(room.as_str()).is_some_and(|used| used.contains(name)) {
                wrong.push(format!("ARCHITECTURE.md: `{room}` may use `{name}`, and does not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fails for every source outside `places` (rooms, or files under `src`) in which one of `words` stands.
fn assert_only_in(words: &[&str], places: &[&str]) {
    let sources = sources();
    let is_at_home = |path: &Path| places.iter().any(|place| path.starts_with(place));
    let holds = |source: &&Source| words.iter().any(|word| source.code.contains(word));
    assert!(sources.iter().any(|source| is_at_home(&source.path) && holds(&source)), "{words:?} stand nowhere");
    let wrong: Vec<String> = sources
        .iter()
        .filter(|source| !is_at_home(&source.path))
        .filter(holds)
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "{words:?} belong in {places:?} alone, and stand in {wrong:?}");
}

#[test]
fn the_sdk_stays_in_its_room() {
    assert_only_in(&["aws_sdk", "aws_config", "aws_smithy", "aws_types"], &["aws"]);
}

#[test]
fn goose_stays_in_its_file() {
    assert_only_in(&["goose::"], &["load/goose.rs"]);
}

#[test]
fn only_the_command_line_and_the_screens_print() {
    // The load worker takes its frames' pipe from standard output, and the demo's probe is a function that prints.
    let places = ["cli", "ui", "load/worker/mod.rs", "sandbox/demo/probe.rs"];
    assert_only_in(&["println!(", "print!(", "io::stdout()", "io::stderr()"], &places);
}

#[test]
fn a_group_of_rooms_is_read_as_each_of_them() {
    let used = rooms_used("use crate::{event::{Event, EventKind}, unit};\nlet x = crate::plan::Plan;");
    assert!(["event", "unit", "plan"].iter().all(|room| used.contains(*room)), "{used:?}");
}

#[test]
fn what_tests_use_does_not_count() {
    let (code, modules) = code_of(
        "use crate::unit; // crate::run\n#[cfg(test)]\nmod testing;\n#[cfg(test)]\nmod tests {\nuse crate::cli;",
    );
    assert_eq!((code.trim(), modules.as_slice()), ("use crate::unit;", ["testing".to_owned()].as_slice()));
}
