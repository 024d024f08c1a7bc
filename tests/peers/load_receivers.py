"""What loads send to: `create ENDPOINT` makes it, `received ENDPOINT COUNTS` prints what has come to each as one JSON object.

A topic and a bus pass on to queues of their own, so that what they took can be read, and an emulator takes its time for that: COUNTS,
{name: count}, is waited for, at most for half a minute.
"""

import json
import sys
import time

from emulator import client_at

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SERVICES = ["events.amazonaws.com", "sns.amazonaws.com"]
QUEUES = ["orders", "orders.fifo", "from-topic", "from-bus"]


def create(client):
    # The one that functions of other scripts have.
    client("iam").create_role(RoleName="shop", AssumeRolePolicyDocument=json.dumps(TRUST))
    sqs = client("sqs")
    arns = {}
    for name in QUEUES:
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        url = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        arns[name] = arn
    sns = client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["from-topic"])
    events = client("events")
    events.create_event_bus(Name="shop")
    pattern = json.dumps({"source": ["shop.load"]})
    events.put_rule(Name="all", EventBusName="shop", EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName="shop", Targets=[{"Id": "q", "Arn": arns["from-bus"]}])
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="clicks", WaiterConfig={"Delay": 1})


def messages(sqs, name):
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = []
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            attributes = {key: value["StringValue"] for key, value in message.get("MessageAttributes", {}).items()}
            group = message.get("Attributes", {}).get("MessageGroupId")
            found.append({"body": message["Body"], "attributes": attributes, "group": group})
        if not answer.get("Messages"):
            return found


def records(kinesis):
    shard = kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["Shards"][0]["ShardId"]
    at = kinesis.get_shard_iterator(StreamName="clicks", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found = kinesis.get_records(ShardIterator=at["ShardIterator"], Limit=1000)["Records"]
    return [{"body": record["Data"].decode(), "key": record["PartitionKey"]} for record in found]


def received(client, counts):
    found = {name: [] for name in QUEUES}
    deadline = time.monotonic() + 30
    while True:
        for name in QUEUES:
            found[name] += messages(client("sqs"), name)
        found["clicks"] = records(client("kinesis"))
        is_there = all(len(found[name]) >= count for name, count in counts.items())
        if is_there or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def main():
    what, endpoint = sys.argv[1:3]

    def client(service):
        return client_at(endpoint, service)

    if what == "create":
        create(client)
        return
    print(json.dumps(received(client, json.loads(sys.argv[3]))))


main()
