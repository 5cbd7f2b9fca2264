use jiff::SignedDuration;

use super::notify::tell;
use super::place::Surroundings;
use crate::app::Timeout;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::watch::{OnFailure, Watch};

const AFTER: &str = "after how many failures in a row somebody is told; left out, 1";
const NOTHING: &str =
    "`on_failure`, `late_after`, `max_since_success` or `max_runtime` is what it recovers from";

/// What a job promises beyond its schedules. What can never be broken is warned of.
pub(super) fn watch(
    table: &mut Table<'_>,
    has_schedules: bool,
    timeout: Option<Timeout>,
    around: &Surroundings,
) -> Watch {
    let late_after = promise(table, "late_after");
    let max_runtime = promise(table, "max_runtime");
    if late_after.is_some() && !has_schedules {
        table.get("late_after").inspect(|value| {
            value.warn(Fault::new(
                "`late_after` means nothing in a job without schedules",
                "`max_since_success` watches over a job that is run by hand",
            ));
        });
    }
    if let (Some(Timeout::After(timeout)), Some(most)) = (timeout, max_runtime)
        && most >= timeout
    {
        table.get("max_runtime").inspect(|value| {
            value.warn(Fault::new(
                format!("no task runs for `{most:#}`: `timeout` ends it after `{timeout:#}`"),
                "`max_runtime` tells of a task that goes on, and is to be shorter than its time-out",
            ));
        });
    }
    let known = around.receivers.as_ref();
    let on_failure = table.get("on_failure").and_then(|value| value.table()).map(|mut table| {
        let after = table
            .get("after")
            .and_then(|value| value.checked(parse::integer(&value.integer()?, 1..=1000, AFTER)));
        let tell = tell(&mut table, known);
        table.finish();
        OnFailure { after: after.unwrap_or(1), tell }
    });
    let on_recovery = table.get("on_recovery").and_then(|value| value.table()).map(|mut table| {
        let tell = tell(&mut table, known);
        table.finish();
        tell
    });
    let max_since_success = promise(table, "max_since_success");
    if on_recovery.is_some()
        && [late_after, max_since_success, max_runtime].iter().all(Option::is_none)
        && on_failure.is_none()
    {
        table.get("on_recovery").inspect(|value| {
            value.warn(Fault::new("`on_recovery` means nothing in a job that promises nothing", NOTHING));
        });
        return Watch::default();
    }
    Watch {
        late_after,
        max_since_success,
        max_runtime,
        on_failure,
        on_recovery: on_recovery.unwrap_or_default(),
    }
}

fn promise(table: &mut Table<'_>, key: &'static str) -> Option<SignedDuration> {
    let value = table.get(key)?;
    value.checked(parse::duration(&value.scalar()?, &parse::PROMISE))
}
