//! How many slots a stretch of time holds, as far as anybody wants to know.

use super::{Recurrence, SlotRange};

/// The number of slots of a range. None where there are more than `most`: they are counted one by one.
pub fn count_slots(recurrence: &Recurrence, range: SlotRange, most: u64) -> Option<u64> {
    let mut counted = 1;
    let mut slot = range.first;
    while slot < range.last {
        if counted == most {
            return None;
        }
        slot = recurrence.next_after(slot).filter(|next| *next <= range.last)?;
        counted += 1;
    }
    Some(counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{DstMode, Zone};

    #[test]
    fn slots_are_counted_up_to_a_bound_and_only_where_the_ends_are_slots() {
        let secondly = Recurrence::new("* * * * * *".parse().unwrap(), Zone::UTC, DstMode::Vixie).unwrap();
        let range = |last: &str| SlotRange {
            first: "2026-01-01T00:00:00Z".parse().unwrap(),
            last: last.parse().unwrap(),
        };
        let counted = |last| count_slots(&secondly, range(last), 60);
        assert_eq!(counted("2026-01-01T00:00:00Z"), Some(1));
        assert_eq!(counted("2026-01-01T00:00:59Z"), Some(60));
        assert_eq!(counted("2026-01-01T00:01:00Z"), None);
        assert_eq!(counted("2026-01-01T00:00:00.5Z"), None);
    }
}
