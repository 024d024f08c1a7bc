"""Provisioned concurrency and function URLs of the sandbox, through botocore. Called by sandbox_conformance.py."""

from sandbox_event_sources import wait_for


def provisioned(checks, lambda_):
    put, get = lambda_.put_provisioned_concurrency_config, lambda_.get_provisioned_concurrency_config
    of = {"FunctionName": "shifted", "Qualifier": "live"}
    checks.refusal(
        "GetProvisionedConcurrencyConfig where there is none", "ProvisionedConcurrencyConfigNotFoundException", get, **of
    )
    answer = checks.answer("PutProvisionedConcurrencyConfig", put, **of, ProvisionedConcurrentExecutions=2)
    checks.expect("it is under way", answer.get("Status") == "IN_PROGRESS", answer)
    wait_for(checks, "it is ready", lambda: get(**of)["Status"] == "READY")
    found = checks.answer("GetProvisionedConcurrencyConfig", get, **of)
    checks.expect("two are allocated", found.get("AllocatedProvisionedConcurrentExecutions") == 2, found)
    settings = checks.answer("GetAccountSettings with it", lambda_.get_account_settings)["AccountLimit"]
    found = (settings["ConcurrentExecutions"], settings["UnreservedConcurrentExecutions"])
    checks.expect("it counts into the account's pool", found == (1000, 998), settings)
    listed = checks.answer(
        "ListProvisionedConcurrencyConfigs", lambda_.list_provisioned_concurrency_configs, FunctionName="shifted"
    )
    found = [config["FunctionArn"].rpartition(":")[2] for config in listed["ProvisionedConcurrencyConfigs"]]
    checks.expect("it is listed", found == ["live"], listed)
    for name, code, change in [
        ("of $LATEST", "InvalidParameterValueException", {"Qualifier": "$LATEST"}),
        ("of 0", "InvalidParameterValueException", {"ProvisionedConcurrentExecutions": 0}),
        ("of too much", "InvalidParameterValueException", {"ProvisionedConcurrentExecutions": 901}),
        ("of no version", "ResourceNotFoundException", {"Qualifier": "7"}),
    ]:
        arguments = {**of, "ProvisionedConcurrentExecutions": 1, **change}
        checks.refusal(f"PutProvisionedConcurrencyConfig {name}", code, put, **arguments)
    checks.refusal(
        "PutFunctionConcurrency below what is provisioned",
        "InvalidParameterValueException",
        lambda_.put_function_concurrency,
        FunctionName="shifted",
        ReservedConcurrentExecutions=1,
    )
    checks.answer("DeleteProvisionedConcurrencyConfig", lambda_.delete_provisioned_concurrency_config, **of)


def url_changes(checks, lambda_):
    update = lambda_.update_function_url_config
    for auth_type in ["AWS_IAM", "NONE"]:
        answer = checks.answer(
            f"UpdateFunctionUrlConfig to {auth_type}",
            update,
            FunctionName="checkout-fn",
            AuthType=auth_type,
            InvokeMode="BUFFERED",
        )
        checks.expect(f"it is {auth_type}", answer.get("AuthType") == auth_type, answer)
    checks.answer("UpdateFunctionUrlConfig of an alias", update, FunctionName="probe", Qualifier="live", AuthType="NONE")
    for name, code, change in [
        ("of nobody", "ResourceNotFoundException", {"FunctionName": "nobody"}),
        ("of a version", "InvalidParameterValueException", {"FunctionName": "probe", "Qualifier": "1"}),
        ("to what is none", "InvalidParameterValueException", {"AuthType": "OPEN"}),
        ("to response streaming", "InvalidParameterValueException", {"InvokeMode": "RESPONSE_STREAM"}),
        ("with CORS", "InvalidParameterValueException", {"Cors": {"MaxAge": 1}}),
    ]:
        checks.refusal(f"UpdateFunctionUrlConfig {name}", code, update, **{"FunctionName": "checkout-fn", **change})
