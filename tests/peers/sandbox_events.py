"""What becomes of asynchronous events of the sandbox, through botocore. Called by sandbox_conformance.py."""

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"


def event_invokes(checks, lambda_):
    get, put = lambda_.get_function_event_invoke_config, lambda_.put_function_event_invoke_config
    update, delete = lambda_.update_function_event_invoke_config, lambda_.delete_function_event_invoke_config
    for name, call, more in [
        ("GetFunctionEventInvokeConfig", get, {}),
        ("UpdateFunctionEventInvokeConfig", update, {"MaximumRetryAttempts": 1}),
        ("DeleteFunctionEventInvokeConfig", delete, {}),
    ]:
        checks.refusal(f"{name} where there is none", "ResourceNotFoundException", call, FunctionName="probe", **more)
        checks.refusal(f"{name} of nobody", "ResourceNotFoundException", call, FunctionName="nobody", **more)
    checks.answer(
        "PutFunctionEventInvokeConfig",
        put,
        FunctionName="probe",
        MaximumRetryAttempts=0,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    found = checks.answer("GetFunctionEventInvokeConfig", get, FunctionName="probe")
    shown = {key: found.get(key) for key in ["MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"]}
    wanted = {
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    checks.expect("it is as it was put", shown == wanted, found)
    found = checks.answer("UpdateFunctionEventInvokeConfig", update, FunctionName="probe", MaximumRetryAttempts=2)
    checks.expect("an update keeps the rest", found.get("MaximumEventAgeInSeconds") == 60, found)
    checks.answer("PutFunctionEventInvokeConfig of an alias", put, FunctionName="probe:live", MaximumRetryAttempts=1)
    listed = checks.answer(
        "ListFunctionEventInvokeConfigs", lambda_.list_function_event_invoke_configs, FunctionName="probe"
    )["FunctionEventInvokeConfigs"]
    names = [config["FunctionArn"].rpartition(":")[2] for config in listed]
    checks.expect("both are listed", names == ["$LATEST", "live"], names)
    for name, change in [
        ("three retries", {"MaximumRetryAttempts": 3}),
        ("too young an age", {"MaximumEventAgeInSeconds": 59}),
        ("no destination's ARN", {"DestinationConfig": {"OnFailure": {"Destination": "failed"}}}),
        ("nothing", {}),
    ]:
        checks.refusal(
            f"PutFunctionEventInvokeConfig with {name}",
            "InvalidParameterValueException",
            put,
            FunctionName="probe",
            **change,
        )
    checks.answer("DeleteFunctionEventInvokeConfig", delete, FunctionName="probe")
    checks.answer("DeleteFunctionEventInvokeConfig of an alias", delete, FunctionName="probe", Qualifier="live")
