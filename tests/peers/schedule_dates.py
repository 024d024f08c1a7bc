"""Prints dates of cron patterns across changes of clocks, as JSON: croniter finds the times on the wall, zoneinfo the instants.

A time that is left out is the first minute after the change; one that comes twice is the first; no instant comes twice.
"""

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

ZONES = ["Europe/Helsinki", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Beirut", "Europe/Lisbon"]
PATTERNS = ["30 2 * * *", "30 3 * * *", "15 0 * * *", "30 1 * * SUN", "*/20 1-3 * * *", "0 0 * * *", "45 23 * * *"]
COUNT = 8


def changes(zone, year):
    """The days around which the offset of a zone changes in a year."""
    day, found = datetime(year, 1, 1, tzinfo=timezone.utc), []
    while day.year == year:
        after = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            found.append(day)
        day = after
    return found


def instant(wall, zone):
    """When a clock on the wall first shows a time, or the first minute after a change that leaves it out."""
    while True:
        utc = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
        if utc.astimezone(zone).replace(tzinfo=None) == wall:
            return utc
        wall += timedelta(minutes=1)


def dates(cron, zone, start):
    wall = croniter(cron, start.astimezone(zone).replace(tzinfo=None) - timedelta(hours=5), ret_type=datetime)
    found = []
    while len(found) < COUNT:
        utc = instant(wall.get_next(), zone)
        if utc >= start and utc not in found:
            found.append(utc)
    return [utc.strftime("%Y-%m-%dT%H:%M:%SZ") for utc in found]


def main():
    cases = []
    for name in ZONES:
        zone = ZoneInfo(name)
        for year in [2026, 2027, 2028]:
            for change in changes(zone, year):
                start = change - timedelta(days=1)
                for cron in PATTERNS:
                    from_text = start.strftime("%Y-%m-%dT%H:%M:%SZ")
                    cases.append({"zone": name, "cron": cron, "from": from_text, "dates": dates(cron, zone, start)})
    print(json.dumps(cases))


main()
