"""Creates the two Python functions `orders` and `payments` at the endpoint that it is called with."""

import sys

from emulator import archive, client_at

CODE = """
import os

def handler(event, context):
    return {"colour": os.environ.get("COLOUR"), "other": os.environ.get("OTHER")}
"""


def main():
    def client(service):
        return client_at(sys.argv[1], service)

    lambda_ = client("lambda")
    account = client("sts").get_caller_identity()["Account"]
    for name in ["orders", "payments"]:
        lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=f"arn:aws:iam::{account}:role/shop",
            Handler="app.handler",
            Code={"ZipFile": archive("app.py", CODE)},
            Timeout=7,
            MemorySize=256,
            Environment={"Variables": {"COLOUR": "red", "OTHER": "secret"}},
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
    lambda_.put_function_concurrency(FunctionName="payments", ReservedConcurrentExecutions=7)


if __name__ == "__main__":
    main()
