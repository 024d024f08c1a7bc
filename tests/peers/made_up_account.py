"""An account with 500 functions that nobody has: the APIs that `gameday readiness` asks, page by page, on 127.0.0.1.

Called with the port and a file, into which it writes the number of requests after each of them.
"""

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

import cbor2

FUNCTIONS = [f"fn-{number:03}" for number in range(500)]
ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:pager"


def arn(name):
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def page(items, start, size):
    """Items from a place on, and the token of what is left."""
    start = int(start or 0)
    rest = str(start + size) if start + size < len(items) else None
    return items[start : start + size], rest


def alarm(name, metric):
    threshold = 2400.0 if metric == "Duration" else 0.0
    return {
        "AlarmName": f"{name}-{metric}",
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}-{metric}",
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        "StateUpdatedTimestamp": cbor2.CBORTag(1, time.time()),
        "StateTransitionedTimestamp": cbor2.CBORTag(1, time.time()),
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Statistic": "Sum",
        "Dimensions": [{"Name": "FunctionName", "Value": name}],
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
    }


ALARMS = [alarm(name, metric) for name in FUNCTIONS for metric in ("Errors", "Throttles", "Duration")]


def function(name):
    return {
        "FunctionName": name,
        "FunctionArn": arn(name),
        "Runtime": "python3.13",
        "Timeout": 3,
        "LastModified": "2026-01-01T00:00:00.000+0000",
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": f"/aws/lambda/{name}"},
        "Environment": {"Variables": {"STAGE": "production"}},
    }


def cloudwatch(operation, body):
    if operation == "DescribeAlarms":
        found, token = page(ALARMS, body.get("NextToken"), body.get("MaxRecords", 100))
        return {"MetricAlarms": found, "CompositeAlarms": [], "NextToken": token}
    if operation == "ListAlarmMuteRules":
        return {"AlarmMuteRuleSummaries": []}
    if operation == "DescribeAlarmHistory":
        item = {"AlarmName": body["AlarmName"], "HistoryItemType": "Action", "Timestamp": cbor2.CBORTag(1, time.time())}
        return {"AlarmHistoryItems": [item]}
    if operation == "ListDashboards":
        return {"DashboardEntries": [{"DashboardName": f"shop-{number}"} for number in range(30)]}
    if operation == "GetDashboard":
        return {"DashboardBody": json.dumps(FUNCTIONS)}
    if operation == "GetMetricData":
        now = cbor2.CBORTag(1, time.time() - 60)
        ids = [query["Id"] for query in body["MetricDataQueries"]]
        return {"MetricDataResults": [{"Id": id_, "Timestamps": [now], "Values": [100.0]} for id_ in ids]}
    return None


def json_call(target, body):
    operation = target.split(".")[-1]
    if operation == "GetResources":
        found, token = page(FUNCTIONS, body.get("PaginationToken"), body["ResourcesPerPage"])
        tags = [{"Key": "aws:cloudformation:stack-name", "Value": "shop"}, {"Key": "owner", "Value": "team"}]
        mappings = [{"ResourceARN": arn(name), "Tags": tags} for name in found]
        return {"ResourceTagMappingList": mappings, "PaginationToken": token or ""}
    if operation == "DescribeLogGroups":
        names = [f"/aws/lambda/{name}" for name in FUNCTIONS if f"/aws/lambda/{name}".startswith(body["logGroupNamePrefix"])]
        found, token = page(names, body.get("nextToken"), body["limit"])
        return {"logGroups": [{"logGroupName": name, "retentionInDays": 30} for name in found], "nextToken": token}
    if operation == "FilterLogEvents":
        line = json.dumps({"message": "sold", "trace_id": "1"})
        return {"events": [{"timestamp": int(time.time() * 1000), "message": line}] * 50}
    return None


def query(form):
    action = form["Action"][0]
    if action == "ListStacks":
        return "<StackSummaries/>"
    if action == "ListSubscriptionsByTopic":
        return f"<Subscriptions><member><SubscriptionArn>{TOPIC}:1</SubscriptionArn></member></Subscriptions>"
    if action == "GetCallerIdentity":
        return f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/it</Arn>"
    if action == "SimulatePrincipalPolicy":
        actions = [values[0] for key, values in form.items() if key.startswith("ActionNames.member.")]
        resource = form.get("ResourceArns.member.1", ["*"])[0]
        rows = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
            "<EvalDecision>allowed</EvalDecision></member>"
            for action in actions
        )
        return f"<EvaluationResults>{rows}</EvaluationResults><IsTruncated>false</IsTruncated>"
    return None


def rest(path, arguments):
    marker = arguments.get("Marker", [None])[0]
    if re.fullmatch(r"/2015-03-31/functions/?", path):
        found, token = page([function(name) for name in FUNCTIONS], marker, int(arguments["MaxItems"][0]))
        return {"Functions": found, "NextMarker": token}
    if path.startswith("/2015-03-31/event-source-mappings"):
        found, token = page([{"UUID": name, "FunctionArn": arn(name)} for name in FUNCTIONS], marker, 100)
        return {"EventSourceMappings": found, "NextMarker": token}
    if path.startswith("/2016-08-19/account-settings"):
        return {"AccountLimit": {"ConcurrentExecutions": 1000}}
    if path.endswith("/aliases"):
        return {"Aliases": [{"Name": "live"}]}
    if path.endswith("/versions"):
        return {"Versions": [{"Version": version} for version in ("$LATEST", "1", "2")]}
    if path == "/canaries/last-run":
        last = {"Status": {"State": "PASSED"}, "Timeline": {"Completed": time.time() - 60}}
        return {"CanariesLastRun": [{"CanaryName": "door", "LastRun": last}]}
    if path == "/TraceSummaries":
        return {"TraceSummaries": [{"Id": "1-5759e988-bd862e3fe1be46a994272793"}]}
    if path == "/GetTraceSegmentDestination":
        return {"Destination": "XRay"}
    return None


class Account(BaseHTTPRequestHandler):
    """Answers in the protocol in which it is asked."""

    protocol_version = "HTTP/1.1"
    count = 0
    lock = Lock()

    def log_message(self, *_):
        pass

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        with Account.lock:
            Account.count += 1
            with open(sys.argv[2], "w", encoding="utf-8") as file:
                file.write(str(Account.count))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        operation = re.fullmatch(r"/service/GraniteServiceVersion20100801/operation/(\w+)", url.path)
        target = self.headers.get("X-Amz-Target")
        if operation:
            found = cloudwatch(operation.group(1), cbor2.loads(body) if body else {})
            if found is not None:
                found = {key: value for key, value in found.items() if value is not None}
                return self.answer(200, "application/cbor", cbor2.dumps(found), smithy_protocol="rpc-v2-cbor")
        elif target:
            found = json_call(target, json.loads(body or b"{}"))
            if found is not None:
                return self.answer(200, "application/x-amz-json-1.1", json.dumps(found).encode())
        elif b"Action=" in body:
            form = parse_qs(body.decode())
            found = query(form)
            if found is not None:
                action = form["Action"][0]
                xml = f"<{action}Response><{action}Result>{found}</{action}Result></{action}Response>"
                return self.answer(200, "text/xml", xml.encode())
        else:
            found = rest(url.path, parse_qs(url.query))
            if found is not None:
                return self.answer(200, "application/json", json.dumps(found).encode())
        missing = json.dumps({"__type": "ResourceNotFoundException", "message": "no"}).encode()
        return self.answer(404, "application/json", missing, x_amzn_errortype="ResourceNotFoundException")

    do_GET = do_POST = serve


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Account).serve_forever()
