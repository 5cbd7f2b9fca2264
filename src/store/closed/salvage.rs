//! What still reads of a damaged store, put right among itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::check;
use crate::app::AppName;
use crate::store::error::StoreError;
use crate::store::key::{self, Kind};
use crate::store::raw::Pages;
use crate::store::record;
use crate::task::{Task, TaskId};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every record that reads, and what does not.
pub(super) fn rows(dir: &Path) -> Result<(Rows, Vec<String>), StoreError> {
    let salvaged = Pages::salvage(dir).map_err(|damage| StoreError::unreadable(dir)(damage.to_string()))?;
    let mut lost: Vec<String> = salvaged.lost.iter().map(ToString::to_string).collect();
    let mut rows = Rows::new();
    for (at, value) in salvaged.rows {
        if key::is_meta(&at) || key::is_former(&at) {
            continue;
        }
        match check::readable(&at, &value) {
            Ok(()) => drop(rows.insert(at, value)),
            Err(error) => lost.push(error.to_string()),
        }
    }
    Ok((rows, lost))
}

/// Makes records agree that speak of each other: a task is listed as active until it has
/// ended, and its id is never given again. Says what was changed.
pub(super) fn put_right(mut rows: Rows) -> (Rows, Vec<String>) {
    let mut changed = Vec::new();
    let decoded = |(at, value): (&Vec<u8>, &Vec<u8>)| match Kind::of(at) {
        Some(Kind::Task) => record::decode_task(at, value).ok(),
        _ => None,
    };
    let tasks: Vec<Task> = rows.iter().filter_map(decoded).collect();
    let mut wanted = Rows::new();
    let mut highest: BTreeMap<AppName, TaskId> = BTreeMap::new();
    for task in tasks {
        if !task.phase.is_terminal() {
            wanted.insert(key::active(&task.app, task.id), Vec::new());
        }
        let known = highest.entry(task.app).or_insert(task.id);
        *known = task.id.max(*known);
    }
    for (app, id) in highest {
        let at = key::counter(&app);
        let known = rows.get(&at).and_then(|value| record::decode_counter(&at, value).ok());
        let id = known.map_or(id, |known| known.max(id));
        wanted.insert(at, id.0.to_be_bytes().to_vec());
    }
    rows.retain(|at, _| {
        let stays = wanted.contains_key(at) || Kind::of(at) != Some(Kind::Active);
        if !stays {
            changed.push(format!("`{}` is left out: its task was lost", key::display(at)));
        }
        stays
    });
    for (at, value) in wanted {
        if rows.get(&at) != Some(&value) {
            changed.push(format!("`{}` was made again", key::display(&at)));
            rows.insert(at, value);
        }
    }
    (rows, changed)
}
