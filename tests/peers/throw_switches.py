"""Throws dead man's switches at the endpoint that it is called with, as EventBridge Scheduler would.

Reads calls from standard input, one JSON object a line, {"service": …, "action": …, "input": …}, checks each against the service
model of botocore, which comes from AWS, makes it, and answers with one JSON line: the problems found.

AWS: a universal target's input has the members of the SDK for Java, with a capital letter. They are those of the service model but
for abbreviations (`Uuid`). Operations that only read are not supported.
"""

import json
import sys

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from conformance import value_problems
from emulator import client_at

SERVICES = {"eventbridge": "events"}
MEMBERS = {"Uuid": "UUID"}
READ_ONLY = ["get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "batchGet"]


def problems_of(shape, params):
    """What of the input is not as the service model has it."""
    report = ParamValidator().validate(params, shape)
    problems = [report.generate_report()] if report.has_errors() else []
    for name, value in params.items():
        if name in shape.members:
            problems += value_problems(shape.members[name], value, name)
        else:
            problems.append(f"the model has no member {name!r}")
    return problems


def throw(endpoint, call):
    client = client_at(endpoint, SERVICES.get(call["service"], call["service"]))
    action = call["action"]
    if not action[0].islower() or any(action.startswith(prefix) for prefix in READ_ONLY):
        return [f"{action!r} is not an operation that a universal target can call"]
    model = client.meta.service_model.operation_model(action[0].upper() + action[1:])
    params = {MEMBERS.get(name, name): value for name, value in call["input"].items()}
    problems = problems_of(model.input_shape, params)
    if not problems:
        try:
            getattr(client, xform_name(model.name))(**params)
        except ClientError as error:
            problems.append(str(error))
    return problems


def main():
    for line in sys.stdin:
        print(json.dumps(throw(sys.argv[1], json.loads(line))), flush=True)


main()
