//! When the store has synced: it counts each group of commits right after its sync.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

static SYNCS: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// Notes each sync of any store of this process from now on.
pub(crate) fn note() {
    // A second call changes nothing.
    let _ = metrics::set_global_recorder(Notes);
}

/// The first sync after `instant`, if there was one.
pub(crate) fn first_after(instant: Instant) -> Option<Instant> {
    let syncs = SYNCS.lock().expect("nobody panics with it");
    syncs.get(syncs.partition_point(|sync| *sync <= instant)).copied()
}

/// Only syncs matter here.
struct Notes;

struct Note;

impl HistogramFn for Note {
    fn record(&self, _: f64) {
        SYNCS.lock().expect("nobody panics with it").push(Instant::now());
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "tekcron_commit_seconds" {
            Histogram::from_arc(Arc::new(Note))
        } else {
            Histogram::noop()
        }
    }
}
