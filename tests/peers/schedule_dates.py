"""Dates of schedules across changes of clocks, by croniter (which wall times a pattern names) and dateutil (when those are).

Prints a JSON list of cases: a pattern, a zone, a moment, and the next three dates after it, as UTC.

The two rules that are ours, and not croniter's: a time that the clocks leave out falls on the next instant that there is, and
one that comes twice counts the first time.
"""

import datetime
import json

from croniter import croniter
from dateutil import tz

# Half an hour and the south (Lord Howe), midnight itself and the south (Santiago), a zone whose winter is the odd one (Dublin).
ZONES = {
    "Europe/Helsinki": [(2027, 3, 28, 3), (2027, 10, 31, 3)],
    "America/New_York": [(2027, 3, 14, 2), (2027, 11, 7, 1)],
    "Australia/Lord_Howe": [(2026, 10, 4, 2), (2027, 4, 4, 1)],
    "America/Santiago": [(2027, 9, 5, 0), (2027, 4, 3, 23)],
    "Europe/Dublin": [(2027, 3, 28, 1), (2027, 10, 31, 1)],
}
PATTERNS = [
    "{minute} {hour} * * *",
    "{minute} {hour} {day} {month} *",
    "{minute} {hour} * * SUN",
    "{minute} {hour} * * SAT,SUN",
    "{minute} */{step} * * *",
    "{minute} {hour},{later} * * *",
    "*/20 {hour} * * *",
    "{minute} {hour} {first}-{last} * *",
    "{minute} 10 * * MON-FRI",
    "0 0 * * *",
]
MINUTES = [0, 15, 30, 59]


def moment(wall, zone):
    """The first instant of a wall time, or the next one that there is, as UTC without a zone."""
    while not tz.datetime_exists(wall, zone):
        wall += datetime.timedelta(minutes=1)
    first = tz.enfold(wall.replace(tzinfo=zone), fold=0)
    return first.astimezone(tz.UTC).replace(tzinfo=None)


def dates(pattern, zone, after, count):
    start = after.replace(tzinfo=tz.UTC).astimezone(zone).replace(tzinfo=None) - datetime.timedelta(days=2)
    walls, found = croniter(pattern, start), []
    while len(found) < count:
        at = moment(walls.get_next(datetime.datetime), zone)
        if at > after and (not found or at > found[-1]):
            found.append(at)
    return found


def cases():
    for name, changes in ZONES.items():
        zone, number = tz.gettz(name), 0
        for year, month, day, hour in changes:
            for pattern in PATTERNS:
                for minute in (MINUTES[number % 4], MINUTES[(number + 2) % 4]):
                    number += 1
                    # croniter takes a span of one day for all of them.
                    first = day - 1 if day > 28 else day
                    text = pattern.format(
                        minute=minute, hour=hour, day=day, month=month, step=number % 5 + 1,
                        later=(hour + 9) % 24, first=first, last=first + 1,
                    )
                    after = datetime.datetime(year, month, day) - datetime.timedelta(hours=number * 7 % 60)
                    found = dates(text, zone, after, 3)
                    yield {
                        "cron": text,
                        "timezone": name,
                        "after": after.isoformat() + "Z",
                        "dates": [at.isoformat() + "Z" for at in found],
                    }


if __name__ == "__main__":
    print(json.dumps(list(cases())))
