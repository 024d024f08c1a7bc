"""Creates two roles, two queues, one with a policy, a table, a rule and a user with an access key at the endpoint that it is called with.

Prints the key as one JSON object: {"id": …, "secret": …}.
"""

import json
import sys

from emulator import REGION, client_at

TAGS = [{"Key": "game-day", "Value": "yes"}]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SEND = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}


def main():
    def client(service):
        return client_at(sys.argv[1], service)

    iam = client("iam")
    # MiniStack 1.5.33 finds no policies in a simulation for a role that has a path.
    for name, path in [("shop", "/"), ("courier", "/team/")]:
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=TAGS)
    iam.put_role_policy(RoleName="shop", PolicyName="send", PolicyDocument=json.dumps(SEND))
    sqs = client("sqs")
    sqs.create_queue(QueueName="orders", tags={"game-day": "yes"})
    url = sqs.create_queue(QueueName="payments")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Id": "shop", "Statement": [allow]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    client("dynamodb").create_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=TAGS,
    )
    events = client("events")
    events.create_event_bus(Name="shop")
    for rule in [{"Name": "nightly", "Tags": TAGS}, {"Name": "paid", "EventBusName": "shop"}]:
        events.put_rule(EventPattern='{"source": ["shop"]}', **rule)
    iam.create_user(UserName="facilitator")
    iam.put_user_policy(UserName="facilitator", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="facilitator")["AccessKey"]
    print(json.dumps({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}))


main()
