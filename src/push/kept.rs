//! Which revisions stay.

use std::collections::BTreeSet;

use super::{RevisionNumber, RevisionState, Revisions};

/// The newest revisions of an App that stay whatever they are.
const NEWEST: usize = 5;

/// The revisions that nobody needs any more: not among the newest, not the current one, not being built, and not what a
/// task runs that has not ended.
pub(super) fn superfluous(
    revisions: &Revisions,
    current: Option<RevisionNumber>,
    running: &BTreeSet<RevisionNumber>,
) -> Vec<RevisionNumber> {
    let older = revisions.values().rev().skip(NEWEST);
    let needed = |number| Some(number) == current || running.contains(&number);
    older
        .filter(|revision| revision.state != RevisionState::Building && !needed(revision.number))
        .map(|revision| revision.number)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::Revision;

    fn revisions(states: &[RevisionState]) -> Revisions {
        let revision = |(number, state): (u32, &RevisionState)| Revision {
            number: RevisionNumber(number),
            source: None,
            image: None,
            command: None,
            state: state.clone(),
            build: None,
            from: None,
            by: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            ended: None,
        };
        (1..).zip(states).map(revision).map(|revision| (revision.number, revision)).collect()
    }

    #[test]
    fn the_newest_five_stay_and_what_somebody_needs() {
        let ready = || RevisionState::Ready;
        let failed = || RevisionState::Failed { reason: String::new() };
        for (states, current, running, expected) in [
            (vec![ready(); 5], Some(5), vec![], vec![]),
            (vec![ready(); 8], Some(8), vec![], vec![3, 2, 1]),
            (vec![ready(); 8], Some(2), vec![], vec![3, 1]),
            (vec![ready(); 8], Some(8), vec![1, 3], vec![2]),
            // What is built again after a restart is no older for that.
            ([vec![RevisionState::Building], vec![ready(); 6]].concat(), Some(7), vec![], vec![2]),
            ([vec![ready()], vec![failed(); 6]].concat(), Some(1), vec![], vec![2]),
            (vec![failed(); 7], None, vec![], vec![2, 1]),
            (vec![], None, vec![], vec![]),
        ] {
            let running = running.into_iter().map(RevisionNumber).collect();
            let found = superfluous(&revisions(&states), current.map(RevisionNumber), &running);
            let found: Vec<u32> = found.into_iter().map(|number| number.0).collect();
            assert_eq!(found, expected, "{} with {current:?} and {running:?}", states.len());
        }
    }
}
