//! A calendar to import or subscribe to (RFC 5545): an event without length for each fire.
//!
//! The same fire has the same UID in every export, so that a later one replaces the earlier.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component, Event, EventLike};
use jiff::Timestamp;

use super::{Plan, local};
use crate::forecast::Fire;

const END: &str = "END:VCALENDAR\r\n";

pub(super) fn write(plan: &Plan<'_>, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut frame = Calendar::empty();
    frame.append_property(("VERSION", "2.0"));
    frame.append_property(("PRODID", concat!("-//tekcron//tekcron ", env!("CARGO_PKG_VERSION"), "//EN")));
    frame.append_property(("CALSCALE", "GREGORIAN"));
    frame.append_property(("X-WR-CALNAME", "tekcron"));
    let frame = frame.to_string();
    let head = frame.strip_suffix(END).expect("that is how a calendar ends");
    out.write_all(head.as_bytes())?;
    let written = instant(now);
    plan.each(|fire| {
        let event = event(fire, written).try_into_string().map_err(io::Error::other)?;
        out.write_all(event.as_bytes())
    })?;
    out.write_all(END.as_bytes())
}

fn event(fire: &Fire<'_>, written: DateTime<Utc>) -> Event {
    let (job, schedule) = (&fire.entry.job, fire.entry.schedule);
    let recurrence = &schedule.recurrence;
    let description =
        format!("{} in {}; the slot of {}", recurrence.expression(), recurrence.timezone(), local(fire));
    let mut event = Event::new();
    event
        .uid(&format!("{job}.{}.{}@tekcron", schedule.key, fire.slot.as_second()))
        .timestamp(written)
        .starts(instant(fire.start))
        .summary(&job.to_string())
        .description(&description)
        // Nobody is busy because a job runs.
        .add_property("TRANSP", "TRANSPARENT");
    event
}

/// The whole second: a calendar knows no fractions.
fn instant(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_secs(time.as_second()).expect("chrono knows more years than jiff")
}
