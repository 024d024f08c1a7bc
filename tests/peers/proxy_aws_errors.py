"""Calls AWS services through the fault proxy with boto3, and checks the exceptions and the tries that its errors lead to.

    proxy_aws_errors.py ADMIN_URL UPSTREAM

The upstream is never asked: the proxy answers every call. Ends with `N cases, 0 mismatches`.
"""

import json
import sys
import urllib.request

import boto3
import botocore.endpoint
from botocore.config import Config
from botocore.exceptions import ClientError

# Tries of a call that fails all the time, as botocore documents them for both of its modes.
TRIES = {"legacy": 5, "standard": 3}
TRIES_LEGACY_DYNAMODB = 10

KEY = {"id": {"S": "1"}}
# Client, signing name, call, its parameters, the code, its status where it is not a common one, the modelled exception, retried.
CASES = [
    ("dynamodb", "dynamodb", "get_item", dict(TableName="t", Key=KEY), "ProvisionedThroughputExceededException", None,
     "ProvisionedThroughputExceededException", True),
    ("dynamodb", "dynamodb", "get_item", dict(TableName="t", Key=KEY), "InternalServerError", None, "InternalServerError", True),
    ("dynamodb", "dynamodb", "put_item", dict(TableName="t", Item=KEY), "ConditionalCheckFailedException", None,
     "ConditionalCheckFailedException", False),
    ("sqs", "sqs", "send_message", dict(QueueUrl="QUEUE", MessageBody="a"), "QueueDoesNotExist", None, "QueueDoesNotExist",
     False),
    ("sqs", "sqs", "send_message", dict(QueueUrl="QUEUE", MessageBody="a"), "ThrottlingException", None, None, True),
    ("sns", "sns", "publish", dict(TopicArn="arn:aws:sns:eu-west-1:1:t", Message="a"), "InternalError", None,
     "InternalErrorException", True),
    ("sns", "sns", "publish", dict(TopicArn="arn:aws:sns:eu-west-1:1:t", Message="a"), "Throttling", None, None, True),
    ("s3", "s3", "get_object", dict(Bucket="b", Key="k"), "NoSuchKey", None, "NoSuchKey", False),
    ("s3", "s3", "put_object", dict(Bucket="b", Key="k", Body=b"x" * 100_000), "SlowDown", None, None, True),
    ("lambda", "lambda", "invoke", dict(FunctionName="f"), "TooManyRequestsException", None, "TooManyRequestsException", True),
    ("lambda", "lambda", "invoke", dict(FunctionName="f"), "ResourceNotFoundException", None, "ResourceNotFoundException", False),
    ("stepfunctions", "states", "start_execution", dict(stateMachineArn="arn:aws:states:eu-west-1:1:stateMachine:m"),
     "StateMachineDoesNotExist", 400, "StateMachineDoesNotExist", False),
    ("stepfunctions", "states", "start_execution", dict(stateMachineArn="arn:aws:states:eu-west-1:1:stateMachine:m"),
     "ThrottlingException", None, None, True),
    ("ssm", "ssm", "get_parameter", dict(Name="p"), "ParameterNotFound", None, "ParameterNotFound", False),
    ("ssm", "ssm", "get_parameter", dict(Name="p"), "InternalServerError", None, "InternalServerError", True),
    ("secretsmanager", "secretsmanager", "get_secret_value", dict(SecretId="s"), "ResourceNotFoundException", None,
     "ResourceNotFoundException", False),
    ("secretsmanager", "secretsmanager", "get_secret_value", dict(SecretId="s"), "InternalServiceError", None,
     "InternalServiceError", True),
    ("kinesis", "kinesis", "put_record", dict(StreamName="s", Data=b"a", PartitionKey="k"),
     "ProvisionedThroughputExceededException", None, "ProvisionedThroughputExceededException", True),
    ("events", "events", "put_events", dict(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]), "InternalException",
     500, "InternalException", True),
    ("events", "events", "put_events", dict(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]), "ThrottlingException",
     None, "ThrottlingException", True),
    ("cloudwatch", "monitoring", "put_metric_data", dict(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}]),
     "InternalServiceFault", None, "InternalServiceFault", True),
    ("cloudwatch", "monitoring", "put_metric_data", dict(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}]),
     "ThrottlingException", None, None, True),
    ("dynamodb", "dynamodb", "get_item", dict(TableName="t", Key=KEY), "AccessDeniedException", None, None, False),
]


def ask(admin, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(admin + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def operation(call):
    return "".join(part.capitalize() for part in call.split("_"))


def check(admin, endpoint, mode, case):
    name, service, call, parameters, code, status, exception, is_retried = case
    action = {"code": code} | ({} if status is None else {"status": status})
    match = {"aws": {"service": service, "operation": operation(call)}}
    ask(admin, "POST", "/proxies/aws/rules", {"name": "r", "match": match, "action": {"aws_error": action}})
    config = Config(retries={"mode": mode}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=5)
    client = boto3.client(name, endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="AK",
                          aws_secret_access_key="secret", config=config)
    parameters = {key: endpoint + "/1/q" if value == "QUEUE" else value for key, value in parameters.items()}
    problems = []
    try:
        getattr(client, call)(**parameters)
        problems.append("no exception")
    except ClientError as error:
        raised = error
        expected = getattr(client.exceptions, exception) if exception else ClientError
        if type(raised) is not expected:
            problems.append(f"{type(raised).__name__} instead of {expected.__name__}: {raised.response['Error']}")
        if not raised.response["ResponseMetadata"].get("RequestId"):
            problems.append("no request id")
    tries = ask(admin, "GET", "/proxies/aws/rules/r")["stats"]["applied"]
    ask(admin, "DELETE", "/proxies/aws/rules/r")
    most = TRIES_LEGACY_DYNAMODB if (mode, name) == ("legacy", "dynamodb") else TRIES[mode]
    wanted = most if is_retried else 1
    if tries != wanted:
        problems.append(f"{tries} tries instead of {wanted}")
    for problem in problems:
        print(f"{mode} {name} {call} {code}: {problem}")
    return len(problems)


def main():
    admin, upstream = sys.argv[1:]
    # The waits between tries are not what is checked.
    botocore.endpoint.time.sleep = lambda seconds: None
    proxy = {"name": "aws", "listen": "127.0.0.1:0", "upstream": upstream, "protocol": "http"}
    endpoint = "http://" + ask(admin, "POST", "/proxies", proxy)["listen"]
    mismatches = sum(check(admin, endpoint, mode, case) for mode in TRIES for case in CASES)
    print(f"{len(TRIES) * len(CASES)} cases, {mismatches} mismatches")


main()
