//! Tags as most services write them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A tag.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// Tags by their keys.
pub(super) fn by_key(tags: impl IntoIterator<Item = Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|Tag { key, value }| (key, value)).collect()
}
