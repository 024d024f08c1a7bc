//! Where links lead.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a part of a path (RFC 3986: unreserved characters).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether a link leads to a page, to somebody's mail or to a place beside, and runs nothing.
#[must_use]
pub(super) fn is_safe(place: &str) -> bool {
    // Browsers leave out tabs and line ends, take a backslash for a slash, and what starts with two slashes names another host.
    if place.contains(|c: char| c.is_control() || c == '\\') || place.starts_with("//") || place.starts_with(' ') {
        return false;
    }
    scheme(place)
        .is_none_or(|scheme| ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// Whether a link leads to a place beside, and not to one of the same page.
#[must_use]
pub(super) fn is_relative(place: &str) -> bool {
    scheme(place).is_none() && !place.starts_with(['#', '/']) && !place.is_empty()
}

/// What stands before the first colon, unless that is part of a path, a query or a fragment.
fn scheme(place: &str) -> Option<&str> {
    let (scheme, _) = place.split_once(':')?;
    (!scheme.contains(['/', '?', '#'])).then_some(scheme)
}

/// The way from a folder to a file or folder, as a link has it; both are absolute and without `..`. None where one is not.
#[must_use]
pub fn relative(from: &Path, to: &Path) -> Option<String> {
    let parts = |path: &Path| -> Option<Vec<String>> {
        path.components()
            .map(|part| match part {
                Component::RootDir => Some(String::new()),
                Component::Normal(name) => Some(name.to_str()?.to_owned()),
                Component::Prefix(_) | Component::CurDir | Component::ParentDir => None,
            })
            .collect()
    };
    let (from, to) = (parts(from)?, parts(to)?);
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from.iter().skip(shared).map(|_| "..".to_owned());
    let down = to.iter().skip(shared).map(|name| utf8_percent_encode(name, ENCODED).to_string());
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_something_is_no_link() {
        for place in ["https://a.b", "HTTP://a.b", "mailto:a@b.c", "a/b.md#x", "#x", "a?b:c", "./a:b", "/a"] {
            assert!(is_safe(place), "{place}");
        }
        for place in [
            "javascript:x",
            "JavaScript:x",
            "data:text/html,x",
            "java\tscript:x",
            "//evil",
            "\\\\evil",
            " javascript:x",
            "vbscript:x",
            "file:///x",
        ] {
            assert!(!is_safe(place), "{place}");
        }
    }

    #[test]
    fn the_way_from_a_folder_to_a_file_is_found() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/site", "/a/reports/x y/report.html").as_deref(), Some("../reports/x%20y/report.html"));
        assert_eq!(way("/a", "/a/b").as_deref(), Some("b"));
        assert_eq!(way("a/../b", "/a"), None);
    }
}
