//! Links of a playbook: whether they lead somewhere. Nothing is fetched. Must not know: what a playbook says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::outline::{self, Outline};
use crate::document::SourceFile;
use crate::unit::nearest;

/// What is wrong with a link: a lowercase fragment, and how it is mended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// What is wrong with a link of the playbook at `path`, in the workspace at `root`.
pub(super) fn dead(to: &str, path: &Path, root: &Path, own: &Outline) -> Option<Dead> {
    if is_elsewhere(to) {
        return None;
    }
    let (file, anchor) = to.split_once('#').map_or((to, None), |(file, anchor)| (file, Some(anchor)));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let file = decode(file.split_once('?').map_or(file, |(file, _)| file));
    let anchor = anchor.map(decode);
    if file.is_empty() {
        return anchor.and_then(|anchor| missing(&anchor, "here", own));
    }
    // Code hosts read a path that begins with a slash from the root of the repository.
    let folder = path.parent().unwrap_or(Path::new(""));
    let target = file.strip_prefix('/').map_or_else(|| folder.join(&file), |inside| root.join(inside));
    if !target.exists() {
        return Some(Dead { message: format!("there is no file `{file}`"), help: near_file(&target, &file) });
    }
    let is_markdown = target.extension().is_some_and(|extension| extension == "md");
    let anchor = anchor.filter(|_| is_markdown && target.is_file())?;
    let source = SourceFile::read(&target).ok()?;
    missing(&anchor, &format!("in `{file}`"), &outline::read(source.text(), 0))
}

/// Whether a link leads to another place than the files here: it has a scheme, or names a host.
fn is_elsewhere(to: &str) -> bool {
    let scheme = to.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |text: &str| text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    to.starts_with("//") || scheme.is_some_and(is_scheme)
}

fn missing(anchor: &str, place: &str, outline: &Outline) -> Option<Dead> {
    let slugs = slugs(outline.headings());
    // The start of a page needs no heading.
    let is_there = anchor.is_empty() || anchor == "top" || slugs.contains(&anchor.to_lowercase());
    if is_there || outline.anchors.iter().any(|name| name == anchor) {
        return None;
    }
    let near = nearest(anchor, slugs.iter().map(String::as_str)).map(|near| format!("did you mean `#{near}`?"));
    let all = || slugs.iter().map(|slug| format!("`#{slug}`")).collect::<Vec<_>>().join(", ");
    let help = near.or_else(|| (!slugs.is_empty()).then(|| format!("there are {}", all())));
    Some(Dead { message: format!("there is no heading `#{anchor}` {place}"), help })
}

fn near_file(target: &Path, written: &str) -> Option<String> {
    let entries = std::fs::read_dir(target.parent()?).ok()?;
    let names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = target.file_name()?.to_str()?;
    let near = nearest(name, names.iter().map(String::as_str))?;
    let written = PathBuf::from(written);
    let folder = written.parent().filter(|folder| folder.components().any(|part| part != Component::CurDir));
    let near = folder.map_or_else(|| near.to_owned(), |folder| folder.join(near).display().to_string());
    Some(format!("did you mean `{near}`?"))
}

/// The names by which links lead to headings, as GitHub gives them: small letters, digits, `-` and `_`, with `-` for blanks; the
/// second of two like headings has `-1` behind it.
pub(super) fn slugs<'h>(headings: impl Iterator<Item = &'h str>) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut slugs = BTreeSet::new();
    for heading in headings {
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = seen.entry(slug.clone()).or_default();
        slugs.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    slugs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_named_as_code_hosts_do() {
        let names =
            slugs(["1. Confirm (5 min)", "Was nun, Über-Team?", "`aws` & co_x", "Same", "Same", "Same"].into_iter());
        let expected = ["1-confirm-5-min", "aws--co_x", "same", "same-1", "same-2", "was-nun-über-team"];
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_link_leads_to_a_heading_or_a_file_or_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("playbooks/pb-other one.md", "---\nid: x\n---\n# T\n## 3. Mitigate\n");
        write("gameday.yaml", "");
        let path = folder.path().join("playbooks/pb.md");
        let own = outline::read("# Title\n## 1. Look\n<a id=\"Spot\"></a>\n", 0);
        let dead = |to: &str| dead(to, &path, folder.path(), &own);
        for alive in [
            "#1-look",
            "#1-Look",
            "#Spot",
            "#top",
            "#",
            "pb-other%20one.md#3-mitigate",
            "../gameday.yaml#L3",
            "/gameday.yaml",
            "../playbooks",
            "https://example.com/#x",
            "mailto:a@b",
            "//example.com/x",
            "pb-other%20one.md?plain=1",
        ] {
            assert_eq!(dead(alive), None, "{alive}");
        }
        let told = |to: &str| {
            let dead = dead(to).unwrap_or_else(|| panic!("{to} leads nowhere"));
            (dead.message, dead.help.unwrap_or_default())
        };
        let of = |message: &str, help: &str| (message.to_owned(), help.to_owned());
        assert_eq!(told("#1-lok"), of("there is no heading `#1-lok` here", "did you mean `#1-look`?"));
        assert_eq!(told("#zebra"), of("there is no heading `#zebra` here", "there are `#1-look`, `#title`"));
        assert_eq!(
            told("pb-othr%20one.md"),
            of("there is no file `pb-othr one.md`", "did you mean `pb-other one.md`?")
        );
        assert_eq!(told("../gamedy.yaml"), of("there is no file `../gamedy.yaml`", "did you mean `../gameday.yaml`?"));
        assert_eq!(told("/missing.md").0, "there is no file `missing.md`".replace("`m", "`/m"));
        assert_eq!(told("pb-other%20one.md#2").0, "there is no heading `#2` in `pb-other one.md`");
    }
}
