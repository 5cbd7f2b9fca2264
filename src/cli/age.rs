//! Spans of time in the few characters that a column has, as `kubectl` writes them.

use jiff::{SignedDuration, Timestamp};

use crate::api::resources::TaskResource;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// `seconds` in at most two units, the coarser the longer it is. Less than none (clocks that differ) is none.
pub(super) fn span(seconds: i64) -> String {
    let two = |unit: i64, name: &str, below: i64, below_name: &str| {
        let rest = seconds % unit / below;
        let whole = seconds / unit;
        if rest == 0 { format!("{whole}{name}") } else { format!("{whole}{name}{rest}{below_name}") }
    };
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, "d", HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000.. => two(YEAR, "y", DAY, "d"),
    }
}

/// How long before `now` it was.
pub(super) fn since(then: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(then).as_secs())
}

/// How long after `now` it is.
pub(super) fn until(then: Timestamp, now: Timestamp) -> String {
    span(then.duration_since(now).as_secs())
}

/// How long a task ran, or has run by `now`: below ten seconds to the tenth.
pub(super) fn duration(task: &TaskResource, now: Timestamp) -> Option<String> {
    task.started.map(|started| exact(task.finished.unwrap_or(now).duration_since(started)))
}

/// A span of so many milliseconds: below a second exactly, below ten seconds to the tenth.
pub(super) fn millis(millis: i64) -> String {
    match millis {
        ..0 => "0ms".to_owned(),
        0..1000 => format!("{millis}ms"),
        1000.. => exact(SignedDuration::from_millis(millis)),
    }
}

fn exact(duration: SignedDuration) -> String {
    match (duration.as_millis() + 50).div_euclid(100) {
        tenths @ 0..100 => format!("{}.{}s", tenths / 10, tenths % 10),
        _ => span((duration + SignedDuration::from_millis(50)).as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_is_told_to_the_tenth() {
        for (millis, expected) in [
            (-60_000, "0s"),
            (0, "0.0s"),
            (49, "0.0s"),
            (990, "1.0s"),
            (1_240, "1.2s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (10_940, "10s"),
            (95_000, "95s"),
        ] {
            assert_eq!(exact(SignedDuration::from_millis(millis)), expected, "{millis} ms");
        }
    }

    #[test]
    fn a_span_is_as_coarse_as_it_is_long() {
        for (seconds, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (3 * HOUR + 5 * MINUTE, "3h5m"),
            (8 * HOUR + 5 * MINUTE, "8h"),
            (2 * DAY, "2d"),
            (3 * DAY + 4 * HOUR, "3d4h"),
            (8 * DAY + 4 * HOUR, "8d"),
            (2 * YEAR + 3 * DAY, "2y3d"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds} s");
        }
    }
}
