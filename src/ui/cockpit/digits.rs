//! Big digits: three rows high, for a clock that is read from across the room.

use crate::ui::board::clock;

/// How many rows they are high.
pub(super) const ROWS: usize = 3;

fn glyph(c: char) -> [&'static str; ROWS] {
    match c {
        '0' => ["█▀█", "█ █", "▀▀▀"],
        '1' => ["▀█ ", " █ ", "▀▀▀"],
        '2' => ["▀▀█", "█▀▀", "▀▀▀"],
        '3' => ["▀▀█", " ▀█", "▀▀▀"],
        '4' => ["█ █", "▀▀█", "  ▀"],
        '5' => ["█▀▀", "▀▀█", "▀▀▀"],
        '6' => ["█▀▀", "█▀█", "▀▀▀"],
        '7' => ["▀▀█", "  █", "  ▀"],
        '8' => ["█▀█", "█▀█", "▀▀▀"],
        '9' => ["█▀█", "▀▀█", "▀▀▀"],
        ':' => ["▄", "▄", " "],
        _ => [" ", " ", " "],
    }
}

/// A time as `mm:ss` or `h:mm:ss` in big digits.
pub(super) fn big(millis: u64) -> [String; ROWS] {
    let text = clock(millis);
    std::array::from_fn(|row| {
        let glyphs: Vec<&str> = text.chars().map(|c| glyph(c).get(row).copied().unwrap_or_default()).collect();
        glyphs.join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_three_rows_of_one_width() {
        for millis in [0, 83_000, 456_000, 5_025_000, 360_000_000] {
            let rows = big(millis);
            let widths: Vec<usize> = rows.iter().map(|row| row.chars().count()).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "{rows:?}");
        }
        assert_eq!(big(83_000)[0], "█▀█ ▀█  ▄ ▀▀█ ▀▀█");
    }
}
