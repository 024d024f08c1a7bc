"""What somebody else's parser (icalendar) reads of an exported calendar: UID, SEQUENCE, STATUS, start and end of each event."""

import json
import sys

import icalendar

calendar = icalendar.Calendar.from_ical(sys.stdin.buffer.read())
events = {}
for event in calendar.walk("VEVENT"):
    attendees = event.get("ATTENDEE", [])
    attendees = attendees if isinstance(attendees, list) else [attendees]
    events[str(event["UID"])] = {
        "sequence": int(event["SEQUENCE"]),
        "status": str(event["STATUS"]),
        "start": event.decoded("DTSTART").isoformat(),
        "end": event.decoded("DTEND").isoformat(),
        "summary": str(event["SUMMARY"]),
        "attendees": [str(attendee) for attendee in attendees],
        "alarms": len(event.walk("VALARM")),
        "errors": [str(error) for error in event.errors],
    }
json.dump({"version": str(calendar["VERSION"]), "product": str(calendar["PRODID"]), "events": events}, sys.stdout)
