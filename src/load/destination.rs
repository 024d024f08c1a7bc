//! Where a load goes, as far as its file says so.

use std::collections::BTreeSet;

use super::placeholder::{Generator, fill};
use super::spec::LoadSpec;

/// The keys under which URLs stand.
const URL_KEYS: [&str; 8] = ["base_url", "get", "post", "put", "patch", "delete", "head", "options"];

impl LoadSpec {
    /// The hosts that its URLs name in so many words, or by variables of the environment, without brackets. What another
    /// placeholder decides is not known here.
    #[must_use]
    pub fn hosts(&self, variable: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
        let of_environment = |name: &str| match Generator::parse(name)?.ok()? {
            Generator::Environment(name) => variable(&name),
            Generator::Uuid | Generator::Now | Generator::Random { .. } => None,
        };
        let mut hosts = BTreeSet::new();
        self.visit_texts(&mut |path, text, _| {
            if path.last().is_some_and(|key| URL_KEYS.contains(&key.as_str())) {
                hosts.extend(host_of(&fill(text, of_environment)));
            }
        });
        hosts
    }
}

/// The host of an absolute URL; none where it has none before its first placeholder ends it.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let known = url.split_once("${").map_or(url, |(known, _)| known);
    let (_, rest) = known.split_once("://")?;
    // A placeholder right behind a host may be more of its name.
    if known.len() < url.len() && !rest.contains('/') {
        return None;
    }
    let parsed = reqwest::Url::parse(known).ok()?;
    Some(parsed.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_where_no_placeholder_can_change_it() {
        for (url, host) in [
            ("https://Shop.example.com/a/${id}", Some("shop.example.com")),
            ("http://127.0.0.1:8080", Some("127.0.0.1")),
            ("http://[::1]:80/", Some("::1")),
            ("https://user@shop.example.com/", Some("shop.example.com")),
            ("https://shop.${domain}/", None),
            ("https://shop.example.com${path}", None),
            ("${shop.url}/a", None),
            ("/a", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
    }

    #[test]
    fn the_hosts_of_a_load_are_those_of_its_urls_alone() {
        let load: LoadSpec = serde_yaml::from_str(
            "{base_url: 'https://a.example', journeys: [{name: j, steps: [{get: /x}, {post: 'http://b.example/', \
             headers: {origin: 'http://c.example/'}, body: 'http://d.example/'}, {get: '${env:SHOP}/x'}, \
             {get: 'https://${env:STAGE}.example/'}]}], shape: [{hold: 1m, at: 1/s}]}",
        )
        .unwrap();
        let variable = |name: &str| match name {
            "SHOP" => Some("http://e.example".to_owned()),
            "STAGE" => Some("f".to_owned()),
            _ => None,
        };
        let hosts = ["a.example", "b.example", "e.example", "f.example"].map(str::to_owned);
        assert_eq!(load.hosts(variable), BTreeSet::from(hosts));
    }
}
