//! Lambda's runtimes, and when each is deprecated.

/// The day from which on a runtime is deprecated, as `YYYY-MM-DD`. Source: AWS, "Lambda runtimes", as of 2026; those that are not in it have
/// no day yet, or are newer than this table.
const DEPRECATED_FROM: &[(&str, &str)] = &[
    ("dotnet5.0", "2022-05-10"),
    ("dotnet6", "2024-12-20"),
    ("dotnet7", "2024-05-14"),
    ("dotnetcore1.0", "2019-06-27"),
    ("dotnetcore2.0", "2019-05-30"),
    ("dotnetcore2.1", "2022-01-05"),
    ("dotnetcore3.1", "2023-04-03"),
    ("go1.x", "2024-01-08"),
    ("java8", "2024-01-08"),
    ("nodejs", "2016-10-31"),
    ("nodejs10.x", "2021-07-30"),
    ("nodejs12.x", "2023-03-31"),
    ("nodejs14.x", "2023-12-04"),
    ("nodejs16.x", "2024-06-12"),
    ("nodejs18.x", "2025-09-01"),
    ("nodejs20.x", "2026-04-30"),
    ("nodejs4.3", "2020-03-05"),
    ("nodejs6.10", "2019-08-12"),
    ("nodejs8.10", "2020-03-06"),
    ("provided", "2024-01-08"),
    ("python2.7", "2021-07-15"),
    ("python3.6", "2022-07-18"),
    ("python3.7", "2023-12-04"),
    ("python3.8", "2024-10-14"),
    ("python3.9", "2025-12-15"),
    ("ruby2.5", "2021-07-30"),
    ("ruby2.7", "2023-12-07"),
    ("ruby3.2", "2026-03-31"),
];

/// The day from which on a runtime is deprecated; none for one that has no day here.
pub(super) fn deprecated_from(runtime: &str) -> Option<crate::unit::Date> {
    DEPRECATED_FROM.iter().find(|(name, _)| *name == runtime).and_then(|(_, day)| day.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_one_and_the_table_is_in_order() {
        assert!(DEPRECATED_FROM.is_sorted_by(|one, other| one.0 < other.0));
        for (runtime, _) in DEPRECATED_FROM {
            assert!(deprecated_from(runtime).is_some(), "{runtime}");
        }
        assert_eq!(deprecated_from("python3.13"), None);
    }
}
