"""Reads Prometheus' text format on standard input with Prometheus' own parser, and prints its samples as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

samples = []
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.type != "unknown" and family.documentation, family
    for sample in family.samples:
        samples.append({"name": sample.name, "type": family.type, "labels": sample.labels, "value": sample.value})
names = [(sample["name"], tuple(sorted(sample["labels"].items()))) for sample in samples]
assert len(set(names)) == len(names), "a sample is there twice"
print(json.dumps(samples))
