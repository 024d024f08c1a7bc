//! An iCalendar file that invites people (RFC 5545), and what becomes of events that were in it before.
//!
//! Times are instants in UTC: every date is an event of its own, so that nothing is left to a reader's `VTIMEZONE`, and all readers
//! agree. An event keeps its `UID`; one that has changed gets the next `SEQUENCE`, one that fell away is cancelled, and one that has
//! not changed stays as it is, so that the file does. What somebody else has put into the file stays as it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use icalendar::{Alarm, Calendar, Component as _, Event, EventLike as _, EventStatus, Property, Trigger};

use crate::scenario::{Mode, Scenario, invitation_contacts, invitation_roles, invitation_rules};
use crate::schedule::Booking;
use crate::schedule::calendar::is_too_deep;
use crate::unit::{Date, LessonId, sha256_hex};
use crate::workspace::{Workload, moment};

/// Which scenario an event belongs to.
const SCENARIO: &str = "X-GAMEDAY-SCENARIO";

/// The SHA-256 of what an event says, by which it is seen whether it has changed.
const DIGEST: &str = "X-GAMEDAY-DIGEST";

/// How the name of a review ends, after that of its game day.
const REVIEW: &str = ".review";

/// What follows an event's name in its id.
const HOST: &str = "@gameday";

/// The properties of the calendar that are written anew.
const OWN_PROPERTIES: [&str; 3] = ["VERSION", "PRODID", "CALSCALE"];

/// How long before a game day a calendar reminds of it.
const REMINDER: TimeDelta = TimeDelta::hours(1);

/// The shortest time that people keep free, and in which steps it grows.
const LENGTH_MIN: TimeDelta = TimeDelta::minutes(15);
const LENGTH_STEP: TimeDelta = TimeDelta::minutes(5);

/// How many characters of a text go into an event.
const TEXT_CHARS_MAX: usize = 2_000;

/// A lesson that a scenario tests again by a day.
#[derive(Debug, Clone)]
pub struct RetestDue {
    /// The lesson.
    pub lesson: LessonId,
    /// The scenario that tests it.
    pub scenario: String,
    /// The day by which it must have been tested.
    pub by: Date,
}

/// What goes into the file.
#[derive(Debug)]
pub struct Invitations<'a> {
    /// The dates, in order.
    pub bookings: &'a [Booking<'a>],
    /// Dates that are too near to be proposed: one that was invited before stays.
    pub too_soon: &'a [Booking<'a>],
    /// The lessons that are tested again.
    pub retests: &'a [RetestDue],
    /// The scenarios that were asked for: events of others are left alone.
    pub scenarios: &'a BTreeSet<String>,
    /// Whether every scenario was asked for, those that are no more included.
    pub is_everything: bool,
    /// The end of the time that was asked for: what comes later is left alone.
    pub until: DateTime<Utc>,
    /// The workload, whose teams say where to talk.
    pub workload: Option<&'a Workload>,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// Why the file that is there can not be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// It is not ours.
    #[error("what is there is no calendar that `gameday schedule export` wrote; name another file")]
    NotOurs,
}

/// The calendar's text, and how its events came about.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Events that were not there before.
    pub added: usize,
    /// Events that say something else than before.
    pub changed: usize,
    /// Events that fell away.
    pub cancelled: usize,
}

/// Writes the calendar; `before` is the file that is there.
///
/// # Errors
/// `before` is no calendar of ours.
pub fn calendar(invitations: &Invitations<'_>, before: Option<&str>) -> Result<Written, InvitationError> {
    let Before { events: mut known, properties, others } = before.map(read).transpose()?.unwrap_or_default();
    let starts: BTreeMap<String, String> = known.iter().map(|(uid, event)| (uid.clone(), start(event))).collect();
    let mut written = Written { text: String::new(), added: 0, changed: 0, cancelled: 0 };
    let mut events = Vec::new();
    for (is_new, mut event) in proposed(invitations) {
        let uid = event.get_uid().unwrap_or_default().to_owned();
        let digest = sha256_hex(parts(&event).as_bytes());
        match known.remove(&uid) {
            Some(old) if old.property_value(DIGEST) == Some(digest.as_str()) => {
                events.push(old);
                continue;
            }
            Some(old) => {
                event.sequence(old.get_sequence().unwrap_or_default().saturating_add(1));
                written.changed += 1;
            }
            None if !is_new => continue,
            None => {
                event.sequence(0);
                written.added += 1;
            }
        }
        event.timestamp(invitations.now).add_property(DIGEST, &digest);
        events.push(event);
    }
    for (uid, mut old) in known {
        // A review goes as its game day goes: once that has begun, it is held.
        let game_day = uid.strip_suffix(HOST).and_then(|name| name.strip_suffix(REVIEW));
        let decided = game_day.and_then(|name| starts.get(&format!("{name}{HOST}"))).cloned();
        if falls_away(&old, &decided.unwrap_or_else(|| start(&old)), invitations) {
            let sequence = old.get_sequence().unwrap_or_default().saturating_add(1);
            old.sequence(sequence).timestamp(invitations.now);
            old.remove_property(DIGEST).status(EventStatus::Cancelled);
            written.cancelled += 1;
        }
        events.push(old);
    }
    events.sort_by_key(|event| (start(event), event.get_uid().map(str::to_owned)));
    let mut calendar = Calendar::empty();
    calendar.append_property(Property::new("VERSION", "2.0"));
    calendar.append_property(Property::new("PRODID", "-//gameday//schedule//EN"));
    calendar.append_property(Property::new("CALSCALE", "GREGORIAN"));
    let head = calendar.to_string();
    calendar.extend(events);
    let (text, end) = (calendar.to_string(), "END:VCALENDAR\r\n");
    let (head, text) = (head.trim_end_matches(end), text.trim_end_matches(end));
    written.text = format!("{head}{properties}{}{others}{end}", text.strip_prefix(head).unwrap_or_default());
    Ok(written)
}

/// What a file has in it.
#[derive(Debug, Default)]
struct Before {
    /// Our events, by id.
    events: BTreeMap<String, Event>,
    /// The calendar's properties that are not ours, as they are written.
    properties: String,
    /// What else it has in it, as it is written.
    others: String,
}

fn read(text: &str) -> Result<Before, InvitationError> {
    if !text.contains("-//gameday//schedule//EN") || is_too_deep(text) {
        return Err(InvitationError::NotOurs);
    }
    let calendar: Calendar = text.parse().map_err(|_| InvitationError::NotOurs)?;
    let ours = calendar.events().filter(|event| event.property_value(SCENARIO).is_some());
    let events = ours.filter_map(|event| Some((event.get_uid()?.to_owned(), event.clone()))).collect();
    let (properties, others) = of_others(text);
    Ok(Before { events, properties, others })
}

/// What of a calendar is not ours, line by line as it is written: its properties, and its parts.
fn of_others(text: &str) -> (String, String) {
    let (mut properties, mut others) = (String::new(), String::new());
    let (mut depth, mut part, mut is_kept) = (0_usize, String::new(), false);
    for line in text.lines() {
        let name = line.split([':', ';']).next().unwrap_or_default().to_ascii_uppercase();
        depth += usize::from(name == "BEGIN");
        if depth > 1 {
            part.extend([line, "\r\n"]);
        } else if name != "BEGIN" && name != "END" {
            // A line that begins with a blank goes on with the one before.
            is_kept = if line.starts_with([' ', '\t']) { is_kept } else { !OWN_PROPERTIES.contains(&name.as_str()) };
            properties.extend([line, "\r\n"].into_iter().filter(|_| is_kept && !line.is_empty()));
        }
        if name == "END" {
            depth = depth.saturating_sub(1);
            let part = if depth == 1 { std::mem::take(&mut part) } else { String::new() };
            let has = |wanted: &str| part.lines().any(|line| line.to_ascii_uppercase().starts_with(wanted));
            let is_ours = has("BEGIN:VEVENT") && has(SCENARIO) && has("UID");
            others.extend(Some(part.as_str()).filter(|_| !is_ours));
        }
    }
    (properties, others)
}

/// Whether an event that is not proposed any more is cancelled: it is of a scenario that was asked for, what decides of it begins later,
/// within the time that was asked for, and it is not cancelled yet.
fn falls_away(event: &Event, decided: &str, invitations: &Invitations<'_>) -> bool {
    let is_asked = |scenario| invitations.is_everything || invitations.scenarios.contains(scenario);
    let is_asked = event.property_value(SCENARIO).is_some_and(is_asked);
    let from = invitations.now.format("%Y%m%dT%H%M%SZ").to_string();
    let until = invitations.until.format("%Y%m%dT%H%M%SZ").to_string();
    let is_ahead = decided > from.as_str() && decided < until.as_str();
    is_asked && is_ahead && event.get_status() != Some(EventStatus::Cancelled)
}

/// When an event begins, as the file says it: instants in UTC sort as they follow each other.
fn start(event: &Event) -> String {
    event.property_value("DTSTART").unwrap_or_default().to_owned()
}

/// What an event says, without when it was said.
fn parts(event: &Event) -> String {
    let mut text = String::new();
    let all = event.properties().values().chain(event.multi_properties().values().flatten());
    for property in all {
        // Writing to a string does not fail.
        write!(text, "{}\u{1f}{}\u{1e}", property.key(), property.value()).ok();
    }
    text
}

/// The events of all bookings, each with whether it is proposed where it was not there before.
fn proposed(invitations: &Invitations<'_>) -> Vec<(bool, Event)> {
    let mut all: Vec<(bool, &Booking<'_>)> = invitations.too_soon.iter().map(|booking| (false, booking)).collect();
    all.extend(invitations.bookings.iter().map(|booking| (true, booking)));
    all.sort_by_key(|(_, booking)| booking.at);
    let mut events = Vec::new();
    for (is_new, booking) in all {
        let name = name(booking);
        events.push((is_new, game_day(booking, &name, invitations.workload)));
        events.extend(review(booking, &name).map(|event| (is_new, event)));
    }
    events.extend(invitations.retests.iter().map(|due| (true, retest(due))));
    events
}

/// What a date is called, whatever else there is on its day: the first of the pattern after the day, so that it may move, each other
/// after its time as well.
fn name(booking: &Booking<'_>) -> String {
    let Booking { entry, at } = booking;
    let day = at.date_naive();
    let midnight = moment(entry.recurrence.zone, day.and_time(NaiveTime::MIN));
    let first = midnight.and_then(|midnight| entry.recurrence.from(midnight.to_utc()).next());
    let time = if first.as_ref() == Some(at) { String::new() } else { at.format("T%H%M").to_string() };
    format!("{}.{day}{time}", entry.scenario.id)
}

fn event(name: &str, scenario: &str, at: DateTime<Utc>, length: TimeDelta) -> Event {
    let mut event = Event::with_uid(&format!("{name}{HOST}"));
    event.starts(at).add_property("DURATION", format!("PT{}M", length.num_minutes().max(1)));
    event.add_property(SCENARIO, scenario).status(EventStatus::Confirmed);
    event.done()
}

fn game_day(booking: &Booking<'_>, name: &str, workload: Option<&Workload>) -> Event {
    let mut event = event(name, booking.entry.scenario.id.as_str(), booking.at.to_utc(), length(booking));
    event.summary(&shortened(&format!("Game day: {}", title(&booking.entry.scenario))));
    event.description(&shortened(&description(booking, workload)));
    invite(&mut event, booking);
    let mut alarm = Alarm::display("A game day begins in an hour", Trigger::before_start(REMINDER));
    // Without these the library would take a random id and the clock.
    alarm.uid(&format!("{name}.alarm@gameday")).timestamp(booking.at.to_utc() - REMINDER);
    event.alarm(alarm.done());
    event.done()
}

/// What people should keep free: what the schedule says, and at least the timeline with the talk after it, in steps of five minutes.
fn length(booking: &Booking<'_>) -> TimeDelta {
    let scenario = &booking.entry.scenario;
    let timeline: Duration = scenario.timeline.iter().map(|phase| phase.length.0).sum();
    let talk = scenario.debrief.as_ref().and_then(|debrief| debrief.hot_wash).map_or(Duration::ZERO, |talk| talk.0);
    let planned = TimeDelta::from_std(timeline.saturating_add(talk)).unwrap_or(TimeDelta::MAX);
    let seconds = planned.max(booking.entry.guard.length).max(LENGTH_MIN).num_seconds();
    let step = LENGTH_STEP.num_seconds();
    // An absurd length stays what it is.
    let steps = seconds.saturating_add(step - 1) / step;
    TimeDelta::try_seconds(steps * step).unwrap_or(planned)
}

/// What may be told of a scenario to those who take part in it: a title tells of the fault.
fn title(scenario: &Scenario) -> &str {
    match scenario.mode {
        Mode::Drill | Mode::Tabletop => &scenario.owner,
        Mode::Regression => &scenario.title,
    }
}

/// What those who take part are told: the time on the wall, the rules, the roles, and where to talk.
fn description(booking: &Booking<'_>, workload: Option<&Workload>) -> String {
    let scenario = &booking.entry.scenario;
    let mut lines = vec![booking.at.format("Begins on %a %Y-%m-%d at %H:%M %Z.").to_string()];
    lines.extend(invitation_rules(scenario).into_iter().map(str::to_owned));
    lines.extend(invitation_roles(scenario));
    lines.extend(workload.map(invitation_contacts).unwrap_or_default());
    if scenario.mode == Mode::Regression {
        lines.push(format!("Scenario: {}", booking.entry.file.display()));
    }
    lines.join("\n")
}

/// The review meeting: so long after the start, at the same time of day, on a Monday where that is a weekend.
fn review(booking: &Booking<'_>, name: &str) -> Option<Event> {
    let scenario = &booking.entry.scenario;
    let review = scenario.debrief.as_ref()?.review.as_ref()?;
    let mut wall = booking.at.naive_local() + TimeDelta::from_std(review.after.0).ok()?;
    while matches!(wall.weekday(), Weekday::Sat | Weekday::Sun) {
        wall += TimeDelta::days(1);
    }
    let at: DateTime<Tz> = moment(booking.entry.recurrence.zone, wall)?;
    let length = TimeDelta::from_std(review.length.0).ok()?;
    let mut event = event(&format!("{name}{REVIEW}"), scenario.id.as_str(), at.to_utc(), length);
    event.summary(&shortened(&format!("Review of the game day: {}", title(scenario))));
    let questions = match scenario.mode {
        // It is sent before the game day.
        Mode::Drill | Mode::Tabletop => vec!["What we saw, and what we do about it."],
        Mode::Regression => {
            scenario.debrief.iter().flat_map(|debrief| &debrief.questions).map(String::as_str).collect()
        }
    };
    event.description(&shortened(&questions.join("\n")));
    invite(&mut event, booking);
    Some(event.done())
}

fn retest(due: &RetestDue) -> Event {
    let mut event = Event::with_uid(&format!("{}.retest@gameday", due.lesson));
    // The title of a lesson, and that of the scenario, tell those who take part what will happen.
    event.all_day(*due.by).summary(&shortened(&format!("Test again by today: lesson {}", due.lesson)));
    event.description(&format!("What it is about: gameday lesson show {}", due.lesson));
    event.add_property("TRANSP", "TRANSPARENT").add_property(SCENARIO, &due.scenario);
    event.status(EventStatus::Confirmed).done()
}

/// Everybody whose `who` is an e-mail address, once for all of their roles. The owner organizes; where that is no address, the first of
/// them, since nobody is invited by nobody (RFC 5545, 3.8.4.1).
fn invite(event: &mut Event, booking: &Booking<'_>) {
    let scenario = &booking.entry.scenario;
    let mut invited: Vec<(&str, Vec<&str>, bool)> = Vec::new();
    for (role, person) in scenario.people.iter().filter(|(_, person)| is_address(&person.who)) {
        match invited.iter_mut().find(|(address, ..)| address.eq_ignore_ascii_case(&person.who)) {
            Some((_, roles, is_required)) => {
                roles.push(role.as_str());
                *is_required |= person.required;
            }
            None => invited.push((&person.who, vec![role.as_str()], person.required)),
        }
    }
    let owner = Some(scenario.owner.as_str()).filter(|owner| is_address(owner));
    if let Some(address) = owner.or_else(|| invited.first().map(|(address, ..)| *address)) {
        event.add_property("ORGANIZER", format!("mailto:{address}"));
    }
    for (address, roles, is_required) in invited {
        let mut attendee = Property::new("ATTENDEE", format!("mailto:{address}"));
        attendee.add_parameter("CN", &roles.join(" and ")).add_parameter("PARTSTAT", "NEEDS-ACTION");
        let part = if is_required { "REQ-PARTICIPANT" } else { "OPT-PARTICIPANT" };
        attendee.add_parameter("ROLE", part).add_parameter("RSVP", "TRUE");
        event.append_multi_property(attendee.done());
    }
}

/// Whether a text is an e-mail address, in characters that mean nothing to a calendar.
fn is_address(text: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'))
    };
    text.split_once('@').is_some_and(|(name, host)| is_plain(name) && is_plain(host) && host.contains('.'))
}

/// A text without control characters but line ends, and not too long.
fn shortened(text: &str) -> String {
    let kept = text.chars().filter(|c| *c == '\n' || !c.is_control());
    kept.take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Entry;
    use crate::schedule::testing::entry;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn bookings<'a>(entry: &'a Entry, dates: &[&str]) -> Vec<Booking<'a>> {
        dates.iter().map(|date| Booking { entry, at: at(date).with_timezone(&entry.recurrence.zone) }).collect()
    }

    fn write(entry: &Entry, dates: &[&str], now: &str, before: Option<&str>) -> Written {
        let scenarios = [entry.scenario.id.to_string()].into();
        let (bookings, until) = (bookings(entry, dates), at("2027-12-31T00:00:00Z"));
        let invitations = Invitations {
            bookings: &bookings,
            too_soon: &[],
            retests: &[],
            scenarios: &scenarios,
            is_everything: false,
            until,
            workload: None,
            now: at(now),
        };
        calendar(&invitations, before).unwrap()
    }

    fn counts(written: &Written) -> (usize, usize, usize) {
        (written.added, written.changed, written.cancelled)
    }

    const SCHEDULE: &str = "{cron: 0 10 * * *, timezone: Europe/Helsinki, duration: 2h}";

    #[test]
    fn what_has_not_changed_stays_byte_for_byte_and_what_has_gets_the_next_sequence() {
        let mut entry = entry("a", SCHEDULE);
        let dates = ["2026-12-08T08:00:00Z", "2027-01-12T08:00:00Z"];
        let first = write(&entry, &dates, "2026-11-28T00:00:00Z", None);
        assert_eq!(counts(&first), (4, 0, 0), "two game days and their reviews");
        let again = write(&entry, &dates, "2026-11-29T00:00:00Z", Some(&first.text));
        assert_eq!((counts(&again), &again.text), ((0, 0, 0), &first.text));
        entry.scenario.owner = "joonas@example.com".to_owned();
        let changed = write(&entry, &dates, "2026-11-29T00:00:00Z", Some(&first.text));
        assert_eq!(counts(&changed), (0, 4, 0));
        assert_eq!(changed.text.matches("SEQUENCE:1\r\n").count(), 4, "{}", changed.text);
        assert_eq!(changed.text.matches("DTSTAMP:20261129T000000Z").count(), 4);
    }

    #[test]
    fn what_fell_away_is_cancelled_once_and_what_is_over_is_left_alone() {
        let entry = entry("a", SCHEDULE);
        let first = write(&entry, &["2026-12-08T08:00:00Z", "2027-01-12T08:00:00Z"], "2026-11-28T00:00:00Z", None);
        let moved = write(&entry, &["2027-01-13T08:00:00Z"], "2026-12-20T00:00:00Z", Some(&first.text));
        assert_eq!(counts(&moved), (2, 0, 2), "the first date is over");
        assert_eq!(moved.text.matches("STATUS:CANCELLED").count(), 2);
        let again = write(&entry, &["2027-01-13T08:00:00Z"], "2026-12-21T00:00:00Z", Some(&moved.text));
        assert_eq!((counts(&again), again.text), ((0, 0, 0), moved.text.clone()));
        let back = write(&entry, &["2027-01-12T08:00:00Z"], "2026-12-21T00:00:00Z", Some(&moved.text));
        assert_eq!(counts(&back), (0, 2, 2), "a date that comes back is the next version of the cancelled one");
    }

    #[test]
    fn a_date_that_is_too_near_is_not_proposed_and_one_that_was_invited_stays() {
        let entry = entry("a", SCHEDULE);
        let near = bookings(&entry, &["2026-12-08T08:00:00Z"]);
        let scenarios = ["a".to_owned()].into();
        let (until, now) = (at("2027-12-31T00:00:00Z"), at("2026-12-07T00:00:00Z"));
        let invitations = Invitations {
            bookings: &[],
            too_soon: &near,
            retests: &[],
            scenarios: &scenarios,
            is_everything: false,
            until,
            workload: None,
            now,
        };
        assert_eq!(counts(&calendar(&invitations, None).unwrap()), (0, 0, 0));
        let first = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None);
        assert_eq!(calendar(&invitations, Some(&first.text)).unwrap().text, first.text);
    }

    #[test]
    fn texts_can_not_break_out_and_only_addresses_are_invited() {
        let mut entry = entry("a", SCHEDULE);
        entry.scenario.why = Some("x\r\nEND:VEVENT\r\nBEGIN:VEVENT".to_owned());
        entry.scenario.owner = "maria@example.com\r\nX-EVIL:1".to_owned();
        let text = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None).text;
        assert_eq!(text.matches("\r\nEND:VEVENT").count(), 2, "{text}");
        assert!(!text.contains("\nX-EVIL") && !text.contains("mailto:maria"), "{text}");
        assert_eq!(text.matches("ORGANIZER:mailto:joonas@example.com").count(), 2, "somebody invites: {text}");
        assert_eq!(text.matches("ATTENDEE").count(), 2, "one in each event: {text}");
        assert!(is_address("a.b+c@example.com") && !is_address("oncall") && !is_address("a b@example.com"));
    }

    #[test]
    fn an_invitation_tells_nothing_of_what_will_happen() {
        let mut entry = entry("secret-id", SCHEDULE);
        let text = |entry: &Entry| {
            let text = write(entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None).text;
            let is_told = |line: &&str| line.starts_with("SUMMARY") || line.starts_with("DESCRIPTION");
            text.replace("\r\n ", "").lines().filter(is_told).collect::<Vec<_>>().join("\n")
        };
        let told = text(&entry);
        for word in ["Orders", "slow", "believe", "H1", "one", "two", "secret-id"] {
            assert!(
                !told.split(|c: char| !c.is_alphanumeric() && c != '-').any(|found| found == word),
                "{word}: {told}"
            );
        }
        assert!(told.contains("SUMMARY:Game day: maria@example.com") && told.contains("Anybody may end it"), "{told}");
        entry.scenario.mode = Mode::Regression;
        assert!(text(&entry).contains("SUMMARY:Game day: Orders"), "nobody is surprised by what runs by itself");
    }

    #[test]
    fn the_time_to_keep_free_covers_timeline_and_talk() {
        let mut entry = entry("a", "{cron: 0 10 * * *}");
        let length = |entry: &Entry| super::length(&bookings(entry, &["2026-12-08T08:00:00Z"])[0]).num_minutes();
        assert_eq!(length(&entry), 30, "the timeline");
        entry.scenario.debrief.as_mut().unwrap().hot_wash = Some("11m".parse().unwrap());
        assert_eq!(length(&entry), 45, "41 minutes, in steps of five");
        entry.scenario.timeline.truncate(0);
        entry.scenario.debrief = None;
        entry.guard.length = TimeDelta::zero();
        assert_eq!(length(&entry), 15);
    }

    #[test]
    fn a_review_that_falls_on_a_weekend_is_on_monday_at_the_same_time_on_the_wall() {
        // A Thursday before the clocks change: three days later is a Sunday.
        let entry = entry("a", SCHEDULE);
        let text = write(&entry, &["2027-03-25T08:00:00Z"], "2026-11-28T00:00:00Z", None).text;
        assert!(text.contains("DTSTART:20270329T070000Z"), "{text}");
    }

    #[test]
    fn a_review_stays_once_its_game_day_has_begun_and_goes_with_one_that_fell_away() {
        let entry = entry("a", SCHEDULE);
        let first = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None);
        let begun = write(&entry, &[], "2026-12-08T08:30:00Z", Some(&first.text));
        assert_eq!((counts(&begun), begun.text), ((0, 0, 0), first.text.clone()));
        let away = write(&entry, &[], "2026-12-08T07:30:00Z", Some(&first.text));
        assert_eq!(counts(&away), (0, 0, 2));
    }

    #[test]
    fn a_date_keeps_its_id_when_an_earlier_one_of_its_day_is_over() {
        let entry = entry("a", "{cron: '0 8,10 * * *'}");
        let first = write(&entry, &["2026-12-08T08:00:00Z", "2026-12-08T10:00:00Z"], "2026-11-28T00:00:00Z", None);
        for uid in ["UID:a.2026-12-08@gameday", "UID:a.2026-12-08T1000@gameday"] {
            assert!(first.text.contains(uid), "{uid}: {}", first.text);
        }
        let later = write(&entry, &["2026-12-08T10:00:00Z"], "2026-12-08T09:00:00Z", Some(&first.text));
        assert_eq!((counts(&later), later.text), ((0, 0, 0), first.text));
    }

    #[test]
    fn where_everything_is_asked_for_a_scenario_that_is_no_more_is_cancelled() {
        let entry = entry("gone", SCHEDULE);
        let first = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None);
        let (scenarios, until, now) = (BTreeSet::new(), at("2027-12-31T00:00:00Z"), at("2026-11-29T00:00:00Z"));
        let of = |is_everything| {
            let (bookings, too_soon, retests) = (&[], &[], &[]);
            let scenarios = &scenarios;
            let invitations =
                Invitations { bookings, too_soon, retests, scenarios, is_everything, until, workload: None, now };
            counts(&calendar(&invitations, Some(&first.text)).unwrap())
        };
        assert_eq!((of(false), of(true)), ((0, 0, 0), (0, 0, 2)));
    }

    #[test]
    fn what_somebody_else_put_into_the_file_stays_as_it_is_written() {
        let entry = entry("a", SCHEDULE);
        let first = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None).text;
        let name = "X-WR-CALNAME:Game days of\r\n  the shop\r\n";
        let others = "BEGIN:VTODO\r\nSUMMARY:Order cake\r\nEND:VTODO\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\n\
                      DTSTART:19700101T000000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
                      BEGIN:VEVENT\r\nDTSTART:20261209T080000Z\r\nSUMMARY:By hand\r\nEND:VEVENT\r\n";
        let edited = first.replace("CALSCALE:GREGORIAN\r\n", &format!("CALSCALE:GREGORIAN\r\n{name}"));
        let edited = edited.replace("END:VCALENDAR", &format!("{others}END:VCALENDAR"));
        let again = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-29T00:00:00Z", Some(&edited));
        assert_eq!((counts(&again), again.text), ((0, 0, 0), edited));
    }

    #[test]
    fn an_address_in_two_roles_is_invited_once() {
        let mut entry = entry("a", SCHEDULE);
        let facilitator = entry.scenario.people.values().next().unwrap().clone();
        for person in entry.scenario.people.values_mut() {
            person.who.clone_from(&facilitator.who);
        }
        entry.scenario.debrief = None;
        let text = write(&entry, &["2026-12-08T08:00:00Z"], "2026-11-28T00:00:00Z", None).text.replace("\r\n ", "");
        assert_eq!(text.matches("ATTENDEE").count(), 1, "{text}");
        assert!(text.contains("CN=facilitator and scribe") && text.contains("ROLE=REQ-PARTICIPANT"), "{text}");
    }

    #[test]
    fn a_file_of_somebody_else_is_not_written_over() {
        assert!(read("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").is_err());
        let deep = format!("BEGIN:VCALENDAR\r\nPRODID:-//gameday//schedule//EN\r\n{}", "begin:x\r\n".repeat(60_000));
        assert!(read(&deep).is_err(), "nor one that would break the reader");
    }
}
