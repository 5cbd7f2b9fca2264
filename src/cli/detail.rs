//! One thing in full, for people: labels and values.

use jiff::Timestamp;

use super::table::{Column, listing, pairs};
use super::{age, jobs, tasks};
use crate::api::resources::{AppResource, JobResource, PauseResource, ScheduleResource, TaskResource};
use crate::hint;

/// All that is known of a task.
pub(super) fn task(task: &TaskResource, now: Timestamp) -> String {
    let at = |time: Option<Timestamp>| time.map(|time| format!("{time:.3} ({} ago)", age::since(time, now)));
    let attempt = match task.first_attempt {
        Some(first) => format!("{} (the first was task {first})", task.attempt),
        None => task.attempt.to_string(),
    };
    let log = match task.log.cut {
        _ if log_was_removed(task) => "removed".to_owned(),
        0 => format!("{} bytes", task.log.kept),
        cut => format!("{} bytes, {cut} cut out of its middle", task.log.kept),
    };
    let message = task.message.as_deref().map(hint::split);
    pairs([
        ("Name", Some(task.name.clone())),
        ("App", Some(task.app.clone())),
        ("ID", Some(task.id.to_string())),
        ("DisplayName", Some(task.display_name.clone())),
        ("Job", task.job.clone()),
        ("Revision", task.revision.map(|revision| revision.to_string())),
        ("Trigger", Some(task.trigger.to_string())),
        ("Attempt", Some(attempt)),
        ("Phase", Some(task.phase.to_string())),
        ("Terminating", at(task.terminating)),
        ("Reason", task.reason.clone()),
        ("Message", message.map(|(said, _)| said.to_owned())),
        ("Hint", message.and_then(|(_, hint)| hint).map(str::to_owned)),
        ("ExitCode", task.exit_code.map(|code| code.to_string())),
        ("Schedule", task.schedule.clone()),
        ("Scheduled", task.scheduled.map(|slot| slot.to_string())),
        ("Created", at(Some(task.created))),
        ("NotBefore", task.not_before.map(|time| time.to_string())),
        ("Started", at(task.started)),
        ("Finished", at(task.finished)),
        ("Duration", age::duration(task, now)),
        ("Log", Some(log)),
    ])
}

/// Whether the task's log was there, and is no more.
pub(super) fn log_was_removed(task: &TaskResource) -> bool {
    task.phase.is_terminal() && task.log.kept == 0 && task.log.cut > 0
}

/// A job with its schedules.
pub(super) fn job(job: &JobResource, now: Timestamp) -> String {
    let head = pairs([
        ("Name", Some(job.name.clone())),
        ("App", Some(job.app.clone())),
        ("Command", job.command.as_ref().map(ToString::to_string)),
        ("Overlap", Some(job.overlap.clone())),
        ("Source", Some(jobs::source(job))),
        ("Next", job.next.map(|next| format!("{next} (in {})", age::until(next, now)))),
        ("Paused", job.paused.as_ref().map(|pause| paused(pause, now))),
        ("Note", job.paused.as_ref().and_then(|pause| pause.note.clone())),
        ("SkipNext", (job.skip_next > 0).then(|| job.skip_next.to_string())),
        ("LastTask", last_task(job.last_task.as_ref(), now)),
    ]);
    section(head, "the job runs by hand only", SCHEDULES, &job.schedules, now)
}

fn paused(pause: &PauseResource, now: Timestamp) -> String {
    let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let until = pause.until.map(|until| format!(", until {until} (in {})", age::until(until, now)));
    format!(
        "since {:.0} ({} ago){by}{}",
        pause.since,
        age::since(pause.since, now),
        until.unwrap_or_default()
    )
}

/// An App with its jobs.
pub(super) fn app(app: &AppResource, now: Timestamp) -> String {
    let listed = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
    let timeout = app.timeout_seconds.map_or_else(|| "none".to_owned(), age::span);
    let facts = [
        ("Name", Some(app.name.clone())),
        ("Source", Some(source(app))),
        ("Revision", app.revision.map(|number| number.to_string())),
        ("Image", app.image.clone()),
        ("Path", app.path.clone()),
        ("Command", app.command.as_ref().map(ToString::to_string)),
        ("CPU", app.cpu.clone()),
        ("Memory", app.memory.clone()),
        ("Disk", app.disk.clone()),
        ("Timeout", Some(timeout)),
        ("Env", listed(&app.env)),
        ("Services", listed(&app.services)),
        ("Keep", Some(format!("{} tasks", app.keep))),
        ("State", app.state.then(|| "one lasting directory".to_owned())),
        ("LastTask", last_task(app.last_task.as_ref(), now)),
    ]
    .into_iter()
    .chain(app.caveats.iter().map(|caveat| ("Caveat", Some(caveat.clone()))));
    section(pairs(facts), "the App has no jobs", jobs::COLUMNS, &app.jobs, now)
}

/// Where the App stands.
pub(super) fn source(app: &AppResource) -> String {
    app.file.clone().unwrap_or_else(|| "pushed".to_owned())
}

fn section<T>(head: String, none: &str, columns: &[Column<T>], items: &[T], now: Timestamp) -> String {
    let table = if items.is_empty() { format!("{none}\n") } else { listing(columns, items, false, now) };
    format!("{head}\n{table}")
}

fn last_task(task: Option<&TaskResource>, now: Timestamp) -> Option<String> {
    task.map(|task| {
        let ago = age::since(task.created, now);
        format!("{} (id {}, {}, {ago} ago)", task.name, task.id, tasks::reason(task))
    })
}

const SCHEDULES: &[Column<ScheduleResource>] = &[
    Column::new("Schedule", |schedule, _| jobs::expression(schedule)),
    Column::new("Timezone", |schedule, _| schedule.timezone.clone()),
    Column::new("DST", |schedule, _| schedule.dst.clone()),
    Column::new("CatchUp", |schedule, _| schedule.catch_up.clone()),
    Column::new("Next", |schedule, _| schedule.next.map_or_else(|| "-".to_owned(), |next| next.to_string())),
    Column::new("Starts", |schedule, _| {
        schedule.starts.map_or_else(|| "-".to_owned(), |starts| starts.to_string())
    }),
    Column::new("Key", |schedule, _| schedule.key.clone()),
];
