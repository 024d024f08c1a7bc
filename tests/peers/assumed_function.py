"""Works as the role that it is called with, at the endpoint that it is called with.

`create` makes the function `orders` in the role's account; `show` prints its configuration as JSON.
"""

import io
import json
import sys
import zipfile

import boto3


def main():
    verb, endpoint, role_arn = sys.argv[1:]
    place = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    sts = boto3.client("sts", aws_access_key_id="test", aws_secret_access_key="test", **place)
    keys = sts.assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    lambda_ = session.client("lambda", **place)
    if verb == "show":
        found = lambda_.get_function_configuration(FunctionName="orders")
        print(json.dumps({name: found[name] for name in ["FunctionArn", "Timeout"]}))
        return
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    role = session.client("iam", **place).create_role(RoleName="shop", AssumeRolePolicyDocument=json.dumps(trust))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return {}\n")
    lambda_.create_function(
        FunctionName="orders",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=7,
    )


if __name__ == "__main__":
    main()
