//! Metric math, as far as the sandbox serves it: `+`, `-`, `*`, `/`, brackets, numbers, the ids of other queries, and `FILL(m, number)`.
//!
//! Source: AWS, "Using math expressions with CloudWatch metrics": data points that only one side has are left out, and so is what
//! is divided by zero.

use std::collections::BTreeMap;

/// How deep brackets may be nested.
const DEPTH_MAX: usize = 32;

/// A series by when its periods begin, or one number for all of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Number(f64),
    Series(BTreeMap<i64, f64>),
}

/// Works out an expression. `series` gives the data points of a query by its id, `periods` the periods that `FILL` fills.
///
/// # Errors
/// What is wrong with the expression, in words.
pub(super) fn evaluate(
    expression: &str,
    series: &BTreeMap<String, BTreeMap<i64, f64>>,
    periods: &[i64],
) -> Result<BTreeMap<i64, f64>, String> {
    let mut parser = Parser { rest: expression.trim_start(), series, periods, depth: 0 };
    let result = parser.sum()?;
    if !parser.rest.is_empty() {
        return Err(format!("the sandbox does not understand `{}`", parser.rest));
    }
    match result {
        Operand::Series(series) => Ok(series),
        Operand::Number(_) => Err("an expression must be a series, and this is a number".to_owned()),
    }
}

struct Parser<'a> {
    rest: &'a str,
    series: &'a BTreeMap<String, BTreeMap<i64, f64>>,
    periods: &'a [i64],
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Operand, String> {
        let mut left = self.product()?;
        loop {
            left = if self.take('+') {
                combine(left, self.product()?, |a, b| a + b)
            } else if self.take('-') {
                combine(left, self.product()?, |a, b| a - b)
            } else {
                return Ok(left);
            };
        }
    }

    fn product(&mut self) -> Result<Operand, String> {
        let mut left = self.atom()?;
        loop {
            left = if self.take('*') {
                combine(left, self.atom()?, |a, b| a * b)
            } else if self.take('/') {
                combine(left, self.atom()?, |a, b| a / b)
            } else {
                return Ok(left);
            };
        }
    }

    fn atom(&mut self) -> Result<Operand, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("an expression has at most {DEPTH_MAX} brackets in each other"));
        }
        let operand = if self.take('(') {
            let inner = self.sum()?;
            self.expect(')')?;
            inner
        } else if self.take('-') {
            combine(Operand::Number(0.0), self.atom()?, |a, b| a - b)
        } else {
            self.word()?
        };
        self.depth -= 1;
        Ok(operand)
    }

    fn word(&mut self) -> Result<Operand, String> {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        if word == "FILL" {
            return self.fill();
        }
        if let Ok(number) = word.parse::<f64>() {
            return Ok(Operand::Number(number));
        }
        let series = self.series.get(word).cloned().map(Operand::Series);
        series.ok_or_else(|| match word {
            "" => "the expression ends where something should follow".to_owned(),
            word => format!("the sandbox knows no query and no function `{word}`"),
        })
    }

    fn fill(&mut self) -> Result<Operand, String> {
        self.expect('(')?;
        let inner = self.sum()?;
        self.expect(',')?;
        let number = self.sum()?;
        self.expect(')')?;
        let (Operand::Series(mut series), Operand::Number(number)) = (inner, number) else {
            return Err("FILL takes a metric and a number".to_owned());
        };
        for period in self.periods {
            series.entry(*period).or_insert(number);
        }
        Ok(Operand::Series(series))
    }

    fn take(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, symbol: char) -> Result<(), String> {
        if self.take(symbol) { Ok(()) } else { Err(format!("the expression lacks a `{symbol}`")) }
    }
}

fn combine(left: Operand, right: Operand, work: impl Fn(f64, f64) -> f64) -> Operand {
    let whole = |series: BTreeMap<i64, f64>| {
        Operand::Series(series.into_iter().filter(|(_, value)| value.is_finite()).collect())
    };
    match (left, right) {
        (Operand::Number(a), Operand::Number(b)) => Operand::Number(work(a, b)),
        (Operand::Series(a), Operand::Number(b)) => whole(a.into_iter().map(|(at, a)| (at, work(a, b))).collect()),
        (Operand::Number(a), Operand::Series(b)) => whole(b.into_iter().map(|(at, b)| (at, work(a, b))).collect()),
        (Operand::Series(a), Operand::Series(b)) => {
            whole(a.into_iter().filter_map(|(at, a)| Some((at, work(a, *b.get(&at)?)))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(expression: &str) -> Result<Vec<(i64, f64)>, String> {
        let series = BTreeMap::from([
            ("errors".to_owned(), BTreeMap::from([(0, 1.0), (10, 5.0)])),
            ("all".to_owned(), BTreeMap::from([(0, 10.0), (10, 0.0), (20, 4.0)])),
        ]);
        Ok(evaluate(expression, &series, &[0, 10, 20])?.into_iter().collect())
    }

    #[test]
    fn an_error_rate_has_a_value_where_both_have_one_and_nothing_is_divided_by_zero() {
        assert_eq!(evaluated("errors / all"), Ok(vec![(0, 0.1)]));
        assert_eq!(evaluated("100 * (errors + 1) / all"), Ok(vec![(0, 20.0)]));
        assert_eq!(evaluated("all - errors*2"), Ok(vec![(0, 8.0), (10, -10.0)]));
        assert_eq!(evaluated("FILL(errors, 0) - 1"), Ok(vec![(0, 0.0), (10, 4.0), (20, -1.0)]));
        assert_eq!(evaluated("-errors"), Ok(vec![(0, -1.0), (10, -5.0)]));
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        for (expression, words) in [
            ("ANOMALY_DETECTION_BAND(errors, 2)", "`ANOMALY_DETECTION_BAND`"),
            ("errors /", "ends where"),
            ("(errors", "lacks a `)`"),
            ("errors all", "does not understand `all`"),
            ("1 + 1", "is a number"),
            ("FILL(errors, all)", "a metric and a number"),
            ("other", "`other`"),
            (&"(".repeat(100), "at most 32 brackets"),
        ] {
            let error = evaluated(expression).unwrap_err();
            assert!(error.contains(words), "{expression}: {error}");
        }
    }
}
