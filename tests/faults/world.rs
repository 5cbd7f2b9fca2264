//! What runs while things break: schedules of every kind, each run leaving a line.

use std::fmt::Write;

const HEAD: &str = r#"
[app]
name = "tick"
state = true
keep = KEEP
command = 'echo "$TEKCRON_JOB $TEKCRON_SCHEDULED_TIME $TEKCRON_ATTEMPT" >> "$TEKCRON_STATE_DIR/runs"'
"#;

/// Jobs of every kind; a run leaves a line for each attempt.
const JOBS: &str = r#"
[[jobs]]
name = "all"
schedule = "* * * * * *"
catch_up = "all"

[[jobs]]
name = "latest"
schedule = "* * * * * *"
catch_up = "latest"

[[jobs]]
name = "none"
schedule = "*/2 * * * * *"
catch_up = "none"

[[jobs]]
name = "again"
schedule = "*/3 * * * * *"
command = 'echo "$TEKCRON_JOB $TEKCRON_SCHEDULED_TIME $TEKCRON_ATTEMPT" >> "$TEKCRON_STATE_DIR/runs"; test "$TEKCRON_ATTEMPT" -gt 1'
retries = { attempts = 3, backoff = "1s" }

[[jobs]]
name = "long"
schedule = "*/4 * * * * *"
command = 'echo "$TEKCRON_JOB $TEKCRON_SCHEDULED_TIME 1" >> "$TEKCRON_STATE_DIR/runs"; sleep 3; echo "ended $TEKCRON_SCHEDULED_TIME 1" >> "$TEKCRON_STATE_DIR/runs"'
catch_up = "all"
"#;

/// A job that refuses a second run while one is active.
const ALONE: &str = r#"
[[jobs]]
name = "alone"
schedule = "* * * * * *"
overlap = "skip"
command = 'echo "$TEKCRON_JOB $TEKCRON_SCHEDULED_TIME 1" >> "$TEKCRON_STATE_DIR/runs"; sleep 1'
"#;

/// The App, with `burst` jobs that are all due at once twice a minute. `keep` tasks of it are kept.
pub(crate) fn app(burst: usize, keep: usize) -> String {
    let mut app = HEAD.replace("KEEP", &keep.to_string()) + JOBS + ALONE;
    for number in 0..burst {
        write!(app, "\n[[jobs]]\nname = \"burst-{number}\"\nschedule = \"*/30 * * * * *\"\n").unwrap();
    }
    app
}

/// The same App once its schedules are gone: what was claimed runs, and nothing new begins.
pub(crate) fn quiet(app: &str) -> String {
    app.lines()
        .filter(|line| !line.starts_with("schedule =") && !line.starts_with("catch_up ="))
        .map(|line| line.to_owned() + "\n")
        .collect()
}
