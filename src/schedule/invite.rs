//! Invitations: an iCalendar file (RFC 5545) in which each date is an event of its own, in UTC, since the dates are counted here and not by
//! whoever reads them. The same event has the same UID; one that changed has the next SEQUENCE, one that fell away is cancelled.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Alarm, Attendee, Calendar, Component as _, DatePerhapsTime, EventLike as _, EventStatus, Property};

use crate::unit::sha256_hex;

/// Whose file it is.
const PRODUCT: &str = "-//gameday//schedule//EN";
/// What tells whether an event has changed.
const DIGEST_KEY: &str = "X-GAMEDAY-DIGEST";

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What tells it from all others, and stays.
    pub uid: String,
    /// When it begins.
    pub start: DateTime<Utc>,
    /// How long it lasts.
    pub length: TimeDelta,
    /// In one line.
    pub summary: String,
    /// What people should know.
    pub description: String,
    /// The addresses of those who are invited, with their roles.
    pub attendees: Vec<(String, String)>,
    /// How long before it people are reminded; none where they are not.
    pub reminder: Option<TimeDelta>,
}

/// The file of events; `old` is the one that was there, and `now` the moment at which it is made anew.
///
/// # Errors
/// The old file is no calendar.
pub fn calendar(events: &[Event], old: Option<&str>, now: DateTime<Utc>) -> Result<String, String> {
    let old: BTreeMap<String, icalendar::Event> = match old {
        Some(text) => {
            let calendar: Calendar = text.parse()?;
            calendar.events().filter_map(|event| Some((event.get_uid()?.to_owned(), event.clone()))).collect()
        }
        None => BTreeMap::new(),
    };
    let mut calendar = Calendar::empty();
    calendar.append_property(Property::new("VERSION", "2.0")).append_property(Property::new("PRODID", PRODUCT));
    calendar.append_property(Property::new("METHOD", "PUBLISH"));
    for event in events {
        calendar.push(written(event, old.get(&event.uid), now));
    }
    for (uid, event) in old.iter().filter(|(uid, _)| !events.iter().any(|event| event.uid == **uid)) {
        calendar.push(fallen_away(uid, event, now));
    }
    Ok(calendar.to_string())
}

fn written(event: &Event, old: Option<&icalendar::Event>, now: DateTime<Utc>) -> icalendar::Event {
    let digest = digest(event);
    let is_same = old.is_some_and(|old| old.property_value(DIGEST_KEY) == Some(digest.as_str()));
    let number = old.and_then(icalendar::Event::get_sequence);
    let stamp = old.filter(|_| is_same).and_then(icalendar::Event::get_timestamp).unwrap_or(now);
    let sequence = match number {
        None => 0,
        Some(number) if is_same => number,
        Some(number) => number + 1,
    };
    let mut written = icalendar::Event::new();
    written
        .uid(&event.uid)
        .sequence(sequence)
        .timestamp(stamp)
        .starts(event.start)
        .ends(event.start + event.length)
        .summary(&event.summary)
        .description(&event.description)
        .status(EventStatus::Confirmed);
    written.add_property(DIGEST_KEY, &digest);
    for (address, role) in &event.attendees {
        let attendee =
            Attendee { cn: Some(role.clone()), rsvp: Some(true), ..Attendee::new(format!("mailto:{address}")) };
        written.attendee(attendee);
    }
    if let Some(reminder) = event.reminder {
        // An alarm would get an id and a moment of its own, which are others each time.
        let mut alarm = Alarm::display(&event.summary, -reminder);
        alarm.uid(&format!("alarm-{}", event.uid)).timestamp(stamp);
        written.alarm(alarm);
    }
    written.done()
}

/// An event that is not planned any more: what is over stays as it was, what was to come is cancelled.
fn fallen_away(uid: &str, old: &icalendar::Event, now: DateTime<Utc>) -> icalendar::Event {
    let is_over = old.get_start().is_some_and(|start| match start {
        DatePerhapsTime::DateTime(time) => time.try_into_utc().is_some_and(|start| start < now),
        DatePerhapsTime::Date(day) => day < now.date_naive(),
    });
    let is_cancelled = old.property_value("STATUS") == Some("CANCELLED");
    let mut event = old.clone();
    if !is_over && !is_cancelled {
        event.sequence(old.get_sequence().unwrap_or_default() + 1).timestamp(now).status(EventStatus::Cancelled);
        event.add_property(DIGEST_KEY, sha256_hex(uid.as_bytes()));
    }
    event.done()
}

fn digest(event: &Event) -> String {
    let attendees: Vec<String> = event.attendees.iter().map(|(address, role)| format!("{address} {role}")).collect();
    let text = format!(
        "{}\n{}\n{}\n{}\n{}\n{:?}",
        event.start.timestamp(),
        event.length.num_seconds(),
        event.summary,
        event.description,
        attendees.join("\n"),
        event.reminder.map(|reminder| reminder.num_seconds()),
    );
    sha256_hex(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(uid: &str, start: &str) -> Event {
        Event {
            uid: uid.to_owned(),
            start: start.parse().unwrap(),
            length: TimeDelta::hours(2),
            summary: "Game day: slow; provider, \"at peak\"".to_owned(),
            description: "Aim:\norders, and\\or payments".to_owned(),
            attendees: vec![("maria@example.com".to_owned(), "owner".to_owned())],
            reminder: Some(TimeDelta::hours(1)),
        }
    }

    fn read(text: &str) -> BTreeMap<String, (u32, String, String)> {
        let calendar: Calendar = text.parse().unwrap();
        let of = |event: &icalendar::Event| {
            let status = event.property_value("STATUS").unwrap_or_default().to_owned();
            (event.get_sequence().unwrap(), status, event.property_value("DTSTAMP").unwrap().to_owned())
        };
        calendar.events().map(|event| (event.get_uid().unwrap().to_owned(), of(event))).collect()
    }

    #[test]
    fn what_is_the_same_stays_what_changed_counts_on_and_what_fell_away_is_cancelled() {
        let (first_day, second_day): (DateTime<Utc>, DateTime<Utc>) =
            ("2026-11-28T08:00:00Z".parse().unwrap(), "2026-11-29T08:00:00Z".parse().unwrap());
        let [a, b, c] = [("a", "2026-12-08T08:00:00Z"), ("b", "2026-12-09T08:00:00Z"), ("c", "2026-11-28T20:00:00Z")]
            .map(|(uid, start)| event(uid, start));
        let first = calendar(&[a.clone(), b.clone(), c], None, first_day).unwrap();
        assert_eq!(
            first,
            calendar(&[a.clone(), b.clone(), event("c", "2026-11-28T20:00:00Z")], None, first_day).unwrap()
        );
        let moved = Event { start: "2026-12-08T09:00:00Z".parse().unwrap(), ..a };
        let second = calendar(std::slice::from_ref(&moved), Some(&first), second_day).unwrap();
        let found = read(&second);
        let row = |uid: &str| (found[uid].0, found[uid].1.as_str());
        assert_eq!(row("a"), (1, "CONFIRMED"));
        assert_eq!(row("b"), (1, "CANCELLED"), "it was still to come");
        assert_eq!(row("c"), (0, "CONFIRMED"), "it is over");
        let third = calendar(&[moved], Some(&second), "2026-11-30T08:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(read(&third), found, "nothing changed, and nothing counts on");
        assert!(calendar(&[], Some("no calendar at all {"), first_day).is_err() || read(&first).len() == 3);
    }

    #[test]
    fn what_people_wrote_comes_back_as_they_wrote_it() {
        let text =
            calendar(&[event("a", "2026-12-08T08:00:00Z")], None, "2026-11-28T08:00:00Z".parse().unwrap()).unwrap();
        let calendar: Calendar = text.parse().unwrap();
        let read = calendar.events().next().unwrap();
        assert_eq!(read.get_summary(), Some("Game day: slow; provider, \"at peak\""));
        assert_eq!(read.get_description(), Some("Aim:\norders, and\\or payments"));
        assert!(text.contains("mailto:maria@example.com") && text.contains("BEGIN:VALARM"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 76), "lines are folded");
    }
}
