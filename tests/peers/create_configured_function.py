"""Creates the Python function `shop` with all that a function can have, at the endpoint that it is called with.

Two layers, an alias `live`, a function URL, a queue that feeds it, and a say in what becomes of events that fail.
"""

import sys

from emulator import archive, client_at

CODE = "import os\n\ndef handler(event, context):\n    return {'colour': os.environ.get('COLOUR')}\n"


def main():
    def client(service):
        return client_at(sys.argv[1], service)

    lambda_ = client("lambda")
    account = client("sts").get_caller_identity()["Account"]
    layers = {
        name: lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": archive("a.txt", name)})["LayerVersionArn"]
        for name in ["first", "second", "slow", "other"]
    }
    sqs = client("sqs")
    queue, failed = (
        sqs.get_queue_attributes(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"], AttributeNames=["QueueArn"])
        for name in ["shop", "shop-failed"]
    )
    lambda_.create_function(
        FunctionName="shop",
        Runtime="python3.11",
        Role=f"arn:aws:iam::{account}:role/shop",
        Handler="app.handler",
        Code={"ZipFile": archive("app.py", CODE)},
        Timeout=7,
        MemorySize=256,
        Environment={"Variables": {"COLOUR": "red", "OTHER": "secret"}},
        Layers=[layers["first"], layers["second"]],
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="shop")
    version = lambda_.publish_version(FunctionName="shop")["Version"]
    lambda_.create_alias(FunctionName="shop", Name="live", FunctionVersion=version)
    lambda_.create_function_url_config(FunctionName="shop", AuthType="NONE")
    lambda_.create_event_source_mapping(
        FunctionName="shop",
        EventSourceArn=queue["Attributes"]["QueueArn"],
        BatchSize=5,
        ScalingConfig={"MaximumConcurrency": 4},
    )
    lambda_.put_function_event_invoke_config(
        FunctionName="shop",
        DestinationConfig={"OnFailure": {"Destination": failed["Attributes"]["QueueArn"]}},
    )


if __name__ == "__main__":
    main()
