"""Versions, aliases and layers of the sandbox, through botocore. Called by sandbox_conformance.py."""

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:{}:1"


def versions(checks, lambda_):
    publish = lambda_.publish_version
    lambda_.update_function_configuration(FunctionName="shifted", Description="changed", Timeout=4)
    lambda_.get_waiter("function_updated_v2").wait(FunctionName="shifted", WaiterConfig={"Delay": 1})
    latest = lambda_.get_function_configuration(FunctionName="shifted")
    published = checks.answer(
        "PublishVersion",
        publish,
        FunctionName="shifted",
        Description="second",
        CodeSha256=latest["CodeSha256"],
        RevisionId=latest["RevisionId"],
    )
    found = {key: published.get(key) for key in ["Version", "Description", "Timeout"]}
    checks.expect("a version is a copy", found == {"Version": "2", "Description": "second", "Timeout": 4}, found)
    again = checks.answer("PublishVersion with nothing new", publish, FunctionName="shifted")
    checks.expect("nothing new is the last version", again.get("Version") == "2", again)
    for name, code, more in [
        ("of a stale revision", "PreconditionFailedException", {"RevisionId": "stale"}),
        ("of other code", "InvalidParameterValueException", {"CodeSha256": "x"}),
        ("of nobody", "ResourceNotFoundException", {"FunctionName": "nobody"}),
    ]:
        checks.refusal(f"PublishVersion {name}", code, publish, **{"FunctionName": "shifted", **more})

    aliases(checks, lambda_)

    delete = lambda_.delete_function
    for name, code, qualifier in [
        ("in use", "ResourceConflictException", "1"),
        ("that is not there", "ResourceNotFoundException", "7"),
        ("that changes", "InvalidParameterValueException", "$LATEST"),
    ]:
        checks.refusal(f"DeleteFunction of a version {name}", code, delete, FunctionName="shifted", Qualifier=qualifier)
    deleted = checks.answer("DeleteFunction of a version", delete, FunctionName="shifted", Qualifier="2")
    checks.expect("a version is deleted with 204", deleted.get("StatusCode") == 204, deleted)


def aliases(checks, lambda_):
    create, update = lambda_.create_alias, lambda_.update_alias
    made = checks.answer(
        "CreateAlias",
        create,
        FunctionName="shifted",
        Name="next",
        FunctionVersion="1",
        Description="a canary",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}},
    )
    weights = made.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    checks.expect("an alias tells its weights", weights == {"2": 0.3}, made)
    listed = checks.answer("ListAliases with weights", lambda_.list_aliases, FunctionName="shifted")
    checks.expect("both aliases are listed", [alias["Name"] for alias in listed["Aliases"]] == ["live", "next"], listed)
    for name, code, more in [
        ("that is there", "ResourceConflictException", {"Name": "live"}),
        ("of no version", "ResourceNotFoundException", {"FunctionVersion": "7"}),
        ("named like a version", "InvalidParameterValueException", {"Name": "7"}),
        ("of nobody", "ResourceNotFoundException", {"FunctionName": "nobody"}),
    ]:
        arguments = {"FunctionName": "shifted", "Name": "other", "FunctionVersion": "1", **more}
        checks.refusal(f"CreateAlias {name}", code, create, **arguments)

    updated = checks.answer(
        "UpdateAlias",
        update,
        FunctionName="shifted",
        Name="next",
        RoutingConfig={"AdditionalVersionWeights": {"2": 1}},
        RevisionId=made["RevisionId"],
    )
    checks.expect("a change has a revision of its own", updated.get("RevisionId") != made["RevisionId"], updated)
    for name, code, more in [
        ("of a stale revision", "PreconditionFailedException", {"RevisionId": made["RevisionId"]}),
        ("that is not there", "ResourceNotFoundException", {"Name": "dead"}),
        ("with two more versions", "InvalidParameterValueException", weighing({"1": 0.1, "2": 0.1})),
        ("with a weight over 1", "InvalidParameterValueException", weighing({"2": 1.1})),
        ("with a weight of $LATEST", "InvalidParameterValueException", weighing({"$LATEST": 0.1})),
        ("from $LATEST", "InvalidParameterValueException", {"FunctionVersion": "$LATEST"}),
    ]:
        checks.refusal(f"UpdateAlias {name}", code, update, **{"FunctionName": "shifted", "Name": "next", **more})
    alone = checks.answer("UpdateAlias, one version", update, FunctionName="shifted", Name="next", RoutingConfig={})
    checks.expect("one version has no weights", "RoutingConfig" not in alone, alone)
    for name in ["DeleteAlias", "DeleteAlias once more"]:
        checks.answer(name, lambda_.delete_alias, FunctionName="shifted", Name="next")


def weighing(weights):
    return {"RoutingConfig": {"AdditionalVersionWeights": weights}}


def layers(checks, lambda_):
    update = lambda_.update_function_configuration
    wanted = [LAYER.format("chaos"), LAYER.format("base")]
    checks.answer("UpdateFunctionConfiguration with layers", update, FunctionName="probe", Layers=wanted)
    found = checks.answer("its layers", lambda_.get_function_configuration, FunctionName="probe").get("Layers", [])
    checks.expect("the layers keep their order", [layer["Arn"] for layer in found] == wanted, found)
    for text, layers in [("six layers", [LAYER.format(name) for name in "abcdef"]), ("no layer's ARN", ["x"])]:
        checks.refusal(
            f"UpdateFunctionConfiguration with {text}",
            "InvalidParameterValueException",
            update,
            FunctionName="probe",
            Layers=layers,
        )
    none = checks.answer("no layers", update, FunctionName="probe", Layers=[])
    checks.expect("no layers are no member", "Layers" not in none, none)
