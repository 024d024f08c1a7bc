//! Lots in which what was exported goes over the wire: none has too many parts, and none is too long.

/// Puts texts into lots of at most `count_max` and `bytes_max` each, in order. One that is longer by itself is a lot of its own.
pub(super) fn batches(texts: Vec<String>, count_max: usize, bytes_max: usize) -> Vec<Vec<String>> {
    let mut lots: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0_usize;
    for text in texts {
        // With what stands between two of them.
        let length = text.len() + 1;
        match lots.last_mut() {
            Some(lot) if lot.len() < count_max && bytes + length <= bytes_max => {
                bytes += length;
                lot.push(text);
            }
            Some(_) | None => {
                bytes = length;
                lots.push(vec![text]);
            }
        }
    }
    lots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lot_has_too_many_or_is_too_long_and_nothing_is_lost() {
        let texts: Vec<String> = (0..100).map(|number| "x".repeat(number % 7 + 1)).collect();
        let lots = batches(texts.clone(), 5, 20);
        assert!(lots.iter().all(|lot| lot.len() <= 5 && lot.iter().map(|text| text.len() + 1).sum::<usize>() <= 20));
        assert_eq!(lots.concat(), texts);
        assert_eq!(batches(vec!["x".repeat(50), "y".to_owned()], 5, 20).len(), 2);
        assert!(batches(Vec::new(), 5, 20).is_empty());
    }
}
