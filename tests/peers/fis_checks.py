"""Every operation of the sandbox's Fault Injection Service through botocore."""

import copy
import time

# How long a condition may take to come true on a slow machine.
PATIENCE_SECONDS = 60

TEMPLATE = {
    "clientToken": "template-1",
    "description": "errors, then a wait",
    "roleArn": "arn:aws:iam::000000000000:role/fis",
    "stopConditions": [
        {"source": "aws:cloudwatch:alarm", "value": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:fis-stop"}
    ],
    "targets": {
        "tagged": {
            "resourceType": "aws:lambda:function",
            "resourceTags": {"gameday": "allowed"},
            "selectionMode": "ALL",
            "parameters": {"functionQualifier": "live"},
        }
    },
    "actions": {
        "fail": {
            "actionId": "aws:lambda:invocation-error",
            "description": "half of all fail",
            "parameters": {"duration": "PT5M", "invocationPercentage": "50", "preventExecution": "true"},
            "targets": {"Functions": "tagged"},
        },
        "wait": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1S"}, "startAfter": ["fail"]},
    },
    "experimentOptions": {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"},
    "logConfiguration": {
        "logSchemaVersion": 2,
        "cloudWatchLogsConfiguration": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:fis:*"},
    },
    "tags": {"run": "r-1"},
}

ALARM = {
    "AlarmName": "fis-stop",
    "Namespace": "Shop",
    "MetricName": "nothing",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def check(checks, fis, cloudwatch):
    cloudwatch.put_metric_alarm(**ALARM)
    catalog(checks, fis)
    template = templates(checks, fis)
    experiments(checks, fis, cloudwatch, template)
    lever(checks, fis, template)
    tags(checks, fis, template)
    refusals(checks, fis, template)
    deleted = checks.answer("DeleteExperimentTemplate", fis.delete_experiment_template, id=template)
    checks.expect("what was deleted is told", deleted.get("experimentTemplate", {}).get("id") == template, deleted)
    checks.refusal("it is gone", "ResourceNotFoundException", fis.get_experiment_template, id=template)
    cloudwatch.delete_alarms(AlarmNames=["fis-stop"])


def catalog(checks, fis):
    actions = checks.answer("ListActions", fis.list_actions).get("actions", [])
    checks.expect("there are four actions", len(actions) == 4, actions)
    for action in actions:
        checks.answer(f"GetAction of {action['id']}", fis.get_action, id=action["id"])
    first = fis.list_actions(maxResults=3)
    pages = [first["actions"], fis.list_actions(maxResults=3, nextToken=first["nextToken"])["actions"]]
    checks.expect("actions come in pages", [len(page) for page in pages] == [3, 1], pages)
    checks.refusal("GetAction of no action", "ResourceNotFoundException", fis.get_action, id="aws:ec2:stop-instances")
    checks.refusal("ListActions of none", "ValidationException", fis.list_actions, maxResults=0)
    checks.refusal("ListActions with a token of nobody's", "ValidationException", fis.list_actions, nextToken="x")
    checks.answer("ListTargetResourceTypes", fis.list_target_resource_types)
    kind = "aws:lambda:function"
    checks.answer("GetTargetResourceType", fis.get_target_resource_type, resourceType=kind)
    checks.refusal(
        "GetTargetResourceType of none",
        "ResourceNotFoundException",
        fis.get_target_resource_type,
        resourceType="aws:ec2:instance",
    )


def templates(checks, fis):
    create = fis.create_experiment_template
    made = checks.answer("CreateExperimentTemplate", create, **TEMPLATE).get("experimentTemplate", {})
    again = checks.answer("CreateExperimentTemplate with its token", create, **TEMPLATE).get("experimentTemplate", {})
    checks.expect("one token makes one template", made.get("id") == again.get("id"), (made, again))
    other = {**TEMPLATE, "description": "other"}
    checks.refusal("CreateExperimentTemplate of another with it", "ConflictException", create, **other)
    found = checks.answer("GetExperimentTemplate", fis.get_experiment_template, id=made["id"])["experimentTemplate"]
    told = {name: found.get(name) for name in TEMPLATE if name != "clientToken"}
    given = {name: value for name, value in TEMPLATE.items() if name != "clientToken"}
    checks.expect("a template comes back as it was made", told == given, told)
    update = fis.update_experiment_template
    changed = checks.answer("UpdateExperimentTemplate", update, id=made["id"], description="changed")
    changed = changed.get("experimentTemplate", {})
    is_so = (changed.get("description"), changed.get("actions")) == ("changed", TEMPLATE["actions"])
    checks.expect("a change leaves the rest", is_so, changed)
    listed = checks.answer("ListExperimentTemplates", fis.list_experiment_templates).get("experimentTemplates", [])
    checks.expect("it is listed", [template["id"] for template in listed] == [made["id"]], listed)
    return made["id"]


def wait_for(fis, experiment, status):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = fis.get_experiment(id=experiment)["experiment"]["state"]["status"]
        if found == status or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def experiments(checks, fis, cloudwatch, template):
    # The token of the template: each operation has tokens of its own.
    start = {"clientToken": TEMPLATE["clientToken"], "experimentTemplateId": template, "tags": {"run": "r-1"}}
    experiment = checks.answer("StartExperiment", fis.start_experiment, **start).get("experiment", {})
    again = checks.answer("StartExperiment with its token", fis.start_experiment, **start).get("experiment", {})
    checks.expect("one token makes one experiment", experiment.get("id") == again.get("id"), again)
    found = wait_for(fis, experiment["id"], "running")
    checks.expect("it runs", found == "running", found)
    checks.answer("GetExperiment of one that runs", fis.get_experiment, id=experiment["id"])
    resolved = checks.answer(
        "ListExperimentResolvedTargets",
        fis.list_experiment_resolved_targets,
        experimentId=experiment["id"],
        targetName="tagged",
    ).get("resolvedTargets", [])
    arns = [target["targetInformation"]["arn"] for target in resolved]
    checks.expect("the tag found the probe", [arn.split(":")[-1] for arn in arns] == ["probe"], resolved)
    checks.answer("StopExperiment", fis.stop_experiment, id=experiment["id"])
    found = wait_for(fis, experiment["id"], "stopped")
    checks.expect("it has stopped", found == "stopped", found)
    checks.answer("GetExperiment of one that was stopped", fis.get_experiment, id=experiment["id"])
    checks.refusal("StopExperiment once more", "ValidationException", fis.stop_experiment, id=experiment["id"])

    start = {"clientToken": "experiment-2", "experimentTemplateId": template}
    skipped = checks.answer(
        "StartExperiment that skips all", fis.start_experiment, **start, experimentOptions={"actionsMode": "skip-all"}
    ).get("experiment", {})
    found = wait_for(fis, skipped["id"], "completed")
    checks.expect("it has completed", found == "completed", found)
    checks.answer("GetExperiment of one that skipped all", fis.get_experiment, id=skipped["id"])

    halted = fis.start_experiment(clientToken="experiment-3", experimentTemplateId=template)["experiment"]
    wait_for(fis, halted["id"], "running")
    cloudwatch.set_alarm_state(AlarmName="fis-stop", StateValue="ALARM", StateReason="a drill")
    found = wait_for(fis, halted["id"], "stopped")
    checks.expect("an alarm stops it", found == "stopped", found)
    cloudwatch.set_alarm_state(AlarmName="fis-stop", StateValue="OK", StateReason="the drill is over")
    listed = checks.answer("ListExperiments", fis.list_experiments, experimentTemplateId=template)
    checks.expect("all three are listed", len(listed.get("experiments", [])) == 3, listed)
    none = checks.answer("ListExperiments of no template", fis.list_experiments, experimentTemplateId="EXT0")
    checks.expect("none is listed", none.get("experiments") == [], none)
    page = checks.answer("ListExperiments by pages", fis.list_experiments, maxResults=2)
    checks.expect("there is more", len(page.get("experiments", [])) == 2 and "nextToken" in page, page)


def lever(checks, fis, template):
    checks.answer("GetSafetyLever", fis.get_safety_lever, id="default")
    update = fis.update_safety_lever_state
    engaged = {"status": "engaged", "reason": "a drill"}
    pulled = checks.answer("UpdateSafetyLeverState", update, id="default", state=engaged)
    checks.expect("it is engaged", pulled.get("safetyLever", {}).get("state") == engaged, pulled)
    late = fis.start_experiment(clientToken="experiment-4", experimentTemplateId=template)["experiment"]
    found = wait_for(fis, late["id"], "cancelled")
    checks.expect("what is started now is cancelled", found == "cancelled", found)
    checks.answer("GetExperiment of one that was cancelled", fis.get_experiment, id=late["id"])
    checks.answer(
        "UpdateSafetyLeverState back", update, id="default", state={"status": "disengaged", "reason": "it is over"}
    )
    checks.refusal("GetSafetyLever of none", "ResourceNotFoundException", fis.get_safety_lever, id="other")
    checks.refusal("UpdateSafetyLeverState of none", "ResourceNotFoundException", update, id="other", state=engaged)
    half = {"status": "half", "reason": "x"}
    checks.refusal("UpdateSafetyLeverState to what it can not be", "ValidationException", update, id="default", state=half)


def tags(checks, fis, template):
    arn = fis.get_experiment_template(id=template)["experimentTemplate"]["arn"]
    checks.answer("TagResource", fis.tag_resource, resourceArn=arn, tags={"a": "1", "b": "2"})
    checks.answer("UntagResource", fis.untag_resource, resourceArn=arn, tagKeys=["a", "run"])
    found = checks.answer("ListTagsForResource", fis.list_tags_for_resource, resourceArn=arn)
    checks.expect("the tags are what is left", found.get("tags") == {"b": "2"}, found)


def refusals(checks, fis, template):
    create = fis.create_experiment_template
    for name, path, value in [
        ("no role", ["roleArn"], None),
        ("no stop condition", ["stopConditions"], []),
        ("no action", ["actions"], {}),
        ("an unknown action", ["actions", "wait", "actionId"], "aws:ec2:stop-instances"),
        ("an unknown parameter", ["actions", "wait", "parameters", "colour"], "red"),
        ("a duration that is none", ["actions", "wait", "parameters", "duration"], "1m"),
        ("a duration that is too long", ["actions", "wait", "parameters", "duration"], "PT13H"),
        ("a percentage that is none", ["actions", "fail", "parameters", "invocationPercentage"], "101"),
        ("an unknown target", ["actions", "fail", "targets", "Functions"], "nobody"),
        ("no target", ["actions", "fail", "targets"], {}),
        ("an unknown predecessor", ["actions", "wait", "startAfter"], ["nobody"]),
        ("an unknown selection", ["targets", "tagged", "selectionMode"], "SOME"),
        ("several accounts", ["experimentOptions", "accountTargeting"], "multi-account"),
        ("a token with a space", ["clientToken"], "a b"),
    ]:
        wrong = copy.deepcopy({**TEMPLATE, "clientToken": f"refused-{name.replace(' ', '-')}"})
        place = wrong
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        if value is None:
            del place[path[-1]]
        checks.refusal(f"CreateExperimentTemplate with {name}", "ValidationException", create, **wrong)
    many = {f"wait{number}": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1S"}} for number in range(21)}
    many = {**TEMPLATE, "clientToken": "many", "actions": many}
    checks.refusal("CreateExperimentTemplate with 21 actions", "ServiceQuotaExceededException", create, **many)
    for call, more in [
        (fis.get_experiment_template, {"id": "EXT0"}),
        (fis.update_experiment_template, {"id": "EXT0", "description": "x"}),
        (fis.delete_experiment_template, {"id": "EXT0"}),
        (fis.get_experiment, {"id": "EXP0"}),
        (fis.stop_experiment, {"id": "EXP0"}),
        (fis.start_experiment, {"clientToken": "t", "experimentTemplateId": "EXT0"}),
        (fis.list_experiment_resolved_targets, {"experimentId": "EXP0"}),
    ]:
        checks.refusal(f"{call.__name__} of nobody", "ResourceNotFoundException", call, **more)
    start = {"clientToken": "u", "experimentTemplateId": template, "experimentOptions": {"actionsMode": "some"}}
    checks.refusal("StartExperiment in no known way", "ValidationException", fis.start_experiment, **start)
    start = {"clientToken": TEMPLATE["clientToken"], "experimentTemplateId": template}
    checks.refusal("StartExperiment with a used token", "ConflictException", fis.start_experiment, **start)
