"""Reads CloudEvents with the CNCF's own library: a file with one a line, or, after `--batch`, a file with a batch. Prints them as JSON."""

import json
import sys

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def texts(arguments):
    if arguments[0] == "--batch":
        with open(arguments[1], encoding="utf-8") as file:
            return [json.dumps(event) for event in json.load(file)]
    with open(arguments[0], encoding="utf-8") as file:
        return file.read().splitlines()


def told(text):
    # It checks each attribute, and refuses an event in which one is wrong or missing.
    event = JSONFormat().read(CloudEvent, text.encode())
    return {
        "id": event.get_id(),
        "source": event.get_source(),
        "type": event.get_type(),
        "subject": event.get_subject(),
        "time": event.get_time().isoformat(),
        "content": event.get_datacontenttype(),
        "version": event.get_specversion(),
        "data": event.get_data(),
    }


events = [told(text) for text in texts(sys.argv[1:])]
assert len({(event["source"], event["id"]) for event in events}) == len(events), "an id is there twice"
print(json.dumps(events))
