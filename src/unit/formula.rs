//! Cells of a spreadsheet that are no formulas.

/// A cell that a spreadsheet takes for no formula: one that begins as a formula does is led by an apostrophe (OWASP: CSV injection).
#[must_use]
pub fn no_formula(cell: String) -> String {
    // Some spreadsheets look past spaces.
    if cell.trim_start().starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_formula_does_is_led_by_an_apostrophe() {
        for cell in ["=1", "+1", "-1", "@x", " =1", "\t=1", "\ta", "\na", "\u{a0}=1"] {
            assert_eq!(no_formula(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["", "a", "1-1", " a", "'=1"] {
            assert_eq!(no_formula(cell.to_owned()), cell);
        }
    }
}
