"""Every operation of the sandbox's CloudWatch through botocore, in each of the two protocols that the sandbox speaks."""

import time

# How long a condition may take to come true on a slow machine.
PATIENCE_SECONDS = 60

ALARM = {
    "AlarmName": "probe-errors",
    "AlarmDescription": "the probe fails",
    "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:nobody"],
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "probe"}],
    "Statistic": "Sum",
    "Period": 10,
    "Unit": "Count",
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 1.5,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}


def check(checks, cloudwatch):
    protocol = cloudwatch.meta.service_model.resolved_protocol
    alarms(checks, cloudwatch, protocol)
    history(checks, cloudwatch, protocol)
    metrics(checks, cloudwatch, protocol)
    refusals(checks, cloudwatch, protocol)
    checks.answer(f"DeleteAlarms ({protocol})", cloudwatch.delete_alarms, AlarmNames=["probe-errors", "slow"])
    left = cloudwatch.describe_alarms()["MetricAlarms"]
    checks.expect("no alarm is left", left == [], left)


def alarms(checks, cloudwatch, protocol):
    checks.answer(f"PutMetricAlarm ({protocol})", cloudwatch.put_metric_alarm, **ALARM)
    slow = {**ALARM, "AlarmName": "slow", "MetricName": "Duration", "ExtendedStatistic": "p99", "Unit": "Milliseconds"}
    del slow["Statistic"]
    checks.answer("PutMetricAlarm of a percentile", cloudwatch.put_metric_alarm, **slow)
    found = checks.answer("DescribeAlarms", cloudwatch.describe_alarms, AlarmNames=["probe-errors"])
    alarm = found.get("MetricAlarms", [{}])[0]
    same = {name: alarm.get(name) for name in ALARM}
    checks.expect("an alarm comes back as it was put", same == ALARM, same)
    checks.expect("its times are times", hasattr(alarm.get("StateUpdatedTimestamp"), "year"), alarm)
    pages = [page["MetricAlarms"] for page in cloudwatch.get_paginator("describe_alarms").paginate(MaxRecords=1)]
    checks.expect("alarms come in pages", [len(page) for page in pages] == [1, 1], pages)
    for name, count, more in [
        ("a prefix", 1, {"AlarmNamePrefix": "sl"}),
        ("an action's prefix", 2, {"ActionPrefix": "arn:aws:sns"}),
        ("another kind", 0, {"AlarmTypes": ["CompositeAlarm"]}),
    ]:
        found = checks.answer(f"DescribeAlarms by {name}", cloudwatch.describe_alarms, **more)
        checks.expect(f"{count} alarms by {name}", len(found.get("MetricAlarms", [])) == count, found)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(cloudwatch.describe_alarms(StateValue="OK")["MetricAlarms"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    found = checks.answer("DescribeAlarms by state", cloudwatch.describe_alarms, StateValue="OK")
    checks.expect("the alarms were looked at", len(found.get("MetricAlarms", [])) == 2, found)
    state = {"AlarmName": "probe-errors", "StateValue": "ALARM", "StateReason": "a drill", "StateReasonData": '{"a": 1}'}
    checks.answer("SetAlarmState", cloudwatch.set_alarm_state, **state)
    found = checks.answer("DescribeAlarms of a set state", cloudwatch.describe_alarms, StateValue="ALARM")
    reasons = [alarm["StateReason"] for alarm in found.get("MetricAlarms", [])]
    checks.expect("the state is the one that was set", reasons == ["a drill"], reasons)


def history(checks, cloudwatch, protocol):
    rules = checks.answer(f"ListAlarmMuteRules ({protocol})", cloudwatch.list_alarm_mute_rules)
    checks.expect("there are no mute rules", rules.get("AlarmMuteRuleSummaries") == [], rules)
    call = cloudwatch.describe_alarm_history
    found = checks.answer(f"DescribeAlarmHistory ({protocol})", call, AlarmName="probe-errors")
    kinds = {item["HistoryItemType"] for item in found.get("AlarmHistoryItems", [])}
    checks.expect("it has updates of both kinds", kinds == {"ConfigurationUpdate", "StateUpdate"}, kinds)
    found = checks.answer(
        "DescribeAlarmHistory of one kind",
        call,
        AlarmName="probe-errors",
        HistoryItemType="StateUpdate",
        ScanBy="TimestampAscending",
        MaxRecords=1,
    )
    checks.expect("there is more", len(found.get("AlarmHistoryItems", [])) == 1 and "NextToken" in found, found)


def metrics(checks, cloudwatch, protocol):
    now = time.time()
    for name, datum in [
        ("a value", {"Value": 1.5, "Unit": "Count"}),
        ("a whole value", {"Value": 2}),
        ("values", {"Values": [1.0, 2.0], "Counts": [3.0, 1.0], "StorageResolution": 1}),
        ("a set", {"StatisticValues": {"SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4}, "Timestamp": now}),
    ]:
        datum = {"MetricName": f"{protocol} {name}", "Dimensions": [{"Name": "Shop", "Value": "a"}], **datum}
        checks.answer(f"PutMetricData of {name} ({protocol})", cloudwatch.put_metric_data, Namespace="Shop", MetricData=[datum])
    found = checks.answer(f"ListMetrics ({protocol})", cloudwatch.list_metrics, Namespace="Shop", RecentlyActive="PT3H")
    names = [metric["MetricName"] for metric in found.get("Metrics", [])]
    checks.expect("custom metrics are listed", sum(name.startswith(protocol) for name in names) == 4, names)
    metric = {
        "Namespace": "Shop",
        "MetricName": f"{protocol} values",
        "Dimensions": [{"Name": "Shop", "Value": "a"}],
    }
    ids = {"SampleCount": 4, "Average": 1.25, "Sum": 5, "Minimum": 1, "Maximum": 2, "p50": 1, "p99": 2}
    queries = [
        {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 300, "Stat": stat}} for stat in ids
    ]
    found = checks.answer(
        f"GetMetricData ({protocol})",
        cloudwatch.get_metric_data,
        MetricDataQueries=queries,
        StartTime=now - 600,
        EndTime=now + 60,
    )
    values = {result["Id"]: result["Values"] for result in found.get("MetricDataResults", [])}
    wanted = {stat.lower(): [value] for stat, value in ids.items()}
    checks.expect("every statistic is right", values == wanted, values)
    times = [when for result in found.get("MetricDataResults", []) for when in result["Timestamps"]]
    math = {"Id": "twice", "Expression": "sum * 2 / FILL(sum, 1) - 1"}
    found = checks.answer(
        f"GetMetricData with metric math ({protocol})",
        cloudwatch.get_metric_data,
        MetricDataQueries=[{**query, "ReturnData": False} for query in queries] + [math],
        StartTime=now - 600,
        EndTime=now + 60,
    )
    values = {result["Id"]: result["Values"] for result in found.get("MetricDataResults", [])}
    checks.expect("metric math is worked out, and its parts are not told", values == {"twice": [1]}, values)
    checks.expect("periods are aligned", all(when.timestamp() % 300 == 0 for when in times), times)


def refusals(checks, cloudwatch, protocol):
    put = cloudwatch.put_metric_alarm
    for name, more in [
        ("metric math", {"Metrics": [{"Id": "e", "Expression": "1"}]}),
        ("an odd period", {"Period": 7}),
        ("more data points than periods", {"DatapointsToAlarm": 4}),
        ("an unknown statistic", {"Statistic": "Middle"}),
        ("an unknown way with missing data", {"TreatMissingData": "Missing"}),
    ]:
        checks.refusal(f"PutMetricAlarm with {name} ({protocol})", "ValidationError", put, **{**ALARM, **more})
    query = {"Id": "m", "MetricStat": {"Metric": {"Namespace": "A", "MetricName": "b"}, "Period": 60, "Stat": "Sum"}}
    data = {"StartTime": 0, "EndTime": 60}
    get = cloudwatch.get_metric_data
    math = {"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m)"}
    checks.refusal("GetMetricData with a function of metric math that it has not", "ValidationError", get, MetricDataQueries=[query, math], **data)
    checks.refusal("GetMetricData of one id twice", "ValidationError", get, MetricDataQueries=[query, query], **data)
    checks.refusal(
        "GetMetricData backwards", "ValidationError", get, MetricDataQueries=[query], StartTime=60, EndTime=60
    )
    for call, more in [
        (cloudwatch.describe_alarms, {}),
        (cloudwatch.describe_alarm_history, {}),
        (get, {"MetricDataQueries": [query], **data}),
    ]:
        name = f"{call.__name__} with a token of nobody's ({protocol})"
        checks.refusal(name, "InvalidNextToken", call, NextToken="x", **more)
    state = {"AlarmName": "probe-errors", "StateValue": "OK", "StateReason": "x"}
    checks.refusal(
        "SetAlarmState of nobody", "ResourceNotFound", cloudwatch.set_alarm_state, **{**state, "AlarmName": "nobody"}
    )
    checks.refusal(
        "SetAlarmState with what is no JSON", "InvalidFormat", cloudwatch.set_alarm_state, **state, StateReasonData="{"
    )
    checks.refusal("DeleteAlarms of nobody", "ResourceNotFound", cloudwatch.delete_alarms, AlarmNames=["nobody"])
    put = cloudwatch.put_metric_data
    datum = {"MetricName": "x", "Value": 1}
    checks.refusal("PutMetricData as AWS", "InvalidParameterValue", put, Namespace="AWS/Lambda", MetricData=[datum])
    checks.refusal("PutMetricData of nothing", "MissingParameter", put, Namespace="A", MetricData=[{"MetricName": "x"}])
    checks.refusal(
        "PutMetricData of two kinds",
        "InvalidParameterCombination",
        put,
        Namespace="A",
        MetricData=[{**datum, "Values": [1]}],
    )
