use jiff::Timestamp;
use tekcron::schedule::{DstMode, Recurrence};

pub(crate) const MODES: [DstMode; 3] = [DstMode::Vixie, DstMode::Skip, DstMode::Literal];

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn recurrence(expression: &str, timezone: &str, dst: DstMode) -> Recurrence {
    let parsed = expression.parse().unwrap_or_else(|error| panic!("{expression}: {error}"));
    Recurrence::new(parsed, timezone.parse().unwrap(), dst).unwrap()
}

/// The slots after `from`, up to and with `until`, on the wall clock with its offset. That a search
/// backwards finds the same is part of every test that uses this.
pub(crate) fn slots(recurrence: &Recurrence, from: Timestamp, until: Timestamp) -> Vec<String> {
    let forward = forward(recurrence, from, until);
    assert_eq!(forward, backward(recurrence, from, until), "{recurrence:?}");
    let rules = recurrence.timezone().rules();
    let shown = |slot: Timestamp| slot.display_with_offset(rules.to_offset(slot)).to_string();
    forward.into_iter().map(shown).collect()
}

pub(crate) fn forward(recurrence: &Recurrence, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let slots = std::iter::successors(recurrence.next_after(from), |slot| {
        let next = recurrence.next_after(*slot)?;
        assert!(next > *slot, "{next} came after {slot}: {recurrence:?}");
        Some(next)
    });
    slots.take_while(|slot| *slot <= until).collect()
}

pub(crate) fn backward(recurrence: &Recurrence, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let second = jiff::SignedDuration::from_secs(1);
    let slots =
        std::iter::successors(recurrence.last_until(until), |slot| recurrence.last_until(*slot - second));
    let mut slots: Vec<_> = slots.take_while(|slot| *slot > from).collect();
    slots.reverse();
    slots
}
