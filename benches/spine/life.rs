//! The life of one slot, step by step: how long each takes, and how often it allocates.
//!
//! Each step is what the dispatcher calls there. The store's steps are timed from the caller's side, and
//! of them only the caller's allocations are counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use tekcron::clock::SystemClock;
use tekcron::executor::pipeline_run;
use tekcron::schedule::jitter;
use tekcron::store::{Commit, Store};
use tekcron::task::{Phase, RunIdentity, TaskName};
use tempfile::TempDir;

use crate::Scale;
use crate::durable::commit_all;
use crate::records::{self, Claim, SLOTS_PER_COMMIT};

/// The system's allocator, which counts what this thread asks it for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe to be; this one hands everything to the system's")]
// SAFETY: both calls go to `System` as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends may have no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are `System`'s conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: it came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

pub(crate) fn run(scale: Scale) {
    let dir = TempDir::new().expect("a temporary directory");
    let config_dir = dir.path().join("config");
    records::write_config(&config_dir, 1, "\"true\"", |_| "0 0 * * *".to_owned());
    let config = records::load_config(&config_dir, &dir.path().join("data"));
    let (_, job) = config.jobs().next().expect("there is one");
    let schedule = &job.schedules[0];
    let store = Store::open(dir.path(), Arc::new(SystemClock::new())).expect("a new store");
    let size = SLOTS_PER_COMMIT * if scale.quick { 8 } else { 64 };
    let claims: Vec<Claim> = (1..=size as u64).map(|id| Claim::new(0, 0, id)).collect();
    println!("\n| step of one slot | µs | allocations |\n|---|---|---|");
    each("next slot and its jitter", &claims, |claim| {
        let slot = schedule.recurrence.next_after(claim.watermark.at).expect("there is always a next one");
        std::hint::black_box(jitter(schedule, &claim.job, slot));
    });
    each("its name", &claims, |claim| {
        let (app, job, slot) = (&claim.job.app, &claim.job.job, claim.slot.first);
        let identity = RunIdentity::Slot { schedule: &schedule.key, slot, ordinal: 0 };
        std::hint::black_box(TaskName::of("tekcron", "default", app, Some(job), identity, 1));
    });
    each("its rows", &claims, |claim| claim.write(&mut Commit::new()));
    all("claim on disk, with its batch", &claims, |claims| commit_all(&store, records::commits(claims)));
    each("its object", &claims, |claim| {
        std::hint::black_box(pipeline_run::submission(&config, &claim.task, None).expect("it is a task"));
    });
    let changed = |phase: Phase| {
        let commit = |claims: &[Claim]| {
            let mut commit = Commit::new();
            for claim in claims {
                let mut task = claim.task.clone();
                task.phase = phase;
                commit.update_task(&task);
            }
            commit
        };
        claims.chunks(SLOTS_PER_COMMIT).map(commit).collect::<Vec<_>>()
    };
    all("confirmation on disk, with its turn", &claims, |_| commit_all(&store, changed(Phase::Submitted)));
    all("end on disk, with its turn", &claims, |_| commit_all(&store, changed(Phase::Succeeded)));
    let few = &claims[..size.min(2_048)];
    let alone = |claim: &Claim| {
        let mut commit = Commit::new();
        let mut task = claim.task.clone();
        task.id.0 += size as u64;
        commit.create_task(&task).put_slot(&claim.job, &claim.slot);
        commit.put_watermark(&claim.job, &claim.slot.schedule, &claim.watermark);
        commit_all(&store, vec![commit]);
    };
    each("claim on disk, alone", few, alone);
}

fn each(what: &str, claims: &[Claim], step: impl Fn(&Claim)) {
    all(what, claims, |claims| claims.iter().for_each(&step));
}

/// Prints what one claim's share of `step` is.
fn all(what: &str, claims: &[Claim], step: impl FnOnce(&[Claim])) {
    let (before, began) = (ALLOCATIONS.get(), Instant::now());
    step(claims);
    let (took, allocated) = (began.elapsed(), ALLOCATIONS.get() - before);
    let share = |total: f64| total / claims.len() as f64;
    println!("| {what} | {:.2} | {:.1} |", share(took.as_secs_f64() * 1e6), share(allocated as f64));
}
