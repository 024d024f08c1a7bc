"""Makes an account for readiness at the endpoint that it is called with: with `bad` one in which little is as it should be, with `good` what was
missing as well."""

import sys

from emulator import archive, client_at

CODE = "def handler(event, context):\n    return {}\n"


def metric_alarm(cloudwatch, name, metric, threshold, topic):
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription="see playbooks/pb-orders.md",
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": "orders"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic] if topic else [],
    )


def bad(client):
    """A function, without alarms that tell anybody."""
    account = client("sts").get_caller_identity()["Account"]
    client("lambda").create_function(
        FunctionName="orders",
        Runtime="nodejs12.x",
        Role=f"arn:aws:iam::{account}:role/shop",
        Handler="app.handler",
        Code={"ZipFile": archive("app.py", CODE)},
        Timeout=7,
        Environment={"Variables": {"DB_PASSWORD": "hunter2000"}},
    )
    client("lambda").get_waiter("function_active_v2").wait(FunctionName="orders")
    metric_alarm(client("cloudwatch"), "orders-errors", "Errors", 0, None)
    client("sqs").create_queue(QueueName="jobs")


def good(client):
    """What was missing."""
    topic = client("sns").create_topic(Name="pager")["TopicArn"]
    dead = client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    queue = client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    cloudwatch = client("cloudwatch")
    for name, metric, threshold in [
        ("orders-errors", "Errors", 0),
        ("orders-throttles", "Throttles", 0),
        ("orders-duration", "Duration", 5000),
    ]:
        metric_alarm(cloudwatch, name, metric, threshold, topic)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="nothing is wrong")
    functions = client("lambda")
    functions.update_function_configuration(
        FunctionName="orders", Runtime="python3.13", Environment={"Variables": {"STAGE": "test"}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName="orders")
    arn = functions.get_function_configuration(FunctionName="orders")["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"game-day": "yes", "owner": "team-shop"})
    logs = client("logs")
    try:
        logs.create_log_group(logGroupName="/aws/lambda/orders")
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    logs.put_retention_policy(logGroupName="/aws/lambda/orders", retentionInDays=30)


if __name__ == "__main__":
    {"bad": bad, "good": good}[sys.argv[2]](lambda service: client_at(sys.argv[1], service))
