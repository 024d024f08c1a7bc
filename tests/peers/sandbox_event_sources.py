"""Event source mappings and queues of the sandbox, through botocore. Called by sandbox_conformance.py."""

import json
import time

# How long a condition may take to come true on a slow machine.
PATIENCE_SECONDS = 60
NOBODY = "00000000-0000-4000-8000-000000000000"


def wait_for(checks, name, holds):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    checks.expect(name, holds(), "it is still not so")


def event_sources(checks, lambda_):
    listing = lambda_.list_event_source_mappings
    found = checks.answer("ListEventSourceMappings", listing, FunctionName="fed")["EventSourceMappings"]
    checks.expect("a function has its mapping", len(found) == 1, found)
    uuid, arn = found[0]["UUID"], found[0]["EventSourceArn"]
    for name, count, of in [
        ("of a queue", 1, {"EventSourceArn": arn}),
        ("of another queue", 0, {"EventSourceArn": f"{arn}x"}),
        ("of a function without one", 0, {"FunctionName": "probe"}),
        ("of all", 1, {}),
    ]:
        found = checks.answer(f"ListEventSourceMappings {name}", listing, **of)["EventSourceMappings"]
        checks.expect(f"there are {count} {name}", len(found) == count, found)
    checks.refusal(
        "ListEventSourceMappings of nobody", "ResourceNotFoundException", listing, FunctionName="nobody"
    )

    get, update = lambda_.get_event_source_mapping, lambda_.update_event_source_mapping
    found = checks.answer("GetEventSourceMapping", get, UUID=uuid)
    shown = (found.get("State"), found.get("BatchSize"), found.get("ScalingConfig"))
    checks.expect("it is as in the file", shown == ("Enabled", 5, {"MaximumConcurrency": 3}), found)

    def is_in(state):
        return get(UUID=uuid)["State"] == state

    for state, settled, change in [
        ("Disabling", "Disabled", {"Enabled": False}),
        ("Updating", "Disabled", {"BatchSize": 10, "ScalingConfig": {}}),
        ("Enabling", "Enabled", {"Enabled": True}),
    ]:
        answer = checks.answer(f"UpdateEventSourceMapping, {state}", update, UUID=uuid, **change)
        checks.expect(f"its state is {state}", answer.get("State") == state, answer)
        checks.refusal("another while it is", "ResourceInUseException", update, UUID=uuid, Enabled=True)
        wait_for(checks, f"it ends as {settled}", lambda settled=settled: is_in(settled))
    for name, change in [
        ("a batch of 0", {"BatchSize": 0}),
        ("a batch of 11", {"BatchSize": 11}),
        ("a concurrency of 1", {"ScalingConfig": {"MaximumConcurrency": 1}}),
        ("what the sandbox can not change", {"MaximumRetryAttempts": 1}),
    ]:
        checks.refusal(
            f"UpdateEventSourceMapping with {name}", "InvalidParameterValueException", update, UUID=uuid, **change
        )
    for name, call in [("GetEventSourceMapping", get), ("UpdateEventSourceMapping", update)]:
        checks.refusal(f"{name} of nobody", "ResourceNotFoundException", call, UUID=NOBODY)


def queues(checks, sqs):
    url = checks.answer("SQS GetQueueUrl", sqs.get_queue_url, QueueName="orders")["QueueUrl"]
    made = checks.answer("SQS CreateQueue", sqs.create_queue, QueueName="other")["QueueUrl"]
    listed = checks.answer("SQS ListQueues", sqs.list_queues, QueueNamePrefix="o")
    checks.expect("both queues are listed", listed.get("QueueUrls") == [url, made], listed)

    checks.answer("SQS SendMessage", sqs.send_message, QueueUrl=url, MessageBody=json.dumps({"do": "pid"}))
    entries = [{"Id": str(number), "MessageBody": json.dumps({"do": "pid"})} for number in range(10)]
    checks.answer("SQS SendMessageBatch", sqs.send_message_batch, QueueUrl=url, Entries=entries)

    def counts():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "QueueArn"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    wait_for(checks, "the function serves the queue", lambda: counts() == (0, 0))
    checks.answer("SQS GetQueueAttributes", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])

    checks.answer("SQS SendMessage to another", sqs.send_message, QueueUrl=made, MessageBody="grün")
    received = checks.answer("SQS ReceiveMessage", sqs.receive_message, QueueUrl=made, AttributeNames=["All"])
    bodies = [message["Body"] for message in received.get("Messages", [])]
    checks.expect("it is what was sent", bodies == ["grün"], received)
    receipt = received["Messages"][0]["ReceiptHandle"]
    checks.answer("SQS DeleteMessage", sqs.delete_message, QueueUrl=made, ReceiptHandle=receipt)
    checks.answer("SQS ReceiveMessage of nothing", sqs.receive_message, QueueUrl=made)
    checks.answer("SQS PurgeQueue", sqs.purge_queue, QueueUrl=made)

    for name, code, call, arguments in [
        ("GetQueueUrl of nobody", "QueueDoesNotExist", sqs.get_queue_url, {"QueueName": "nobody"}),
        ("SendMessage to nobody", "QueueDoesNotExist", sqs.send_message, {"QueueUrl": f"{url}x", "MessageBody": "x"}),
        ("SendMessage of nothing", "InvalidMessageContents", sqs.send_message, {"QueueUrl": url, "MessageBody": ""}),
        ("SendMessageBatch of none", "EmptyBatchRequest", sqs.send_message_batch, {"QueueUrl": url, "Entries": []}),
        (
            "SendMessageBatch of too many",
            "TooManyEntriesInBatchRequest",
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [*entries, {"Id": "more", "MessageBody": "x"}]},
        ),
        (
            "SendMessageBatch with an id twice",
            "BatchEntryIdsNotDistinct",
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": entries[:1] * 2},
        ),
        (
            "GetQueueAttributes of none",
            "InvalidAttributeName",
            sqs.get_queue_attributes,
            {"QueueUrl": url, "AttributeNames": ["Colour"]},
        ),
        (
            "DeleteMessage of none",
            "ReceiptHandleIsInvalid",
            sqs.delete_message,
            {"QueueUrl": url, "ReceiptHandle": "x"},
        ),
    ]:
        checks.refusal(f"SQS {name}", code, call, **arguments)
