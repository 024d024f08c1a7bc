//! Answers that come in pages: a token is the number of items that were answered already.

use super::error::CloudWatchError;

/// The items of one page, and the token for the next where there is one.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = T>,
    token: Option<&str>,
    items_max: usize,
) -> Result<(Vec<T>, Option<String>), CloudWatchError> {
    let skipped = skipped(token)?;
    let mut rest = items.into_iter().skip(skipped);
    let page: Vec<T> = rest.by_ref().take(items_max).collect();
    let next = rest.next().map(|_| (skipped + page.len()).to_string());
    Ok((page, next))
}

/// How many items a token leaves out.
pub(super) fn skipped(token: Option<&str>) -> Result<usize, CloudWatchError> {
    token.map_or(Ok(0), |token| token.parse().map_err(|_| CloudWatchError::InvalidNextToken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_until_nothing_is_left() {
        assert_eq!(page(0..5, None, 2), Ok((vec![0, 1], Some("2".to_owned()))));
        assert_eq!(page(0..5, Some("4"), 2), Ok((vec![4], None)));
        assert_eq!(page(0..4, Some("2"), 2), Ok((vec![2, 3], None)));
        assert_eq!(page(0..4, Some("x"), 2), Err(CloudWatchError::InvalidNextToken));
    }
}
