//! All that is kept of one App.

use tempfile::TempDir;

use super::*;
use crate::job::JobRef;

#[tokio::test]
async fn all_that_is_kept_of_an_apps_jobs_goes_and_nothing_of_its_neighbours() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let others: [JobRef; 2] = ["etl2.nightly".parse().unwrap(), "et.nightly".parse().unwrap()];
    let mut commit = Commit::new();
    for job in others.iter().chain([&job()]) {
        for minute in 0..3000 {
            let outcome = SlotOutcome::Missed;
            let (first, last) = (at(60 * minute), at(60 * minute));
            commit.put_slot(
                job,
                &SlotRow { schedule: schedule(), first, last, outcome, claim: None, note: None },
            );
        }
        commit.put_previous_success(job, at(60));
        commit.put_watermark(job, &schedule(), &Watermark { at: at(120), fingerprint: "f".to_owned() });
        store.commit(std::mem::take(&mut commit)).await.unwrap();
    }
    assert_eq!(store.slots_of_app(&job().app, 10).unwrap().len(), 10);
    for part in store.forgotten(&job().app) {
        store.commit(part.unwrap()).await.unwrap();
    }
    assert_eq!(store.forgotten(&job().app).count(), 0);
    assert_eq!(store.previous_success(&job()).unwrap(), None);
    for other in &others {
        let rows = store.slots(other, None, at(0)..=at(1_000_000)).unwrap();
        assert_eq!((rows.len(), store.previous_success(other).unwrap()), (3000, Some(at(60))));
    }
}
