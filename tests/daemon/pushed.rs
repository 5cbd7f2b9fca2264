//! An App in the store of a place, as a push leaves it, for whoever is no client of push.

use std::sync::Arc;

use tekcron::clock::SystemClock;
use tekcron::config::StoredApp;
use tekcron::push::{Revision, RevisionNumber, RevisionState};
use tekcron::store::{ClosedStore, Commit, Store};

use crate::harness::Place;

/// Puts the App `name` with the text `toml` into the store, while no daemon has it.
pub(crate) fn push(place: &Place, name: &str, toml: &str) {
    put(place, name, toml, false);
}

/// The same of an App whose deletion was begun.
pub(crate) fn leave(place: &Place, name: &str, toml: &str) {
    put(place, name, toml, true);
}

fn put(place: &Place, name: &str, toml: &str, deleting: bool) {
    let data = place.path().join("data");
    let store = Store::open(&data, Arc::new(SystemClock::new())).unwrap();
    let app = StoredApp {
        toml: toml.to_owned(),
        current: Some(RevisionNumber(1)),
        newest: RevisionNumber(1),
        by: Some("alice".to_owned()),
        at: jiff::Timestamp::UNIX_EPOCH,
        deleting,
    };
    let revision = Revision {
        number: RevisionNumber(1),
        source: None,
        image: Some("busybox:1.37".to_owned()),
        command: None,
        state: RevisionState::Ready,
        build: None,
        from: None,
        by: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        ended: None,
    };
    let (name, mut commit) = (name.parse().unwrap(), Commit::new());
    commit.put_app(&name, &app).put_revision(&name, &revision);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(commit)).unwrap();
    drop(store);
    // Its writer closes it in a moment.
    place.until("it is closed", || ClosedStore::lock(&data).ok().map(drop));
}
