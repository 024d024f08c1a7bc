//! [`Page`]: the one page, with its style and its script inside, and the policy that lets nothing else run.

use axum::body::Bytes;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// One script of three files: what they call each other by is known to nobody else.
const SCRIPT: &str = concat!(
    "'use strict';\n(() => {\n",
    include_str!("page.js"),
    include_str!("chart.js"),
    include_str!("stream.js"),
    "})();\n"
);

/// The page as it is sent.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) html: Bytes,
    /// Its content security policy: this style and this script, by their digests, and requests to this server.
    pub(super) policy: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let html = HTML.replacen("/*style*/", STYLE, 1).replacen("/*script*/", SCRIPT, 1);
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            digest(SCRIPT),
            digest(STYLE)
        );
        let policy = HeaderValue::from_str(&policy).expect("invariant: a policy is plain text");
        Self { html: Bytes::from(html), policy }
    }
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the issue allows.
    const PAGE_BYTES_MAX: usize = 150_000;

    #[test]
    fn the_page_is_small_and_needs_nothing_from_elsewhere() {
        let page = Page::new();
        assert!(page.html.len() <= PAGE_BYTES_MAX, "{} bytes", page.html.len());
        let html = std::str::from_utf8(&page.html).unwrap();
        assert!(html.contains(STYLE) && html.contains(SCRIPT));
        for foreign in ["http://", "https://", "src=\"", "@import", "url("] {
            // The name of SVG is one, and leads nowhere.
            let found = html.replace("http://www.w3.org/2000/svg", "").matches(foreign).count();
            assert_eq!(found, 0, "{foreign}");
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        for way in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=\""]
        {
            assert!(!SCRIPT.contains(way) && !HTML.contains(way), "{way}");
        }
    }
}
