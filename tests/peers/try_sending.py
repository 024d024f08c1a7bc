"""Says who may send at the endpoint: try_sending.py ENDPOINT KEY_ID SECRET.

Prints one JSON object: {"user": …, "role": …}, for the user with that key and the queue `payments`, and for a session of the role
`courier` and the queue `orders`; the value is `sent`, or the code of the refusal.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError


def main():
    endpoint, key_id, secret = sys.argv[1:]

    def client(service, key):
        return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", **key)

    def attempt(key, queue):
        sqs = client("sqs", key)
        try:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="x")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "sent"

    test = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    user = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    iam = client("iam", test)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    iam.update_assume_role_policy(RoleName="courier", PolicyDocument=json.dumps(trust))
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="courier", PolicyName="all", PolicyDocument=json.dumps(everything))
    arn = iam.get_role(RoleName="courier")["Role"]["Arn"]
    session = client("sts", user).assume_role(RoleArn=arn, RoleSessionName="it")["Credentials"]
    role = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    print(json.dumps({"user": attempt(user, "payments"), "role": attempt(role, "orders")}))


main()
