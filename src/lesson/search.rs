//! The search over lessons: ranked, by the beginnings of words. Pure but for reading the files.
//!
//! Files are searched as they are, front matter included, since parsing thousands of them would take longer than anybody wants to wait;
//! only what is found is parsed. The ranking is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

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

/// The texts of a folder, ready to be searched.
#[derive(Debug, Default)]
pub struct Index {
    texts: Vec<Text>,
}

#[derive(Debug)]
struct Text {
    path: PathBuf,
    original: String,
    /// In lower case; of the same length where that is so in all of Unicode's letters that it has.
    lower: String,
    /// The byte at which the text behind the front matter begins.
    body: usize,
    /// What the front matter tells of what it is about, in lower case.
    subject: String,
}

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

impl Index {
    /// Reads the Markdown files of a folder but `README.md`, on as many threads as the machine has; what can not be read is left out.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let paths = files_of(folder, "md");
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = paths.len().div_ceil(threads).max(1);
        let texts = thread::scope(|scope| {
            let readers: Vec<_> = paths
                .chunks(share)
                .map(|paths| scope.spawn(|| paths.iter().filter_map(|path| Text::read(path)).collect::<Vec<_>>()))
                .collect();
            readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
        });
        Self { texts }
    }

    /// The lessons that have words of the question, the best first: those with more of its words before those with fewer.
    #[must_use]
    pub fn search(&self, question: &str) -> Vec<Found> {
        let words = words(question);
        let length = |text: &Text| float(text.lower.len());
        let mean = self.texts.iter().map(length).sum::<f64>() / float(self.texts.len().max(1));
        let mut found: Vec<(Found, &Text)> = self
            .texts
            .iter()
            .map(|text| (Found { path: text.path.clone(), score: 0.0, words: 0, excerpt: String::new() }, text))
            .collect();
        for word in &words {
            let counts: Vec<f64> = self.texts.iter().map(|text| text.count(word)).collect();
            let having = float(counts.iter().filter(|count| **count > 0.0).count());
            let rareness = (1.0 + (float(self.texts.len()) - having + 0.5) / (having + 0.5)).ln();
            for ((found, text), count) in found.iter_mut().zip(counts).filter(|(_, count)| *count > 0.0) {
                let norm = SATURATION * (1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * length(text) / mean);
                found.score += rareness * count * (SATURATION + 1.0) / (count + norm);
                found.words += 1;
            }
        }
        found.retain(|(found, _)| found.words > 0);
        found.sort_by(|(one, _), (other, _)| {
            other.words.cmp(&one.words).then(other.score.total_cmp(&one.score)).then_with(|| one.path.cmp(&other.path))
        });
        let with_excerpt = |(found, text): (Found, &Text)| Found { excerpt: text.excerpt(&words), ..found };
        found.into_iter().map(with_excerpt).collect()
    }

    /// The lessons that are much like a new one with this title and these components: those whose title, components and factors
    /// have at least half of its words, and two of them where it has two.
    #[must_use]
    pub fn similar(&self, about: &str) -> Vec<Found> {
        let words = words(about);
        let wanted = words.len().div_ceil(2).max(words.len().min(2));
        let is_alike = |found: &Found| {
            let text = self.texts.iter().find(|text| text.path == found.path);
            text.is_some_and(|text| words.iter().filter(|word| begins_in(&text.subject, word)).count() >= wanted)
        };
        let found = if words.is_empty() { Vec::new() } else { self.search(about) };
        found.into_iter().filter(is_alike).collect()
    }
}

/// The keys of the front matter that tell what a lesson is about.
const SUBJECT: [&str; 4] = ["title:", "components:", "faults:", "factors:"];

/// The largest file that is searched.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    memmem::find_iter(text.as_bytes(), word.as_bytes()).filter(|at| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric())
    })
}

fn begins_in(text: &str, word: &str) -> bool {
    places(text, word).next().is_some()
}

impl Text {
    fn read(path: &Path) -> Option<Self> {
        if std::fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let original = std::fs::read_to_string(path).ok()?;
        let lower = original.to_lowercase();
        let body = memmem::find(lower.as_bytes(), b"\n---").map_or(0, |at| at + b"\n---".len());
        let front = lower.get(..body).unwrap_or_default().lines();
        let subject = front.filter_map(|line| SUBJECT.iter().find_map(|key| line.strip_prefix(key)));
        let subject = subject.collect::<Vec<_>>().join("\n");
        Some(Self { path: path.to_owned(), original, lower, body, subject })
    }

    /// The bytes at which words begin that begin so.
    fn places<'t>(&'t self, word: &'t str) -> impl Iterator<Item = usize> + 't {
        places(&self.lower, word)
    }

    fn count(&self, word: &str) -> f64 {
        self.places(word).map(|at| if at < self.body { FRONT_WEIGHT } else { 1.0 }).sum()
    }

    fn excerpt(&self, words: &[String]) -> String {
        let first = words.iter().filter_map(|word| self.places(word).find(|at| *at >= self.body)).min();
        // Where letters change their length with their case, places of the one are none of the other.
        let text = if self.lower.len() == self.original.len() { &self.original } else { &self.lower };
        let Some(rest) = first.and_then(|at| text.get(at..)) else { return String::new() };
        let before = text.get(self.body..text.len() - rest.len()).unwrap_or_default();
        let start = before.char_indices().rev().nth(EXCERPT_CHARS / 3).map_or(0, |(at, _)| at);
        let before = before.get(start..).unwrap_or_default();
        let piece: String = before.chars().chain(rest.chars()).take(EXCERPT_CHARS).collect();
        piece.split_whitespace().collect::<Vec<_>>().join(" ")
    }
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

    fn index(texts: &[(&str, &str)]) -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(folder.path().join(format!("{name}.md")), text).unwrap();
        }
        let index = Index::read(folder.path());
        (folder, index)
    }

    fn names(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.path.file_stem().unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn more_words_go_before_fewer_and_titles_before_texts() {
        let (_folder, index) = index(&[
            ("a", "---\ntitle: Orders wait\n---\nThe queue was throttled. Throttled queues wait.\n"),
            ("b", "---\ntitle: A throttled function\n---\nNobody saw it.\n"),
            ("c", "---\ntitle: Something else\n---\nThe function was throttled for a while, and the queue grew.\n"),
            ("d", "---\ntitle: Nothing of it\n---\nAll was well; retry it.\n"),
        ]);
        assert_eq!(names(&index.search("Throttl")), ["b", "a", "c"], "beginnings of words");
        assert_eq!(names(&index.search("the throttled FUNCTION queue")), ["c", "b", "a"]);
        assert_eq!(names(&index.search("ry")), [""; 0], "not the midst of words");
        assert_eq!(names(&index.search("the")), ["c", "a"], "where nothing else is asked");
        assert_eq!(index.search("queue")[0].excerpt, "The queue was throttled. Throttled queues wait.");
        assert!(index.search(" ,.").is_empty() && Index::read(Path::new("nowhere")).search("a").is_empty());
    }

    #[test]
    fn other_alphabets_are_found_and_shown() {
        let (_folder, index) = index(&[("a", "---\ntitle: t\n---\nİstanbul: die Überlast kam um zwölf.\n")]);
        assert_eq!(names(&index.search("ÜBERLAST")), ["a"]);
        assert!(index.search("zwölf")[0].excerpt.contains("zwölf"));
    }

    #[test]
    fn a_lesson_much_like_a_new_one_is_found() {
        let (_folder, index) = index(&[
            ("a", "---\ntitle: The payment alarm is slower than the customer\ncomponents: [payments]\n---\nText.\n"),
            ("b", "---\ntitle: Retries double the payments\n---\nText.\n"),
        ]);
        assert_eq!(names(&index.similar("Payments alarm fires later than the customer leaves payments")), ["a"]);
        assert_eq!(names(&index.similar("Retries")), ["b"], "of one word, that one");
        assert_eq!(
            names(&index.similar("text components")),
            [""; 0],
            "neither the text nor the keys are what it is about"
        );
    }
}
