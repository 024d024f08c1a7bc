"""Every operation of the sandbox's CloudWatch Logs through botocore, on the lines of real invocations."""

import json
import re
import time

from botocore.exceptions import ClientError

GROUP = "/aws/lambda/probe"

REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\tDuration: [0-9.]+ ms\tBilled Duration: \d+ ms\tMemory Size: \d+ MB"
    r"\tMax Memory Used: (?P<mb>\d+) MB(\tInit Duration: [0-9.]+ ms)?\nXRAY TraceId: 1-[0-9a-f]{8}-[0-9a-f]{24}\t.*"
)


def check(checks, logs, lambda_):
    request_id = lambda_.invoke(FunctionName="probe", Payload=json.dumps({"do": "print", "text": "a needle"}))
    request_id = request_id["ResponseMetadata"]["RequestId"]
    groups = checks.answer("DescribeLogGroups", logs.describe_log_groups, logGroupNamePrefix=GROUP)["logGroups"]
    checks.expect("a function's group is there", [group["logGroupName"] for group in groups] == [GROUP], groups)
    checks.expect("it keeps its events for ever", "retentionInDays" not in groups[0], groups)
    paged = list(logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1}))
    names = [group["logGroupName"] for page in paged for group in page["logGroups"]]
    checks.expect("groups come in pages", len(paged) == len(names) > 1 and names == sorted(set(names)), names)

    found = checks.answer(
        "FilterLogEvents", logs.filter_log_events, logGroupName=GROUP, filterPattern=f'"{request_id}"'
    )["events"]
    lines = [event["message"] for event in found]
    begins = [line.split(" ")[0] for line in lines]
    checks.expect("an invocation has its lines", begins == ["START", "END", "REPORT"], lines)
    report = REPORT.fullmatch(lines[-1])
    checks.expect("the REPORT line is Lambda's", bool(report) and int(report["mb"]) > 1, lines[-1])
    printed = logs.filter_log_events(logGroupName=GROUP, filterPattern='"a needle"')["events"]
    checks.expect("what a function prints is there", [event["message"] for event in printed] == ["a needle"], printed)
    streams = {event["logStreamName"] for event in found + printed}
    checks.expect("all of it is in the environment's stream", len(streams) == 1, streams)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 2})
    ids = [event["eventId"] for page in pages for event in page["events"]]
    checks.expect("events come in pages", len(ids) > 4 and ids == sorted(set(ids)), ids)
    until = int(time.time() * 1_000) - 3_600_000
    old = logs.filter_log_events(logGroupName=GROUP, startTime=0, endTime=until)["events"]
    checks.expect("nothing is older than the sandbox", old == [], old)

    checks.answer("PutRetentionPolicy", logs.put_retention_policy, logGroupName=GROUP, retentionInDays=30)
    kept = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0].get("retentionInDays")
    checks.expect("the retention is set", kept == 30, kept)
    checks.answer("DeleteRetentionPolicy", logs.delete_retention_policy, logGroupName=GROUP)
    kept = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0].get("retentionInDays")
    checks.expect("the retention is gone", kept is None, kept)
    refused(checks, logs)
    in_json(checks, logs, lambda_)


def refused(checks, logs):
    for what, code, call in [
        ("a group that is not there", "ResourceNotFoundException", {"logGroupName": "/aws/lambda/gone"}),
        ("a pattern of fields", "InvalidParameterException", {"logGroupName": GROUP, "filterPattern": "{ $.a = 1 }"}),
    ]:
        try:
            logs.filter_log_events(**call)
            found = None
        except ClientError as error:
            found = error.response["Error"]["Code"]
        checks.expect(f"{what} is refused", found == code, found)


def in_json(checks, logs, lambda_):
    lambda_.invoke(FunctionName="in-json", Payload=json.dumps({"do": "pid"}))
    events = logs.filter_log_events(logGroupName="/aws/lambda/in-json")["events"]
    lines = [json.loads(event["message"]) for event in events]
    kinds = [line["type"] for line in lines]
    checks.expect("the JSON form has its lines", kinds == ["platform.start", "platform.report"], lines)
    metrics = set(lines[-1]["record"]["metrics"])
    known = {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"}
    checks.expect("the report has its metrics", metrics == known, metrics)
    logging = lambda_.get_function_configuration(FunctionName="in-json")["LoggingConfig"]
    wanted = {
        "LogFormat": "JSON",
        "LogGroup": "/aws/lambda/in-json",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
    }
    checks.expect("the configuration says so", logging == wanted, logging)
