"""Calls services with a key whose secret is wrong: resigned.py ENDPOINT KEY_ID [TOKEN].

Prints one JSON object with what each call came to: its result in a word, or the code of the refusal.
"""

import json
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ODD_KEY = "a b/c+d~e//é.txt"


def client(service):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id=sys.argv[2],
        aws_secret_access_key="not the secret",
        aws_session_token=sys.argv[3] if len(sys.argv) > 3 else None,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def attempt(call):
    try:
        return call()
    except ClientError as error:
        return error.response["Error"]["Code"]


def table():
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}, "note": {"S": "kept"}})
    return dynamodb.get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]["note"]["S"]


def queue():
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="sent")
    return sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"]


def bucket():
    s3 = client("s3")
    s3.create_bucket(Bucket="shop")
    s3.put_object(Bucket="shop", Key=ODD_KEY, Body=b"stored", Metadata={"note": "two  words"})
    s3.list_objects_v2(Bucket="shop", Prefix="a b/", Delimiter="&")
    return s3.get_object(Bucket="shop", Key=ODD_KEY)["Body"].read().decode()


def presigned():
    url = client("s3").generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": ODD_KEY})
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    print(
        json.dumps(
            {
                "form": attempt(lambda: client("sts").get_caller_identity()["Arn"].split(":", 5)[5]),
                "json": attempt(table),
                "queue": attempt(queue),
                "rest": attempt(lambda: len(client("lambda").list_functions(MaxItems=1)["Functions"])),
                "bucket": attempt(bucket),
                "presigned": presigned(),
            }
        )
    )


main()
