//! Section H: whether a change can be taken back, and secrets stay where they belong.

use std::collections::BTreeMap;

use super::ground::Ground;
use super::outcome::Tally;
use super::secret::Patterns;
use super::world::STACK_TAG;
use crate::aws::EnvironmentVariables;

pub(super) fn versions(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    for function in ground.scope.targets() {
        let name = &function.name;
        match ground.look.versions.get(name) {
            Some(Ok((aliases, versions))) => {
                tally.expect(!aliases.is_empty(), format!("function `{name}` has no alias"));
                tally.expect(*versions >= 2, format!("function `{name}` has {versions} versions: none to go back to"));
            }
            Some(Err(why)) => tally.unknown(&why.0),
            None => tally.unknown(&format!("versions of function `{name}` were not asked for")),
        }
    }
    tally
}

pub(super) fn stacks(ground: &Ground<'_>) -> Tally {
    ground.each_function(false, |tally, function, _| match ground.tags(&ground.function_arn(&function.name)) {
        Ok(tags) if tags.contains_key(STACK_TAG) => tally.pass(),
        // Terraform and others leave no mark.
        Ok(_) => tally.warn(format!("function `{}` belongs to no stack of CloudFormation", function.name)),
        Err(why) => tally.unknown(&why.0),
    })
}

pub(super) fn accounts(ground: &Ground<'_>) -> Tally {
    let mut by_account: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (name, (account, is_production)) in &ground.facts.accounts {
        let (production, other) = by_account.entry(account).or_default();
        if *is_production { production.push(name) } else { other.push(name) }
    }
    let mut tally = Tally::default();
    for (account, (production, other)) in by_account {
        if let (Some(one), Some(two)) = (production.first(), other.first()) {
            tally.fail(format!("`{one}` and `{two}` share account {account}"));
        } else {
            tally.pass();
        }
    }
    tally
}

/// Names and kinds, and never what was found.
pub(super) fn secrets(ground: &Ground<'_>) -> Tally {
    let patterns = Patterns::new();
    ground.each_function(false, |tally, function, listed| {
        let Some(EnvironmentVariables(variables)) = &listed.environment else {
            tally.unknown(&format!("AWS does not show the variables of `{}`", function.name));
            return;
        };
        let found = variables.iter().filter_map(|(name, value)| Some((name, patterns.in_variable(name, value)?)));
        let found: Vec<String> = found.map(|(name, kind)| format!("`{name}` ({kind})")).collect();
        tally.expect(found.is_empty(), format!("function `{}` has {}", function.name, found.join(", ")));
    })
}
