use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::Schedule;
use crate::job::JobRef;

/// How long after its slot a run starts: the same each time it is asked, spread evenly over the
/// schedule's jitter, and always before the next slot. Whole milliseconds.
pub fn jitter(schedule: &Schedule, job: &JobRef, slot: Timestamp) -> SignedDuration {
    if schedule.rules.jitter <= SignedDuration::ZERO {
        return SignedDuration::ZERO;
    }
    let next = schedule.recurrence.next_after(slot);
    let bound =
        next.map_or(schedule.rules.jitter, |next| schedule.rules.jitter.min(next.duration_since(slot)));
    let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    // The high half of the product is below the bound.
    let millis = (u128::from(hash(schedule, job, slot)) * u128::from(bound)) >> 64;
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn hash(schedule: &Schedule, job: &JobRef, slot: Timestamp) -> u64 {
    let mut hash = Sha256::new();
    for name in [job.app.as_str(), job.job.as_str(), schedule.key.as_str()] {
        hash.update(name);
        // No name holds it.
        hash.update([0]);
    }
    hash.update(slot.as_second().to_be_bytes());
    let digest = hash.finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("a digest is longer than eight bytes"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{DstMode, Recurrence, Rules, ScheduleKey, Zone};

    fn every_minute(jitter: SignedDuration) -> Schedule {
        let recurrence = Recurrence::new("* * * * *".parse().unwrap(), Zone::UTC, DstMode::Vixie).unwrap();
        Schedule {
            key: ScheduleKey::hashed("* * * * *", "UTC", "vixie"),
            recurrence,
            rules: Arc::new(Rules { jitter, ..Rules::default() }),
            parameters: None,
        }
    }

    fn slots() -> impl Iterator<Item = Timestamp> {
        (0..1000).map(|minute| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap())
    }

    #[test]
    fn without_jitter_a_run_starts_at_its_slot() {
        let job = "etl.nightly".parse().unwrap();
        for none in [SignedDuration::ZERO, SignedDuration::from_secs(-1)] {
            assert!(slots().all(|slot| jitter(&every_minute(none), &job, slot).is_zero()));
        }
    }

    #[test]
    fn jitter_is_repeatable_below_its_bound_and_spread_over_it() {
        let (schedule, job) = (every_minute(SignedDuration::from_secs(30)), "etl.nightly".parse().unwrap());
        let mut quarters = [0; 4];
        for slot in slots() {
            let delay = jitter(&schedule, &job, slot);
            assert_eq!(delay, jitter(&schedule, &job, slot));
            quarters[usize::try_from(delay.as_millis() / 7500).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|count| (180..320).contains(count)), "{quarters:?}");
    }

    #[test]
    fn jitter_longer_than_the_distance_to_the_next_slot_ends_before_it() {
        let (schedule, job) = (every_minute(SignedDuration::MAX), "etl.nightly".parse().unwrap());
        let longest = slots().map(|slot| jitter(&schedule, &job, slot)).max().unwrap();
        assert!(longest < SignedDuration::from_secs(60), "{longest}");
        assert!(longest > SignedDuration::from_secs(50), "{longest}");
    }

    #[test]
    fn the_last_slot_of_all_has_a_jitter_too() {
        let (schedule, job) = (every_minute(SignedDuration::MAX), "etl.nightly".parse().unwrap());
        let last = "2100-12-31T23:59:00Z".parse().unwrap();
        assert_eq!(schedule.recurrence.next_after(last), None);
        assert!(jitter(&schedule, &job, last) > SignedDuration::ZERO);
    }

    #[test]
    fn two_jobs_of_one_schedule_start_apart() {
        let schedule = every_minute(SignedDuration::from_secs(30));
        let (one, other) = ("etl.nightly".parse().unwrap(), "etl.hourly".parse().unwrap());
        let apart = slots().filter(|slot| jitter(&schedule, &one, *slot) != jitter(&schedule, &other, *slot));
        assert!(apart.count() > 900);
    }
}
