"""Holds a dashboard's body against the schema of what CloudWatch documents, and puts it: put_dashboard.py SCHEMA BODY ENDPOINT."""

import json
import sys

import boto3
import jsonschema

schema_file, body_file, endpoint = sys.argv[1:]
with open(schema_file, encoding="utf-8") as file:
    schema = json.load(file)
with open(body_file, encoding="utf-8") as file:
    text = file.read()
body = json.loads(text)
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(body)

# The schema is no rubber stamp: what CloudWatch refuses, it refuses.
for wrong in (
    {"widgets": [{"type": "metric", "properties": {"metrics": [["AWS/Lambda", "Errors"]]}}]},
    {"widgets": [{"type": "alarm", "properties": {"alarms": []}}]},
    {"widgets": [{"type": "text", "x": 24, "properties": {"markdown": ""}}]},
    {"widgets": [{"type": "text", "properties": {}}] * 501},
    {},
):
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(wrong)), wrong

client = boto3.client(
    "cloudwatch",
    endpoint_url=endpoint,
    region_name="eu-west-1",
    aws_access_key_id="gameday",
    aws_secret_access_key="gameday",
)
said = client.put_dashboard(DashboardName="gameday-it", DashboardBody=text)
assert not said.get("DashboardValidationMessages"), said
kept = client.get_dashboard(DashboardName="gameday-it")["DashboardBody"]
assert json.loads(kept) == body
assert "gameday-it" in [entry["DashboardName"] for entry in client.list_dashboards()["DashboardEntries"]]
print("put")
