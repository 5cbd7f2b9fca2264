use jiff::SignedDuration;

use crate::app::Timeout;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::watch::Watch;

/// What a job promises beyond its schedules. What can never be broken is warned of.
pub(super) fn watch(table: &mut Table<'_>, has_schedules: bool, timeout: Option<Timeout>) -> Watch {
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
    Watch { late_after, max_since_success: promise(table, "max_since_success"), max_runtime }
}

fn promise(table: &mut Table<'_>, key: &'static str) -> Option<SignedDuration> {
    let value = table.get(key)?;
    value.checked(parse::duration(&value.scalar()?, &parse::PROMISE))
}
