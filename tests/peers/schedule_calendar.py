"""Reads two versions of an exported calendar: `schedule_calendar.py FIRST SECOND`; what is wrong ends it."""

import sys
from datetime import datetime, timezone

from icalendar import Calendar


def read(path):
    with open(path, "rb") as file:
        calendar = Calendar.from_ical(file.read())
    assert calendar["VERSION"] == "2.0" and not calendar.errors, calendar.errors
    events = {str(event["UID"]): event for event in calendar.walk("VEVENT")}
    for uid, event in events.items():
        assert not event.errors, (uid, event.errors)
        assert isinstance(event["DTSTAMP"].dt, datetime) and "SEQUENCE" in event, uid
        assert str(event["STATUS"]) in ("CONFIRMED", "CANCELLED"), uid
    assert events, "there is no event"
    return events


def main():
    first, second = (read(path) for path in sys.argv[1:])
    drills = [event for uid, event in first.items() if uid.startswith("drill.") and "review" not in uid]
    assert drills
    for event in drills:
        assert str(event["SUMMARY"]) == "Game day: maria@example.com", event["SUMMARY"]
        assert event["DTSTART"].dt.tzinfo == timezone.utc or event["DTSTART"].dt.utcoffset().total_seconds() == 0
        assert event["DURATION"].dt.total_seconds() == 7200
        assert "We believe" not in event["DESCRIPTION"] and "facilitator: joonas@" in event["DESCRIPTION"]
        assert "Anybody may end it" in event["DESCRIPTION"]
        assert str(event["ATTENDEE"]) == "mailto:joonas@example.com", event["ATTENDEE"]
        assert event["ATTENDEE"].params["ROLE"] == "REQ-PARTICIPANT"
        assert str(event["ORGANIZER"]) == "mailto:maria@example.com"
        (alarm,) = event.walk("VALARM")
        assert alarm["TRIGGER"].dt.total_seconds() == -3600
    assert any(uid.endswith(".review@gameday") for uid in first)
    retest = first["L-2026-001.retest@gameday"]
    assert retest["SUMMARY"].endswith("lesson L-2026-001") and "Slow" not in str(retest.to_ical()), "no title tells"
    assert not isinstance(retest["DTSTART"].dt, datetime)
    changed = [uid for uid in first if uid in second and second[uid]["SEQUENCE"] == 1]
    cancelled = [uid for uid in first if str(second[uid]["STATUS"]) == "CANCELLED"]
    assert any(uid.startswith("drill.") for uid in changed), changed
    assert cancelled and all(uid.startswith("nightly.") for uid in cancelled), cancelled
    assert all(second[uid]["SEQUENCE"] == 1 for uid in cancelled)
    assert set(first) <= set(second), "an event that fell away is cancelled, not forgotten"


main()
