"""Puts three alarms at the endpoint that it is called with, or sets a state: `alarms.py ENDPOINT [NAME STATE]`."""

import sys

from emulator import client_at

ALARM = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


def main():
    cloudwatch = client_at(sys.argv[1], "cloudwatch")
    if len(sys.argv) > 2:
        cloudwatch.set_alarm_state(AlarmName=sys.argv[2], StateValue=sys.argv[3], StateReason="a test says so")
        return
    for name in ["orders-errors", "orders-slow", "Payments / 5xx (prod)"]:
        cloudwatch.put_metric_alarm(AlarmName=name, **ALARM)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test says so")


main()
