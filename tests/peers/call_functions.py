"""Makes the Python function `logger` at the endpoint that it is called with, and calls it: three times well, once with an error."""

import json
import sys

from botocore.exceptions import ClientError

from emulator import archive, client_at

CODE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no card " + str(event["fail"]))
    return {}
"""


def main():
    lambda_ = client_at(sys.argv[1], "lambda")
    account = client_at(sys.argv[1], "sts").get_caller_identity()["Account"]
    try:
        lambda_.create_function(
            FunctionName="logger",
            Runtime="python3.11",
            Role=f"arn:aws:iam::{account}:role/shop",
            Handler="app.handler",
            Code={"ZipFile": archive("app.py", CODE)},
            Timeout=7,
            MemorySize=256,
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName="logger")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceConflictException", error
    for event in [{}, {}, {}, {"fail": 4711}] if len(sys.argv) == 2 else []:
        lambda_.invoke(FunctionName="logger", Payload=json.dumps(event))


if __name__ == "__main__":
    main()
