//! The rows of data files, and who takes which. Must not know: where they come from, what they are used for.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::load::data::Pick;
use crate::load::plan::PlannedData;
use crate::load::schedule::Stripe;

/// The data files of a load; all users share them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    tables: Vec<Counted>,
    /// `file.column` → the indexes of both.
    columns: HashMap<String, (usize, usize)>,
}

/// A table and how many of its rows were taken in order.
#[derive(Debug)]
struct Counted {
    name: String,
    pick: Pick,
    rows: Vec<Vec<Value>>,
    taken: AtomicUsize,
    /// Of workers that share a load, each takes the rows of its own stripe.
    first: usize,
    stride: usize,
}

/// There is no row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("each row of `{0}` was taken, and each may be taken once")]
pub(crate) struct NoRowLeft(String);

impl Rows {
    pub(super) fn new(data: &BTreeMap<String, PlannedData>, stripe: Stripe) -> Self {
        let mut columns = HashMap::new();
        let counted = |(index, (name, PlannedData { pick, table })): (usize, (&String, &PlannedData))| {
            for (column, column_name) in table.columns.iter().enumerate() {
                columns.insert(format!("{name}.{column_name}"), (index, column));
            }
            Counted {
                name: name.clone(),
                pick: *pick,
                rows: table.rows.clone(),
                taken: AtomicUsize::new(0),
                first: usize::try_from(stripe.index).unwrap_or_default(),
                stride: usize::try_from(stripe.of).unwrap_or(1).max(1),
            }
        };
        let tables = data.iter().enumerate().map(counted).collect();
        Self { tables, columns }
    }

    /// How many data files there are.
    pub(super) fn count(&self) -> usize {
        self.tables.len()
    }

    /// The index of a data file.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }

    /// The row of a data file that is next.
    pub(super) fn take(&self, table: usize, random: &mut ChaCha8Rng) -> Result<Option<usize>, NoRowLeft> {
        let Some(table) = self.tables.get(table) else { return Ok(None) };
        let count = table.rows.len();
        let next = || table.first + table.taken.fetch_add(1, Ordering::Relaxed) * table.stride;
        match table.pick {
            Pick::Sequential => Ok(next().checked_rem(count)),
            Pick::Random => Ok((count > 0).then(|| random.random_range(0..count))),
            Pick::Unique => {
                let row = next();
                if row < count { Ok(Some(row)) } else { Err(NoRowLeft(table.name.clone())) }
            }
        }
    }

    /// The value of `file.column` in the rows that were taken.
    pub(super) fn get(&self, name: &str, taken: &[Option<usize>]) -> Option<&Value> {
        let (table, column) = *self.columns.get(name)?;
        let row = (*taken.get(table)?)?;
        self.tables.get(table)?.rows.get(row)?.get(column)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use serde_json::json;

    use super::*;
    use crate::load::data::Table;

    fn rows(pick: Pick, stripe: Stripe) -> Rows {
        let rows = (0..5).map(|row| vec![json!(row)]).collect();
        let table = Table { columns: vec!["n".to_owned()], rows };
        Rows::new(&BTreeMap::from([("numbers".to_owned(), PlannedData { pick, table })]), stripe)
    }

    fn take(rows: &Rows, count: usize) -> Vec<Option<u64>> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut one = || {
            let row = rows.take(0, &mut random).ok()?;
            rows.get("numbers.n", &[row])?.as_u64()
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn rows_are_taken_in_order_round_and_round_or_once() {
        let order = |rows: &[u64]| rows.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(take(&rows(Pick::Sequential, Stripe::default()), 7), order(&[0, 1, 2, 3, 4, 0, 1]));
        let unique = rows(Pick::Unique, Stripe::default());
        assert_eq!(take(&unique, 5), order(&[0, 1, 2, 3, 4]));
        let error = unique.take(0, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
        assert_eq!(error.to_string(), "each row of `numbers` was taken, and each may be taken once");
        assert_eq!(take(&rows(Pick::Unique, Stripe { index: 1, of: 2 }), 3), [Some(1), Some(3), None]);
    }

    #[test]
    fn any_row_is_taken_at_random() {
        let taken = take(&rows(Pick::Random, Stripe::default()), 200);
        assert!((0..5).all(|row| taken.iter().filter(|taken| **taken == Some(row)).count() > 20), "{taken:?}");
    }
}
