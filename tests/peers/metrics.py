"""Puts three values of a custom metric into the CloudWatch at the endpoint that is given."""

import sys

import boto3

client = boto3.client(
    "cloudwatch",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="gameday",
    aws_secret_access_key="gameday",
)
for value in (1, 2, 4):
    datum = {"MetricName": "Orders", "Value": value, "Dimensions": [{"Name": "Shop", "Value": "main"}]}
    client.put_metric_data(Namespace="Shop", MetricData=[datum])
