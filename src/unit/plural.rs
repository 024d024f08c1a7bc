//! Numbers of things in words.

/// `1 step`, `3 steps`.
#[must_use]
pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A target of a load, as its worker reports it: `1 user`, `40 users`.
#[must_use]
pub fn users(target: f64) -> String {
    let number = format!("{target:.0}");
    let word = if number == "1" { "user" } else { "users" };
    format!("{number} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        for (number, text) in [(0, "0 steps"), (1, "1 step"), (2, "2 steps")] {
            assert_eq!(plural(number, "step", "steps"), text);
        }
        assert_eq!([users(1.0), users(0.0), users(40.4)], ["1 user", "0 users", "40 users"]);
    }
}
