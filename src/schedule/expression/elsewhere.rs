//! Where another cron reads an expression as something else, without a word.
//!
//! robfig/cron, and with it Kubernetes and Kf, knows the rule of the day fields too, but goes by a `*` or
//! `?` anywhere in a field's list, and takes one with a step for a restriction; here the field's first
//! character decides, as in Debian's cron.

use std::ops::Range;

use super::fields::DayRule;
use super::piece::Piece;
use super::{Expression, Field};

/// How an expression is read here, and how elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherReading {
    /// Both readings, in words.
    pub message: String,
    /// How to say each so that both read the same, or only one reads it at all.
    pub hint: String,
    /// The day fields in the text, in bytes.
    pub span: Range<usize>,
}

impl Expression {
    /// How Kubernetes and Kf read this, where that is otherwise. What they refuse is no reading.
    pub fn other_reading(&self) -> Option<OtherReading> {
        let fields = self.fields()?;
        if self.resolved().is_some() || !fields.dates.days.is_plain() || !fields.dates.weekdays.is_plain() {
            return None;
        }
        let words = Piece::whole(self.as_str()).words();
        let [.., day, month, weekday] = words[..] else { return None };
        if weekday.text.starts_with('+') {
            return None;
        }
        let there =
            if is_any_elsewhere(day) || is_any_elsewhere(weekday) { DayRule::Both } else { DayRule::Either };
        let here = fields.dates.day_rule;
        if here == there {
            return None;
        }
        let days = format!("`{}` (day of month) {{}} `{}` (day of week)", day.text, weekday.text);
        let (both, either) = (days.replace("{}", "and"), days.replace("{}", "or"));
        let in_words = |rule| if rule == DayRule::Both { &both } else { &either };
        let times = &self.as_str()[..day.span().start];
        let both = format!("`{times}{} {} +{}`", day.text, month.text, weekday.text);
        let either = format!(
            "`{times}{} {} {}`",
            spelt_out(Field::Day, day),
            month.text,
            spelt_out(Field::Weekday, weekday)
        );
        Some(OtherReading {
            message: format!(
                "this is due on days that match {}; Kubernetes and Kf take it for days that match {}",
                in_words(here),
                in_words(there)
            ),
            hint: format!("{both} says both, {either} says either"),
            span: day.span_to(weekday),
        })
    }
}

/// Whether robfig/cron takes the field for one that restricts nothing.
fn is_any_elsewhere(field: Piece<'_>) -> bool {
    field.split(',').any(|item| matches!(item.text, "*" | "?" | "*/1"))
}

/// The field with a range for each `*`: every cron takes that for a restriction.
fn spelt_out(field: Field, piece: Piece<'_>) -> String {
    let range = format!("{}-{}", field.once_around().start(), field.once_around().end());
    let items = piece.split(',').map(|item| item.text.replacen('*', &range, 1));
    items.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_read_otherwise_is_told() {
        for (expression, otherwise) in [
            ("0 0 */2 * 1", true),
            ("0 0 1 * */2", true),
            ("0 0 */2 * */3", true),
            ("0 0 0 */2 * 1", true),
            ("0 0 1,* * MON", true),
            // The same there.
            ("0 0 */2 * *", false),
            ("0 0 * * */2", false),
            ("0 0 */1 * 1", false),
            ("0 0 *,2 * 1", false),
            ("0 0 1-31/2 * 1", false),
            ("0 0 13 * FRI", false),
            ("*/5 * * * *", false),
            ("0 0 ? * MON", false),
            ("@daily", false),
            // Refused there.
            ("0 0 */2 * +1", false),
            ("0 0 */2 * MON#2", false),
            ("0 0 L,* * 1", false),
            ("H 0 */2 * 1", false),
            ("@at 2026-12-01 02:00:00Z", false),
        ] {
            let read: Expression = expression.parse().unwrap();
            assert_eq!(read.other_reading().is_some(), otherwise, "{expression}");
        }
    }

    #[test]
    fn both_readings_are_said_in_words_and_how_to_write_each() {
        let read: Expression = "0 0 */2 * 1".parse().unwrap();
        let other = read.other_reading().unwrap();
        assert_eq!(
            other.message,
            "this is due on days that match `*/2` (day of month) and `1` (day of week); Kubernetes and Kf take it for days that match `*/2` (day of month) or `1` (day of week)"
        );
        assert_eq!(other.hint, "`0 0 */2 * +1` says both, `0 0 1-31/2 * 1` says either");
        assert_eq!(&read.as_str()[other.span], "*/2 * 1");
    }

    #[test]
    fn what_the_hint_offers_is_read_as_it_says() {
        for expression in ["0 0 */2 * 1", "0 0 1 * */2", "0 0 */2 * */3", "0 0 1,* * MON"] {
            let other = expression.parse::<Expression>().unwrap().other_reading().unwrap();
            let offered: Vec<Expression> =
                other.hint.split('`').skip(1).step_by(2).map(|text| text.parse().unwrap()).collect();
            let rules: Vec<_> =
                offered.iter().map(|offered| offered.fields().unwrap().dates.day_rule).collect();
            assert_eq!(rules, [DayRule::Both, DayRule::Either], "{expression}");
            assert!(offered.iter().all(|offered| offered.other_reading().is_none()), "{expression}");
        }
    }
}
