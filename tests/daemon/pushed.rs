//! An App in the store of a place, as a push leaves it, for whoever is no client of push.

use std::sync::Arc;

use tekcron::clock::SystemClock;
use tekcron::config::StoredApp;
use tekcron::push::RevisionNumber;
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
        current: None,
        newest: RevisionNumber(0),
        by: Some("alice".to_owned()),
        at: jiff::Timestamp::UNIX_EPOCH,
        deleting,
    };
    let mut commit = Commit::new();
    commit.put_app(&name.parse().unwrap(), &app);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(commit)).unwrap();
    drop(store);
    // Its writer closes it in a moment.
    place.until("it is closed", || ClosedStore::lock(&data).ok().map(drop));
}
