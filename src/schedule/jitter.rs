//! Spreading starts, repeatably.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::Schedule;
use crate::job::JobRef;

/// How long after `slot` its task starts: the same for the same job, schedule and slot, less than
/// [`Schedule::jitter`], and before the next slot.
pub fn jitter(schedule: &Schedule, job: &JobRef, slot: Timestamp) -> SignedDuration {
    if schedule.jitter <= SignedDuration::ZERO {
        return SignedDuration::ZERO;
    }
    let next = schedule.recurrence.next_after(slot);
    let distance = next.map_or(SignedDuration::MAX, |next| next.duration_since(slot));
    let bound = schedule.jitter.min(distance).as_millis();
    let mut hash = Sha256::new();
    for part in [job.app.as_str(), job.job.as_str(), schedule.key.as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(slot.as_millisecond().to_be_bytes());
    let hash = hash.finalize();
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let millis = u128::from(number) % bound.unsigned_abs().max(1);
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{CatchUp, DstMode, Recurrence, ScheduleKey, Zone};

    fn schedule(jitter: SignedDuration) -> Schedule {
        Schedule {
            key: ScheduleKey::hashed("* * * * *", "UTC", "vixie"),
            recurrence: Recurrence::new("* * * * *".parse().unwrap(), Zone::utc(), DstMode::Vixie).unwrap(),
            start_deadline: None,
            catch_up: CatchUp::Latest,
            catch_up_window: None,
            max_catch_up: 100,
            jitter,
        }
    }

    #[test]
    fn it_is_repeatable_bounded_and_differs_from_slot_to_slot() {
        let job: JobRef = "etl.nightly".parse().unwrap();
        let slots = (0..1000).map(|minute| Timestamp::from_second(minute * 60).unwrap());
        let schedule_ = schedule(SignedDuration::from_secs(30));
        let jitters: Vec<_> = slots.clone().map(|slot| jitter(&schedule_, &job, slot)).collect();
        assert_eq!(jitters, slots.map(|slot| jitter(&schedule_, &job, slot)).collect::<Vec<_>>());
        assert!(jitters.iter().all(|jitter| (0..30_000).contains(&jitter.as_millis())));
        let late = jitters.iter().filter(|jitter| jitter.as_secs() >= 15).count();
        assert!((400..600).contains(&late), "{late} of 1000 lie in the later half");
    }

    #[test]
    fn it_never_reaches_the_next_slot() {
        let job: JobRef = "etl.nightly".parse().unwrap();
        let schedule = schedule(SignedDuration::from_hours(5));
        for minute in 0..1000 {
            let slot = Timestamp::from_second(minute * 60).unwrap();
            assert!(jitter(&schedule, &job, slot) < SignedDuration::from_mins(1));
        }
    }

    #[test]
    fn none_is_none() {
        let job: JobRef = "etl.nightly".parse().unwrap();
        assert_eq!(
            jitter(&schedule(SignedDuration::ZERO), &job, Timestamp::UNIX_EPOCH),
            SignedDuration::ZERO
        );
    }
}
