"""Drives every operation of a running sandbox (with functions.yaml beside this file) through botocore.

Called with the sandbox's endpoint; it starts nothing. One line a check; it exits with 1 on a mismatch.
"""

import base64
import json
import sys
import time
import urllib.request

from botocore.exceptions import ClientError

import cloudwatch_checks
import fis_checks
import logs_checks
from conformance import Checks, smallest, value_problems, header_problems
from sandbox_event_sources import event_sources, queues
from sandbox_events import event_invokes
from sandbox_provisioned import provisioned, url_changes
from sandbox_versions import layers, versions

# A URL of the sandbox is shorter than those of AWS; no SDK looks at that.
KNOWN = [("FunctionUrlConfig.FunctionUrl", "min")]

# How long a condition may take to come true on a slow machine.
PATIENCE_SECONDS = 60


def main():
    checks = Checks(sys.argv[1], KNOWN)
    lambda_ = checks.client("lambda")
    check_the_checks(checks, lambda_)
    catalog(checks, lambda_)
    url(checks, lambda_)
    concurrency(checks, lambda_)
    configuration(checks, lambda_)
    update_window(checks, lambda_)
    layers(checks, lambda_)
    versions(checks, lambda_)
    provisioned(checks, lambda_)
    url_changes(checks, lambda_)
    event_invokes(checks, lambda_)
    event_sources(checks, lambda_)
    queues(checks, checks.client("sqs"))
    invocations(checks, lambda_)
    checks.answer("STS says who is calling", checks.client("sts").get_caller_identity)
    everything_else_is_refused(checks, lambda_)
    for protocol in ["json", "smithy-rpc-v2-cbor"]:
        cloudwatch = checks.client("cloudwatch", protocol)
        cloudwatch_checks.check(checks, cloudwatch)
        everything_else_is_refused(checks, cloudwatch)
    fis = checks.client("fis")
    fis_checks.check(checks, fis, checks.client("cloudwatch"))
    everything_else_is_refused(checks, fis)
    logs = checks.client("logs")
    logs_checks.check(checks, logs, lambda_)
    everything_else_is_refused(checks, logs)
    services = ["lambda", "cloudwatch", "fis", "logs"]
    counts = [f"{len(checks.operations(name))} operations of {name}" for name in services]
    print(f"{', '.join(counts)}, {checks.mismatches} mismatches")
    sys.exit(1 if checks.mismatches else 0)


def check_the_checks(checks, lambda_):
    """A check that cannot fail is none."""
    model = lambda_.meta.service_model
    shape = model.shape_for("FunctionConfiguration")
    for text, value in [
        ("an unknown member", {"FunctionNam": "f"}),
        ("a wrong type", {"Timeout": "3"}),
        ("a flag for a number", {"Timeout": True}),
        ("a value that is not listed", {"State": "Sleepy"}),
        ("an ARN that is none", {"FunctionArn": "f"}),
        ("a number below its minimum", {"MemorySize": 1}),
        ("an unknown member in depth", {"Environment": {"Variabels": {}}}),
        ("a list for an object", {"Environment": []}),
    ]:
        found = value_problems(shape, value, "")
        checks.expect(f"the checks see {text}", len(found) == 1, found)
    shape = model.shape_for("GetFunctionUrlConfigResponse")
    found = value_problems(shape, {}, "")
    checks.expect("the checks see what is missing", len(found) == len(shape.required_members) > 0, found)
    found = header_problems(model.shape_for("InvocationResponse"), ["X-Amz-Function-Eror", "X-Amz-Log-Result"], "")
    checks.expect("the checks see an unknown header", len(found) == 1, found)


def catalog(checks, lambda_):
    functions = checks.answer("ListFunctions", lambda_.list_functions).get("Functions", [])
    names = [function["FunctionName"] for function in functions]
    known = ["checkout-fn", "fed", "in-json", "probe", "shifted", "slow-update"]
    checks.expect("all functions are listed", names == known, names)
    pages = [page["Functions"] for page in lambda_.get_paginator("list_functions").paginate()]
    checks.expect("ListFunctions ends when it is asked page by page", len(pages) == 1, len(pages))

    function = checks.answer("GetFunction", lambda_.get_function, FunctionName="probe")
    arn = function["Configuration"]["FunctionArn"]
    for name in ["probe", "probe:live", "probe:1", arn, f"{arn}:live", "000000000000:function:probe"]:
        checks.answer(
            f"GetFunctionConfiguration of {name}", lambda_.get_function_configuration, FunctionName=name
        )
    live = checks.answer(
        "GetFunctionConfiguration with a qualifier",
        lambda_.get_function_configuration,
        FunctionName="probe",
        Qualifier="live",
    )
    checks.expect("an alias shows its version", live.get("Version") == "1", live.get("Version"))
    for call in [lambda_.get_function, lambda_.get_function_configuration, lambda_.list_versions_by_function]:
        name = call.__name__
        checks.refusal(f"{name} of nobody", "ResourceNotFoundException", call, FunctionName="nobody")
    checks.refusal(
        "GetFunction of no name", "InvalidParameterValueException", lambda_.get_function, FunctionName="a b"
    )

    versions = checks.answer("ListVersionsByFunction", lambda_.list_versions_by_function, FunctionName="probe")
    found = [version["Version"] for version in versions.get("Versions", [])]
    checks.expect("both versions are listed", found == ["$LATEST", "1"], found)
    checks.answer("ListAliases", lambda_.list_aliases, FunctionName="probe")
    none = checks.answer("ListAliases of a version", lambda_.list_aliases, FunctionName="probe", FunctionVersion="2")
    checks.expect("no alias names version 2", none.get("Aliases") == [], none)
    checks.answer("GetAlias", lambda_.get_alias, FunctionName="probe", Name="live")
    checks.refusal(
        "GetAlias of nobody", "ResourceNotFoundException", lambda_.get_alias, FunctionName="probe", Name="dead"
    )
    tags = checks.answer("ListTags", lambda_.list_tags, Resource=arn)
    checks.expect("the tags are those of the file", tags.get("Tags") == {"gameday": "allowed"}, tags)
    checks.refusal("ListTags of nobody", "ResourceNotFoundException", lambda_.list_tags, Resource=f"{arn}x")
    checks.answer("GetAccountSettings", lambda_.get_account_settings)


def url(checks, lambda_):
    call = lambda_.get_function_url_config
    answer = checks.answer("GetFunctionUrlConfig", call, FunctionName="checkout-fn")
    with urllib.request.urlopen(f"{answer['FunctionUrl']}items") as response:
        items = json.load(response)
    checks.expect("the function's URL serves it", items[0]["item"] == 17, items)
    checks.answer("GetFunctionUrlConfig of an alias", call, FunctionName="probe", Qualifier="live")
    checks.refusal("GetFunctionUrlConfig of nobody", "ResourceNotFoundException", call, FunctionName="nobody")
    checks.refusal(
        "GetFunctionUrlConfig of a version",
        "InvalidParameterValueException",
        call,
        FunctionName="probe",
        Qualifier="1",
    )


def concurrency(checks, lambda_):
    reserve = lambda_.put_function_concurrency
    found = checks.answer("GetFunctionConcurrency, none", lambda_.get_function_concurrency, FunctionName="probe")
    checks.expect("nothing reserved is not 0", "ReservedConcurrentExecutions" not in found, found)
    for count in [5, 0]:
        checks.answer(
            f"PutFunctionConcurrency of {count}",
            reserve,
            FunctionName="probe",
            ReservedConcurrentExecutions=count,
        )
        found = checks.answer("GetFunctionConcurrency", lambda_.get_function_concurrency, FunctionName="probe")
        checks.expect(f"{count} is reserved", found.get("ReservedConcurrentExecutions") == count, found)
        checks.answer("GetFunction shows it", lambda_.get_function, FunctionName="probe")
    error = checks.refusal(
        "Invoke of a function that is throttled",
        "TooManyRequestsException",
        lambda_.invoke,
        FunctionName="probe",
        Payload=b"{}",
    )
    found = (error.get("Reason"), error.get("retryAfterSeconds"))
    reason = ("ReservedFunctionConcurrentInvocationLimitExceeded", "1")
    checks.expect("a throttle says why, and how long to wait", found == reason, found)
    checks.answer("DeleteFunctionConcurrency", lambda_.delete_function_concurrency, FunctionName="probe")
    found = checks.answer("GetFunctionConcurrency, none again", lambda_.get_function_concurrency, FunctionName="probe")
    checks.expect("nothing is reserved again", "ReservedConcurrentExecutions" not in found, found)
    checks.refusal(
        "PutFunctionConcurrency of too much",
        "InvalidParameterValueException",
        reserve,
        FunctionName="probe",
        ReservedConcurrentExecutions=901,
    )
    for name, call, more in [
        ("PutFunctionConcurrency", reserve, {"ReservedConcurrentExecutions": 1}),
        ("GetFunctionConcurrency", lambda_.get_function_concurrency, {}),
        ("DeleteFunctionConcurrency", lambda_.delete_function_concurrency, {}),
    ]:
        checks.refusal(f"{name} of nobody", "ResourceNotFoundException", call, FunctionName="nobody", **more)


def configuration(checks, lambda_):
    update = lambda_.update_function_configuration
    before = checks.answer("its configuration", lambda_.get_function_configuration, FunctionName="probe")
    updated = checks.answer(
        "UpdateFunctionConfiguration",
        update,
        FunctionName="probe",
        Timeout=3,
        MemorySize=256,
        Description="changed",
        Environment={"Variables": {"COLOUR": "blue", "EMPTY": ""}},
        RevisionId=before["RevisionId"],
    )
    checks.expect("an update is under way", updated["LastUpdateStatus"] == "InProgress", updated)
    lambda_.get_waiter("function_updated_v2").wait(FunctionName="probe", WaiterConfig={"Delay": 1})
    after = checks.answer("it afterwards", lambda_.get_function_configuration, FunctionName="probe")
    found = {key: after.get(key) for key in ["Timeout", "MemorySize", "Description", "Environment", "LastUpdateStatus"]}
    wanted = {
        "Timeout": 3,
        "MemorySize": 256,
        "Description": "changed",
        "Environment": {"Variables": {"COLOUR": "blue", "EMPTY": ""}},
        "LastUpdateStatus": "Successful",
    }
    checks.expect("the update took hold", found == wanted, found)
    checks.refusal(
        "UpdateFunctionConfiguration of a stale revision",
        "PreconditionFailedException",
        update,
        FunctionName="probe",
        Timeout=3,
        RevisionId=before["RevisionId"],
    )
    for text, change in [
        ("a timeout of 0", {"Timeout": 0}),
        ("a timeout of 901", {"Timeout": 901}),
        ("too little memory", {"MemorySize": 1}),
        ("a variable of Lambda's own", {"Environment": {"Variables": {"AWS_REGION": "x"}}}),
        ("variables over 4 KB", {"Environment": {"Variables": {"BIG": "x" * 5000}}}),
        ("what the sandbox can not change", {"Role": "arn:aws:iam::000000000000:role/other"}),
    ]:
        checks.refusal(
            f"UpdateFunctionConfiguration with {text}",
            "InvalidParameterValueException",
            update,
            FunctionName="probe",
            **change,
        )
    checks.refusal(
        "UpdateFunctionConfiguration of a version",
        "InvalidParameterValueException",
        update,
        FunctionName="probe:1",
        Timeout=4,
    )
    checks.refusal(
        "UpdateFunctionConfiguration of nobody", "ResourceNotFoundException", update, FunctionName="nobody", Timeout=3
    )
    empty = checks.answer("no variables", update, FunctionName="probe", Environment={"Variables": {}})
    checks.expect("no variables are no member", "Environment" not in empty, empty)


def update_window(checks, lambda_):
    update = lambda_.update_function_configuration
    checks.answer("a slow update", update, FunctionName="slow-update", Timeout=4)
    checks.refusal(
        "UpdateFunctionConfiguration under way",
        "ResourceConflictException",
        update,
        FunctionName="slow-update",
        Timeout=5,
    )
    lambda_.get_waiter("function_updated_v2").wait(FunctionName="slow-update", WaiterConfig={"Delay": 1})
    checks.answer("another after it", update, FunctionName="slow-update", Timeout=5)


def invocations(checks, lambda_):
    def invoke(name, event, **more):
        answer = checks.answer(name, lambda_.invoke, FunctionName="probe", Payload=json.dumps(event).encode(), **more)
        text = answer["Payload"].read() if "Payload" in answer else b""
        return answer, (json.loads(text) if text else None)

    event = {"do": "echo", "text": "grün"}
    answer, payload = invoke("Invoke", event)
    found = (answer.get("StatusCode"), answer.get("ExecutedVersion"), answer.get("FunctionError"), payload)
    checks.expect("the answer is the function's", found == (200, "$LATEST", None, event), found)
    answer, _ = invoke("Invoke of an alias", event, Qualifier="live")
    checks.expect("an alias runs its version", answer.get("ExecutedVersion") == "1", answer)
    answer, payload = invoke("Invoke of a handler that fails", {"do": "fail"})
    found = (answer.get("StatusCode"), answer.get("FunctionError"), payload.get("errorType"))
    checks.expect("a handler's error is an answer", found == (200, "Unhandled", "Probe.Failed"), found)
    answer, payload = invoke("Invoke of a function that crashes", {"do": "crash", "code": 3})
    found = (answer.get("StatusCode"), answer.get("FunctionError"), payload.get("errorType"))
    checks.expect("a crash is an answer", found == (200, "Unhandled", "Runtime.ExitError"), found)
    answer, payload = invoke("Invoke that takes too long", {"do": "sleep", "ms": 20000})
    found = (answer.get("StatusCode"), answer.get("FunctionError"), payload.get("errorType"))
    checks.expect("a timeout is an answer", found == (200, "Unhandled", "Sandbox.Timedout"), found)
    answer, _ = invoke("Invoke with its log", {"do": "print", "text": "hello, log"}, LogType="Tail")
    log = base64.b64decode(answer.get("LogResult", "")).decode()
    checks.expect("the log has what was printed and the report", "hello, log" in log and "REPORT RequestId" in log, log)
    answer, _ = invoke("Invoke as an event", event, InvocationType="Event")
    checks.expect("an event is taken with 202", answer.get("StatusCode") == 202, answer)
    answer, _ = invoke("Invoke as a dry run", event, InvocationType="DryRun")
    checks.expect("a dry run is 204", answer.get("StatusCode") == 204, answer)

    for name, code, more in [
        ("Invoke of nobody", "ResourceNotFoundException", {"FunctionName": "nobody"}),
        ("Invoke of no version", "ResourceNotFoundException", {"Qualifier": "7"}),
        ("Invoke of two qualifiers", "InvalidParameterValueException", {"FunctionName": "probe:live", "Qualifier": "1"}),
        ("Invoke with what is no JSON", "InvalidRequestContentException", {"Payload": b"{"}),
        ("Invoke in no known way", "InvalidParameterValueException", {"InvocationType": "Later"}),
        ("Invoke with too much", "RequestTooLargeException", {"Payload": b'"' + b"x" * 6_291_456 + b'"'}),
        (
            "Invoke with too much of an event",
            "RequestTooLargeException",
            {"InvocationType": "Event", "Payload": b'"' + b"x" * 1_048_576 + b'"'},
        ),
    ]:
        checks.refusal(name, code, lambda_.invoke, **{"FunctionName": "probe", "Payload": b"{}", **more})


def everything_else_is_refused(checks, lambda_):
    """What was not checked above is not served either: an operation that is added needs its check here."""
    model = lambda_.meta.service_model
    problems = []
    names = {model_name: python_name for python_name, model_name in lambda_.meta.method_to_api_mapping.items()}
    for operation in model.operation_names:
        # One that has a host of its own never comes here.
        if operation in checks.operations(model.service_name) or model.operation_model(operation).endpoint:
            continue
        shape = model.operation_model(operation).input_shape
        try:
            getattr(lambda_, names[operation])(**(smallest(shape) if shape else {}))
            problems.append(f"{operation} is served, and has no check")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "UnknownOperationException":
                problems.append(f"{operation} is refused with {code}, as if it were served")
    rest = len(model.operation_names) - len(checks.operations(model.service_name))
    checks.tell(f"the other {rest} operations of {model.service_name} are refused as unknown", problems)


if __name__ == "__main__":
    main()
