//! The search over lessons: ranked, by the beginnings of words. Pure but for reading the files.
//!
//! Files are searched as they are, front matter included, since parsing thousands of them would take longer than anybody wants to wait;
//! only what is found is parsed. The ranking is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;

use memchr::memmem;

use crate::document::files_of;

/// BM25's usual constants: how soon a word that is said again adds nothing, and how much the length of a text counts.
const SATURATION: f64 = 1.2;
const LENGTH_WEIGHT: f64 = 0.75;

/// A word in the front matter (title, components, factors) counts as often as this many in the text.
const FRONT_WEIGHT: f64 = 3.0;

/// Words of a question that tell nothing.
const STOP_WORDS: [&str; 26] = [
    "a", "after", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "has", "in", "is", "it", "no",
    "not", "of", "on", "or", "that", "the", "to", "when", "with",
];

/// How many words of a question are looked for.
const WORDS_MAX: usize = 32;

/// How many characters of a text around the first word are shown.
const EXCERPT_CHARS: usize = 120;

/// The keys of the front matter that tell what a lesson is about.
const SUBJECT: [&str; 4] = ["title:", "components:", "faults:", "factors:"];

/// The largest file that is searched.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// How well it fits; only its order means something.
    pub score: f64,
    /// How many of the question's words it has.
    pub words: usize,
    /// A piece of its text around the first word that was found in it; empty where none was.
    pub excerpt: String,
}

/// The Markdown files of a folder, but for `README.md`, that have words of the question, the best first: those with more of its words
/// before those with fewer. What can not be read is left out.
#[must_use]
pub fn search(folder: &Path, question: &str) -> Vec<Found> {
    ranked(&scan_folder(folder, &words(question)), |_| true)
}

/// The lessons that are much like a new one with this title and these components: those whose title, components and factors
/// have at least half of its words, and two of them where it has two.
#[must_use]
pub fn similar(folder: &Path, about: &str) -> Vec<Found> {
    let words = words(about);
    let wanted = words.len().div_ceil(2).max(words.len().min(2));
    ranked(&scan_folder(folder, &words), |text| text.subject_words >= wanted)
}

/// What a text has of a question's words.
#[derive(Debug)]
struct Scanned {
    path: PathBuf,
    bytes: usize,
    /// How often each word begins one of the text's, in the order of the question.
    counts: Vec<f64>,
    /// How many of the words are among those that tell what it is about.
    subject_words: usize,
    excerpt: String,
}

/// Reads the files of a folder, on as many threads as the machine has.
fn scan_folder(folder: &Path, words: &[String]) -> Vec<Scanned> {
    if words.is_empty() {
        return Vec::new();
    }
    let paths = files_of(folder, "md");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(threads).max(1);
    let scan = |paths: &[PathBuf]| {
        let mut scanner = Scanner { words, bytes: Vec::new(), lower: String::new() };
        paths.iter().filter_map(|path| scanner.scan(path)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let readers: Vec<_> = paths.chunks(share).map(|paths| scope.spawn(move || scan(paths))).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
    })
}

/// Those that have a word and are wanted, by BM25 over all of them.
fn ranked(texts: &[Scanned], is_wanted: impl Fn(&Scanned) -> bool) -> Vec<Found> {
    let mean = texts.iter().map(|text| float(text.bytes)).sum::<f64>() / float(texts.len().max(1));
    let words = texts.first().map_or(0, |text| text.counts.len());
    let rareness: Vec<f64> = (0..words)
        .map(|word| {
            let having = float(texts.iter().filter(|text| text.counts.get(word) > Some(&0.0)).count());
            (1.0 + (float(texts.len()) - having + 0.5) / (having + 0.5)).ln()
        })
        .collect();
    let found_in = |text: &Scanned| {
        let norm = SATURATION * (1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * float(text.bytes) / mean);
        let weights = text.counts.iter().map(|count| count * (SATURATION + 1.0) / (count + norm));
        Found {
            path: text.path.clone(),
            score: rareness.iter().zip(weights).map(|(rareness, weight)| rareness * weight).sum(),
            words: text.counts.iter().filter(|count| **count > 0.0).count(),
            excerpt: text.excerpt.clone(),
        }
    };
    let mut found: Vec<Found> = texts.iter().filter(|text| is_wanted(text)).map(found_in).collect();
    found.retain(|found| found.words > 0);
    found.sort_by(|one, other| {
        other.words.cmp(&one.words).then(other.score.total_cmp(&one.score)).then_with(|| one.path.cmp(&other.path))
    });
    found
}

/// Looks for words in one file after another, in the same memory: getting it anew for thousands of files takes longer than the search.
struct Scanner<'w> {
    words: &'w [String],
    bytes: Vec<u8>,
    /// In lower case; of the same length where that is so in all of Unicode's letters that the text has.
    lower: String,
}

impl Scanner<'_> {
    fn scan(&mut self, path: &Path) -> Option<Scanned> {
        self.bytes.clear();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut self.bytes)).ok()?;
        let text = std::str::from_utf8(&self.bytes).ok().filter(|text| text.len() as u64 <= FILE_BYTES_MAX)?;
        if text.is_ascii() {
            self.lower.clear();
            self.lower.push_str(text);
            self.lower.make_ascii_lowercase();
        } else {
            self.lower = text.to_lowercase();
        }
        let lower = self.lower.as_str();
        let body = memmem::find(lower.as_bytes(), b"\n---").map_or(0, |at| at + b"\n---".len());
        let weight = |at: usize| if at < body { FRONT_WEIGHT } else { 1.0 };
        let count = |word: &String| places(lower, word).map(weight).sum::<f64>();
        let front = lower.get(..body).unwrap_or_default().lines();
        let subject = subject(front);
        let is_subject = |word: &&String| subject.iter().any(|line| places(line, word).next().is_some());
        let first = self.words.iter().filter_map(|word| places(lower, word).find(|at| *at >= body)).min();
        // Where letters change their length with their case, places of the one are none of the other.
        let shown = if lower.len() == text.len() { text } else { lower };
        Some(Scanned {
            path: path.to_owned(),
            bytes: read,
            counts: self.words.iter().map(count).collect(),
            subject_words: self.words.iter().filter(is_subject).count(),
            excerpt: first.map(|at| excerpt(shown, body, at)).unwrap_or_default(),
        })
    }
}

/// What stands behind the keys that tell what a lesson is about: on their line, and on those below that begin no other key.
fn subject<'t>(front: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut is_within = false;
    front
        .filter_map(|line| {
            let own = SUBJECT.iter().find_map(|key| line.strip_prefix(key));
            is_within = own.is_some() || (is_within && line.starts_with(['-', ' ', '\t']));
            own.or(Some(line)).filter(|_| is_within)
        })
        .collect()
}

/// The bytes at which words begin that begin so.
fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    memmem::find_iter(text.as_bytes(), word.as_bytes()).filter(|at| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric())
    })
}

/// What stands around a place in a text whose front matter ends at `body`.
fn excerpt(text: &str, body: usize, at: usize) -> String {
    let (Some(before), Some(rest)) = (text.get(body..at), text.get(at..)) else { return String::new() };
    let start = before.char_indices().rev().nth(EXCERPT_CHARS / 3).map_or(0, |(at, _)| at);
    let before = before.get(start..).unwrap_or_default();
    let piece: String = before.chars().chain(rest.chars()).take(EXCERPT_CHARS).collect();
    piece.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a question, in lower case and each once; the words that tell nothing only where there are no others.
fn words(question: &str) -> Vec<String> {
    let lower = question.to_lowercase();
    let mut all: Vec<String> = Vec::new();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if all.len() < WORDS_MAX && !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    let telling: Vec<String> = all.iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { all } else { telling }
}

#[expect(clippy::cast_precision_loss, reason = "lengths and counts of texts are small")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(texts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(folder.path().join(format!("{name}.md")), text).unwrap();
        }
        folder
    }

    fn names(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.path.file_stem().unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn more_words_go_before_fewer_and_titles_before_texts() {
        let folder = folder(&[
            ("a", "---\ntitle: Orders wait\n---\nThe queue was throttled. Throttled queues wait.\n"),
            ("b", "---\ntitle: A throttled function\n---\nNobody saw it.\n"),
            ("c", "---\ntitle: Something else\n---\nThe function was throttled for a while, and the queue grew.\n"),
            ("d", "---\ntitle: Nothing of it\n---\nAll was well; retry it.\n"),
        ]);
        assert_eq!(names(&search(folder.path(), "Throttl")), ["b", "a", "c"], "beginnings of words");
        assert_eq!(names(&search(folder.path(), "the throttled FUNCTION queue")), ["c", "b", "a"]);
        assert_eq!(names(&search(folder.path(), "ry")), [""; 0], "not the midst of words");
        assert_eq!(names(&search(folder.path(), "the")), ["c", "a"], "where nothing else is asked");
        assert_eq!(search(folder.path(), "queue")[0].excerpt, "The queue was throttled. Throttled queues wait.");
        assert!(search(folder.path(), " ,.").is_empty() && search(Path::new("nowhere"), "a").is_empty());
    }

    #[test]
    fn other_alphabets_are_found_and_shown() {
        let folder = folder(&[("a", "---\ntitle: t\n---\nİstanbul: die Überlast kam um zwölf.\n")]);
        assert_eq!(names(&search(folder.path(), "ÜBERLAST")), ["a"]);
        assert!(search(folder.path(), "zwölf")[0].excerpt.contains("zwölf"));
    }

    #[test]
    fn a_lesson_much_like_a_new_one_is_found() {
        let folder = folder(&[
            ("a", "---\ntitle: The payment alarm is slower than the customer\ncomponents: [payments]\n---\nText.\n"),
            ("b", "---\ntitle: Retries double the payments\n---\nText.\n"),
        ]);
        assert_eq!(
            names(&similar(folder.path(), "Payments alarm fires later than the customer leaves payments")),
            ["a"]
        );
        assert_eq!(names(&similar(folder.path(), "Retries")), ["b"], "of one word, that one");
        assert_eq!(
            names(&similar(folder.path(), "text components")),
            [""; 0],
            "neither the text nor the keys are what it is about"
        );
    }

    #[test]
    fn what_a_new_lesson_lists_is_what_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        let draft = crate::lesson::Draft {
            front: serde_yaml::from_str(
                "{id: L-1, title: It was slow, components: [payments, checkout], factors: [alarm window], owner: shop, created: 2026-03-10}",
            )
            .unwrap(),
            body: Some("Text.".to_owned()),
        };
        draft.write(folder.path()).unwrap();
        assert_eq!(names(&similar(folder.path(), "payments checkout")), ["L-1"]);
        assert_eq!(names(&similar(folder.path(), "window")), ["L-1"]);
        assert_eq!(names(&similar(folder.path(), "shop")), [""; 0], "whose it is, is not what it is about");
    }
}
