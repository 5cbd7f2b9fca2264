//! From the words of a request to what they name, or to an answer that says what was near.

use super::failure::{Code, Failure};
use super::service::Serving;
use crate::app::{App, AppName};
use crate::config::Config;
use crate::hint::nearest;
use crate::job::{Job, JobName, JobRef};
use crate::store::{Store, StoreError};
use crate::task::{Task, TaskId, TaskName};

/// The most names of an App's tasks that a mistyped one is compared with.
const NAMES_COMPARED: usize = 100;

/// The configured App of that name.
///
/// # Errors
/// 404 with the nearest name.
pub(super) fn app<'a>(config: &'a Config, name: &str) -> Result<&'a App, Failure> {
    config.apps.get(name).map(AsRef::as_ref).ok_or_else(|| no_app(config, name))
}

/// The App of that name, configured now or having tasks from before.
///
/// # Errors
/// 404 with the nearest name.
pub(super) fn app_with_tasks(config: &Config, store: &Store, name: &str) -> Result<AppName, Failure> {
    if let Some((name, _)) = config.apps.get_key_value(name) {
        return Ok(name.clone());
    }
    match name.parse::<AppName>() {
        Ok(app) if store.tasks(&app, None).next().is_some() => Ok(app),
        _ => Err(no_app(config, name)),
    }
}

/// That there is no App of that name, and which was near.
pub(super) fn no_app(config: &Config, name: &str) -> Failure {
    let near = meant(config.apps.keys().map(ToString::to_string), name);
    Failure::not_found(format!("App `{name}` does not exist")).hint(near)
}

/// The App of that name: a pushed one though it rests or goes, else the configured one.
///
/// # Errors
/// 404 with the nearest name.
pub(super) fn any_app(config: &Config, name: &str) -> Result<AppName, Failure> {
    let stored = config.stored.apps.get_key_value(name).map(|(name, _)| name);
    let found = stored.or_else(|| config.apps.get_key_value(name).map(|(name, _)| name));
    found.cloned().ok_or_else(|| {
        let known = config.apps.keys().chain(config.stored.apps.keys());
        let near = meant(known.map(ToString::to_string), name);
        Failure::not_found(format!("App `{name}` does not exist")).hint(near)
    })
}

/// The configured job: `APP.JOB`, or `JOB` where that is unique.
///
/// # Errors
/// 404 with the nearest name; 409 with the candidates.
pub(super) fn job<'a>(config: &'a Config, name: &str) -> Result<(&'a App, &'a Job), Failure> {
    if let Some(found) = name.parse::<JobRef>().ok().and_then(|reference| config.job(&reference)) {
        return Ok((found.0, found.1));
    }
    let named: Vec<_> = config.jobs().filter(|(_, job)| job.name.as_str() == name).collect();
    match named.as_slice() {
        [(app, job)] => Ok((app, job)),
        [] if config.apps.contains_key(name) => {
            Err(Failure::not_found(format!("job `{name}` does not exist")).hint(jobs_of(config, name)))
        }
        [] => {
            let jobs = config.jobs().map(|(app, job)| format!("{}.{}", app.name, job.name));
            let bare = config.jobs().map(|(_, job)| job.name.to_string());
            Err(Failure::not_found(format!("job `{name}` does not exist"))
                .hint(meant(jobs.chain(bare), name)))
        }
        several => {
            let candidates: Vec<_> =
                several.iter().map(|(app, job)| format!("`{}.{}`", app.name, job.name)).collect();
            let text = format!("several Apps have a job `{name}`: {}", candidates.join(", "));
            Err(Failure::new(Code::Ambiguous, text).hint("name the App too, as in `APP.JOB`".to_owned()))
        }
    }
}

/// Where an App was named for a job: the jobs that may have been meant.
fn jobs_of(config: &Config, app: &str) -> Option<String> {
    let jobs = config.apps.get(app)?.jobs.keys();
    let jobs: Vec<_> = jobs.map(|job| format!("`{app}.{job}`")).collect();
    Some(match jobs.as_slice() {
        [] => format!("`{app}` is an App, and has no jobs"),
        [job] => format!("`{app}` is an App: its job is {job}"),
        _ => format!("`{app}` is an App: its jobs are {}", jobs.join(", ")),
    })
}

/// The job of that name, configured now or, named as `APP.JOB`, having tasks from before.
///
/// # Errors
/// As of [`job`].
pub(super) async fn job_with_tasks(serving: &Serving, name: &str) -> Result<JobRef, Failure> {
    let absent = match job(&serving.config(), name) {
        Ok((app, job)) => return Ok(JobRef::of(app, job)),
        Err(absent) => absent,
    };
    let Ok(removed) = name.parse::<JobRef>() else { return Err(absent) };
    let wanted = removed.clone();
    let has_tasks = serving.scan(move |store| {
        for task in store.tasks(&wanted.app, None) {
            if task?.job.as_ref() == Some(&wanted.job) {
                return Ok(true);
            }
        }
        Ok(false)
    });
    if has_tasks.await? { Ok(removed) } else { Err(absent) }
}

/// The task `id` of `app`.
///
/// # Errors
/// 404, which names the Apps that have a task of this id; 400 where `id` is no number.
pub(super) fn task(serving: &Serving, app: &str, id: &str) -> Result<Task, Failure> {
    let (config, store) = (serving.config(), &serving.service.store);
    let app = app_with_tasks(&config, store, app)?;
    let id: TaskId = id.parse().map_err(|_| {
        let hint = "a task is found by its name under `/v1/tasks/NAME`";
        Failure::bad_request(format!("expected a task id as in `1`, found `{id}`\nhint: {hint}"))
    })?;
    match store.task(&app, id)? {
        Some(task) => Ok(task),
        None => {
            let text = format!("task {id} of App `{app}` does not exist");
            Err(Failure::not_found(text).hint(whereabouts(store, &app, id)?))
        }
    }
}

/// What is known about an id that `app` has no task of.
fn whereabouts(store: &Store, app: &AppName, id: TaskId) -> Result<Option<String>, StoreError> {
    let counters = store.counters()?;
    let mut others = Vec::new();
    for other in counters.keys().filter(|other| *other != app) {
        if store.task(other, id)?.is_some() {
            others.push(format!("App `{other}`"));
        }
    }
    let rest = others.len().saturating_sub(3);
    others.truncate(3);
    let owners = match rest {
        0 => others.join(", "),
        rest => format!("{} and {rest} more", others.join(", ")),
    };
    let newest = counters.get(app).copied();
    Ok(match (newest, owners.as_str()) {
        (Some(newest), "") if id <= newest && id.0 > 0 => {
            Some(format!("the newest task of App `{app}` is {newest}; the oldest are removed by retention"))
        }
        (Some(newest), "") => Some(format!("the newest task of App `{app}` is {newest}")),
        (None, "") => Some(format!("App `{app}` has no task yet")),
        (_, owners) => Some(format!("task {id} belongs to {owners}")),
    })
}

/// The task of that name.
///
/// # Errors
/// 404 with the nearest name, or what to do with that of an App.
pub(super) async fn task_named(serving: &Serving, name: &str) -> Result<Task, Failure> {
    if let Ok(name) = name.parse::<TaskName>()
        && let Some(task) = serving.scan(move |store| store.task_named(&name)).await?
    {
        return Ok(task);
    }
    let is_app = app_with_tasks(&serving.config(), &serving.service.store, name).is_ok();
    let hint = if is_app {
        let newest = serving.service.store.counters()?.get(name).copied().unwrap_or(TaskId(1));
        Some(format!("`{name}` is an App: give the ID of its task too, as in `{name} {newest}`"))
    } else {
        let wanted = name.to_owned();
        serving.scan(move |store| nearest_task(store, &wanted)).await?
    };
    Err(Failure::not_found(format!("task `{name}` does not exist")).hint(hint))
}

fn nearest_task(store: &Store, name: &str) -> Result<Option<String>, StoreError> {
    let mut names = Vec::new();
    for app in store.counters()?.into_keys() {
        for task in store.tasks(&app, None).take(NAMES_COMPARED) {
            names.push(task?.name.to_string());
        }
    }
    Ok(meant(names, name))
}

/// The name most like `wanted`, as a question.
fn meant(names: impl IntoIterator<Item = String>, wanted: &str) -> Option<String> {
    nearest(wanted, names).map(|name| format!("did you mean `{name}`?"))
}

/// The last task of `app` and of each of `jobs`.
///
/// # Errors
/// [`StoreError`].
pub(super) fn last_tasks(
    store: &Store,
    app: &AppName,
    jobs: &[JobName],
) -> Result<(Option<Task>, Vec<Option<Task>>), StoreError> {
    let (mut last, mut of_jobs) = (None, vec![None; jobs.len()]);
    let mut wanted = jobs.len();
    for task in store.tasks(app, None) {
        let task = task?;
        let job = task.job.as_ref().and_then(|job| jobs.iter().position(|name| name == job));
        if let Some(found) = job.and_then(|index| of_jobs.get_mut(index)).filter(|found| found.is_none()) {
            *found = Some(task.clone());
            wanted -= 1;
        }
        last.get_or_insert(task);
        if wanted == 0 {
            break;
        }
    }
    Ok((last, of_jobs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_near_is_a_hint() {
        let names = || ["etl", "backup", "db-migrate"].map(str::to_owned);
        assert_eq!(meant(names(), "bakcup").as_deref(), Some("did you mean `backup`?"));
        assert_eq!(meant(names(), "DB_Migrate").as_deref(), Some("did you mean `db-migrate`?"));
        assert_eq!(meant(names(), "zzz"), None);
    }
}
