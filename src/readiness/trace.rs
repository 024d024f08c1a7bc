//! Section F: whether a request can be followed.

use super::ground::Ground;
use super::outcome::Tally;
use crate::aws::TraceDestination;

pub(super) fn active(ground: &Ground<'_>) -> Tally {
    ground.each_function(false, |tally, function, listed| match listed.is_traced {
        Some(is_traced) => tally.expect(is_traced, format!("function `{}` is not traced", function.name)),
        None => tally.unknown(&format!("whether function `{}` is traced is not told", function.name)),
    })
}

pub(super) fn arriving(ground: &Ground<'_>) -> Tally {
    if ground.scope.functions.is_empty() {
        return Tally::default();
    }
    let mut tally = Tally::default();
    match (&ground.look.traces, &ground.look.destination) {
        (Ok(count), _) if *count > 0 => tally.pass(),
        // Transaction Search: X-Ray knows of none, and the log group has them.
        (Ok(_), Ok(TraceDestination::Logs)) => {
            tally.warn("traces go to the log group `aws/spans` (Transaction Search), where they are not looked for");
        }
        (Ok(_), _) => tally.fail("no trace arrived in the last 5 minutes"),
        (Err(why), _) => tally.unknown(&why.0),
    }
    tally
}
