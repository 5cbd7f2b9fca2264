//! How much is taken on at once, so that neither descriptors nor memory run out, whoever asks for what.
//!
//! [`Bounds`] are how many connections there are; [`Places`] are what requests share and give back by
//! being answered. What has no place is refused with `Retry-After`, before any of it is done: nothing
//! that was acknowledged is ever given up for something new. Slots are not asked for here, and so are
//! never refused.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::extract::LARGEST_BODY;
use super::failure::{Code, Failure};

/// Connections that are served at once, on a machine that has the descriptors.
const MOST_CONNECTIONS: usize = 1024;

/// Connections of probes that are served at once, and as many again for a moment.
const PROBES: usize = 16;

/// Scans of the store at once; further ones wait. Each has a thread, and slots need some too.
const SCANS: usize = 16;

/// KiB of all bodies that are held at once: 64 of the largest.
const BODIES: usize = LARGEST_BODY / 1024 * 64;

/// Sources that arrive at once. Each has a piece in memory, and a thread while that is written.
const UPLOADS: usize = 4;

/// How many connections there are at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Those that are served.
    pub(super) connections: usize,
    /// Those beside them that are told to come back; `/livez` and `/readyz` answer these too.
    pub(super) crowd: usize,
}

impl Bounds {
    /// What the descriptors of this process allow.
    pub(super) fn of_this_process() -> Self {
        Self::of(getrlimit(Resource::Nofile).current)
    }

    /// Probes come one at a time, from a few places; and who may not ask for more must not take the API's.
    pub(super) fn of_probes() -> Self {
        Self { connections: PROBES, crowd: PROBES }
    }

    /// A quarter of the descriptors are connections: the others are for tasks, and for what is waited for.
    fn of(descriptors: Option<u64>) -> Self {
        let quarter = descriptors.and_then(|most| usize::try_from(most / 4).ok());
        let connections = quarter.unwrap_or(MOST_CONNECTIONS).clamp(8, MOST_CONNECTIONS);
        Self { connections, crowd: connections.div_ceil(8) }
    }
}

/// What requests share.
#[derive(Debug)]
pub(super) struct Places {
    /// Waiting for a task's end, or following a log.
    waits: Arc<Semaphore>,
    /// Bodies, by the KiB.
    bodies: Arc<Semaphore>,
    /// Sources that arrive.
    uploads: Arc<Semaphore>,
    /// Scans of the store.
    pub(super) scans: Semaphore,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// Half of the connections may wait: the others are for requests that are answered at once.
    pub(super) fn within(bounds: Bounds) -> Self {
        let semaphore = |most| Arc::new(Semaphore::new(most));
        let waits = semaphore((bounds.connections / 2).max(1));
        Self { waits, bodies: semaphore(BODIES), uploads: semaphore(UPLOADS), scans: Semaphore::new(SCANS) }
    }

    /// A place to wait.
    ///
    /// # Errors
    /// 503 where as many as may wait do.
    pub(super) fn wait(&self) -> Result<Place, Failure> {
        taken(&self.waits, 1, "as many requests as may wait for tasks or follow logs do so")
    }

    /// A place for a source that arrives.
    ///
    /// # Errors
    /// 503 where others have all.
    pub(super) fn upload(&self) -> Result<Place, Failure> {
        taken(&self.uploads, 1, "as many sources as may be sent at once are under way")
    }

    /// A place for a body of so many bytes.
    ///
    /// # Errors
    /// 503 where other bodies have it.
    pub(super) fn body(&self, bytes: usize) -> Result<Place, Failure> {
        taken(
            &self.bodies,
            bytes.div_ceil(1024),
            "other requests' bodies take all the memory there is for them",
        )
    }
}

fn taken(places: &Arc<Semaphore>, count: usize, otherwise: &str) -> Result<Place, Failure> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match Arc::clone(places).try_acquire_many_owned(count) {
        Ok(permit) => Ok(Place { _permit: permit }),
        Err(_) => Err(Failure::new(Code::Busy, format!("{otherwise}\nhint: ask again in a while"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_descriptors_to_others() {
        for (descriptors, connections, crowd) in [
            (Some(1024), 256, 32),
            (Some(20_000), 1024, 128),
            (Some(u64::MAX), 1024, 128),
            (None, 1024, 128),
            (Some(3), 8, 1),
        ] {
            assert_eq!(Bounds::of(descriptors), Bounds { connections, crowd }, "{descriptors:?}");
        }
    }

    #[test]
    fn what_has_no_place_is_refused_until_one_is_given_back() {
        let places = Places::within(Bounds { connections: 4, crowd: 1 });
        let held = [places.wait().unwrap(), places.wait().unwrap()];
        assert_eq!(places.wait().unwrap_err().code, Code::Busy);
        drop(held);
        assert!(places.wait().is_ok());
        let bodies: Vec<_> = (0..64).map(|_| places.body(LARGEST_BODY).unwrap()).collect();
        assert_eq!(places.body(1).unwrap_err().code, Code::Busy);
        assert!(places.body(0).is_ok());
        drop(bodies);
        assert!(places.body(LARGEST_BODY).is_ok());
    }
}
