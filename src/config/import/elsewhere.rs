//! Expressions of robfig/cron, which Kubernetes and Kf read schedules with.

use super::documents::Remarks;
use crate::config::fault::Fault;
use crate::schedule::{DstMode, Expression, ExpressionError, Recurrence, Zone};

/// The first and last value of each of the five fields.
const FIELDS: [(u8, u8); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];

/// A schedule as it is written here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) cron: String,
    /// Where the expression itself names one.
    pub(super) timezone: Option<String>,
}

/// The expression that is due here when `text` is due there.
pub(super) fn translated(text: &str, path: &str, remarks: &mut Remarks) -> Option<Translated> {
    let (timezone, fields) = zone(text.trim());
    let spelled = spelled(fields);
    let read: Result<Expression, ExpressionError> = spelled.parse();
    let expression = match read {
        Ok(expression) => expression,
        Err(error) => {
            let message = format!("{} in `{text}`", error.message());
            remarks.refuse(path, message, error.hint());
            return None;
        }
    };
    let cron = match expression.other_reading() {
        Some(_) => {
            let cron = restricted(&spelled);
            let message = format!(
                "`{text}` is written `{cron}` here, where a `*` at the head of a day field restricts nothing"
            );
            remarks.warn(path, message, "docs/schedules.md, both day fields");
            cron
        }
        None => spelled,
    };
    if let Err(error) = Recurrence::new(cron.parse().ok()?, Zone::default(), DstMode::Literal) {
        let fault = Fault::of(&error, "such a day never comes");
        remarks.refuse(path, fault.message, fault.hint);
        return None;
    }
    Some(Translated { cron, timezone })
}

/// The zone that stands before the fields.
fn zone(text: &str) -> (Option<String>, &str) {
    let named = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    match named.and_then(|rest| rest.split_once(char::is_whitespace)) {
        Some((zone, fields)) => (Some(zone.to_owned()), fields.trim_start()),
        None => (None, text),
    }
}

/// `?` means `*` in any field there, and `5/15` begins at 5 and has no end.
fn spelled(fields: &str) -> String {
    if fields.starts_with('@') {
        return fields.to_owned();
    }
    let fields = fields.split_whitespace().enumerate().map(|(place, field)| {
        let item = |item: &str| {
            let item = if item.starts_with('?') { item.replacen('?', "*", 1) } else { item.to_owned() };
            match (item.split_once('/'), FIELDS.get(place)) {
                (Some((first, step)), Some((_, last))) if first.parse::<u8>().is_ok() => {
                    format!("{first}-{last}/{step}")
                }
                _ => item,
            }
        };
        field.split(',').map(item).collect::<Vec<_>>().join(",")
    });
    fields.collect::<Vec<_>>().join(" ")
}

/// With a range in place of each `*` that has a step in a day field: every cron takes that for a restriction.
/// Where robfig/cron takes the days for any nevertheless, both must match.
fn restricted(fields: &str) -> String {
    let mut fields: Vec<String> = fields.split_whitespace().map(str::to_owned).collect();
    let any = |field: &str| field.split(',').any(|item| matches!(item, "*" | "*/1"));
    if any(&fields[2]) || any(&fields[4]) {
        fields[4] = format!("+{}", fields[4]);
    } else {
        for place in [2, 4] {
            let (first, last) = FIELDS[place];
            let item = |item: &str| item.replacen('*', &format!("{first}-{last}"), 1);
            fields[place] = fields[place].split(',').map(item).collect::<Vec<_>>().join(",");
        }
    }
    fields.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &str) -> Option<Translated> {
        translated(text, "spec.schedule", &mut Remarks::new("f"))
    }

    #[test]
    fn what_is_written_here_means_the_same() {
        for (there, here) in [
            ("0 2 * * *", "0 2 * * *"),
            ("5/15 * * * *", "5-59/15 * * * *"),
            ("0 0 ? * ?", "0 0 * * *"),
            ("0 0 */2 * 1", "0 0 1-31/2 * 1"),
            ("0 0 1,* * MON", "0 0 1,* * +MON"),
            ("@daily", "@daily"),
            ("  0   2 * *  1-5 ", "0 2 * * 1-5"),
        ] {
            assert_eq!(cron(there).map(|translated| translated.cron).as_deref(), Some(here), "{there}");
        }
        let with_zone = Translated { cron: "0 2 * * *".to_owned(), timezone: Some("Asia/Tokyo".to_owned()) };
        assert_eq!(cron("CRON_TZ=Asia/Tokyo 0 2 * * *"), Some(with_zone));
    }

    #[test]
    fn what_no_cron_reads_is_refused() {
        for text in ["0 25 * * *", "0 2 * *", "", "0 0 30 2 *", "@often"] {
            assert_eq!(cron(text), None, "{text}");
        }
    }
}
