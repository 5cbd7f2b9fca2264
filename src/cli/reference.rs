//! Names on the command line, as people type them and as `-o name` prints them.

use crate::api::client::TaskRef;
use crate::task::TaskId;

/// An App: `etl` or `app/etl`.
pub(super) fn app(text: &str) -> Result<String, String> {
    name("app", text)
}

/// A service: `db` or `service/db`.
pub(super) fn service(text: &str) -> Result<String, String> {
    name("service", text)
}

/// A job: `etl.nightly`, `nightly`, or either after `job/`.
pub(super) fn job(text: &str) -> Result<String, String> {
    name("job", text)
}

/// An App or a job, as they are or after `app/` or `job/`.
pub(super) fn app_or_job(text: &str) -> Result<String, String> {
    name("app", text).or_else(|_| name("job", text))
}

/// A task, or the App that an id follows: `etl-…`, `task/etl-…`, `etl`, `app/etl`.
pub(super) fn task_or_app(text: &str) -> Result<String, String> {
    name("app", text).or_else(|_| name("task", text))
}

/// A task's number.
pub(super) fn task_id(text: &str) -> Result<TaskId, String> {
    text.parse().map_err(|_| format!("expected the number of a task, as in `3`, found `{text}`"))
}

/// `NAME`, or `APP ID`.
pub(super) fn task(name_or_app: &str, id: Option<TaskId>) -> TaskRef {
    match id {
        Some(id) => TaskRef::Id { app: name_or_app.to_owned(), id },
        None => TaskRef::Name(name_or_app.to_owned()),
    }
}

fn name(kind: &str, text: &str) -> Result<String, String> {
    let name = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() {
        return Err("a name is missing".to_owned());
    }
    match name.chars().find(|c| !is_name(*c)) {
        Some(wrong) => Err(format!("expected letters, digits, `-` and `.`, found `{wrong}`")),
        None if name.chars().all(|c| c == '.') => Err(format!("expected a name, found `{name}`")),
        None => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dash_o_name_prints_is_read_back() {
        assert_eq!(app("app/etl").as_deref(), Ok("etl"));
        assert_eq!(app("etl").as_deref(), Ok("etl"));
        assert_eq!(service("service/db").as_deref(), Ok("db"));
        assert_eq!(job("job/etl.nightly").as_deref(), Ok("etl.nightly"));
        assert_eq!(task_or_app("task/etl-abc").as_deref(), Ok("etl-abc"));
        assert_eq!(task_or_app("app/etl").as_deref(), Ok("etl"));
        assert_eq!(app_or_job("app/etl").as_deref(), Ok("etl"));
        assert_eq!(app_or_job("job/etl.nightly").as_deref(), Ok("etl.nightly"));
    }

    #[test]
    fn what_would_lead_to_another_route_is_no_name() {
        for text in ["", "..", ".", "a/b", "job/etl", "app/", "a b", "a?b", "a\n"] {
            assert!(app(text).is_err(), "{text:?}");
        }
    }
}
