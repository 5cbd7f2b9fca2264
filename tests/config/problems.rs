//! What is said about each mistake, one at a time: where it is, and in which words.

use std::fs;

use tekcron::config::{Excerpt, Place as Spot, Problem, Severity};

use crate::harness::{PLAIN, Place};

/// The only problem of `place`, which must be an error.
fn only(place: &Place) -> Problem {
    let problems = place.look().problems;
    let [problem] = problems.iter().collect::<Vec<_>>()[..] else { panic!("{problems}") };
    assert_eq!(problem.severity, Severity::Error, "{problems}");
    problem.clone()
}

/// The piece of text that is wrong, with its TOML path.
fn marked(problem: &Problem) -> (String, String) {
    let Spot::Text(Excerpt { path, text, span, .. }) = &problem.place else { panic!("{problem:?}") };
    (text[span.clone()].to_owned(), path.clone())
}

/// Path, piece, message and hint, as a line to compare.
pub(crate) fn said(place: &Place) -> String {
    let problem = only(place);
    let (piece, path) = marked(&problem);
    let hint = format!(" | {}", problem.hint);
    place.without_dir(&format!("{path} <{piece}> {}{hint}", problem.message))
}

pub(crate) fn app(keys: &str) -> String {
    said(&Place::with_app(&format!("{PLAIN}{keys}")))
}

fn job(keys: &str) -> String {
    app(&format!("[[jobs]]\nname = \"j\"\n{keys}"))
}

pub(crate) fn settings(keys: &str) -> String {
    said(&Place::with_settings(keys))
}

#[test]
fn names_that_do_not_fit_kubernetes_come_with_one_that_does() {
    let named =
        |name: &str| said(&Place::with_app(&format!("[app]\nname = \"{name}\"\ncommand = \"date\"\n")));
    let long = "x".repeat(64);
    for (name, message) in [
        (
            "ETL",
            "expected lower-case letters, digits and `-`, found `E` at position 1 | Kubernetes takes this as a label; `etl` would fit",
        ),
        (
            "etl_nightly",
            "expected lower-case letters, digits and `-`, found `_` at position 4 | Kubernetes takes this as a label; `etl-nightly` would fit",
        ),
        (
            "-etl",
            "expected a letter or digit at both ends, found `-` | Kubernetes takes this as a label; `etl` would fit",
        ),
        ("", "a name is missing | Kubernetes takes this as a label: lower-case letters, digits and `-`"),
        (
            &long,
            &format!(
                "expected at most 63 characters, found 64 | Kubernetes takes this as a label; `{}` would fit",
                "x".repeat(63)
            ),
        ),
    ] {
        assert_eq!(named(name), format!("app.name <\"{name}\"> {message}"));
    }
}

#[test]
fn amounts() {
    for (keys, expected) in [
        (
            "memory = 512",
            "app.memory <512> expected a unit, as in `512Mi` or `512M`, found `512` alone | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "memory = \"512\"",
            "app.memory <\"512\"> expected a unit, as in `512Mi` or `512M`, found `512` alone | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "disk = 0x10",
            "app.disk <0x10> expected a unit, as in `16Mi` or `16M`, found `16` alone | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "memory = \"-1Gi\"",
            "app.memory <\"-1Gi\"> expected an amount as in `256Mi`, `1Gi`, `256M` or `1G`, found `-1Gi` | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "memory = -1",
            "app.memory <-1> expected an amount as in `256Mi`, `1Gi`, `256M` or `1G`, found `-1` | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "memory = \"0Mi\"",
            "app.memory <\"0Mi\"> expected between `1B` and `1024Ti`, found `0Mi` | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        (
            "disk = \"9999999Ti\"",
            "app.disk <\"9999999Ti\"> expected between `1B` and `1024Ti`, found `9999999Ti` | `512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it",
        ),
        ("memory = true", "app.memory <true> expected a string, found `true` | one text in quotes: `\"…\"`"),
        (
            "cpu = \"half\"",
            "app.cpu <\"half\"> expected cores as in `500m`, `0.5` or `2`, found `half` | `1` is one core, `500m` half of one; left out, nothing limits it",
        ),
        (
            "cpu = 0",
            "app.cpu <0> expected between `1m` and `1024`, found `0` | `1` is one core, `500m` half of one; left out, nothing limits it",
        ),
        (
            "cpu = -0.5",
            "app.cpu <-0.5> expected cores as in `500m`, `0.5` or `2`, found `-0.5` | `1` is one core, `500m` half of one; left out, nothing limits it",
        ),
        (
            "keep = 0",
            "app.keep <0> expected an integer between 1 and 1000000, found `0` | how many ended tasks of the App are kept, the newest first; left out, 500",
        ),
        (
            "keep = 99999999999999999999",
            "app.keep <99999999999999999999> expected an integer between 1 and 1000000, found `99999999999999999999` | how many ended tasks of the App are kept, the newest first; left out, 500",
        ),
        (
            "keep = 1.5",
            "app.keep <1.5> expected an integer, found the number `1.5` | a whole number, without quotes",
        ),
        (
            "keep_per_job = -1",
            "app.keep_per_job <-1> expected an integer between 0 and 1000000, found `-1` | how many ended tasks of each job are kept beyond that; left out, 1",
        ),
        (
            "timeout = \"-5m\"",
            "app.timeout <\"-5m\"> expected a duration between `1s` and `366d`, found `-5m` | `0` is no time-out at all",
        ),
        (
            "timeout = \"500ms\"",
            "app.timeout <\"500ms\"> expected a duration between `1s` and `366d`, found `500ms` | `0` is no time-out at all",
        ),
        (
            "timeout = \"2 years\"",
            "app.timeout <\"2 years\"> expected a duration as in `90s` or `1h 30m`, found `2 years` | months and years differ in length; weeks, days and hours do not",
        ),
        (
            "timeout = 90",
            "app.timeout <90> expected a unit, as in `90s` or `90m`, found `90` alone | units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first",
        ),
        (
            "keep_for = \"0\"",
            "app.keep_for <\"0\"> expected a unit, as in `0s` or `0m`, found `0` alone | units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first",
        ),
        (
            "keep_for = [1]",
            "app.keep_for <[1]> expected a string, found an array | one text in quotes: `\"…\"`",
        ),
    ] {
        assert_eq!(app(keys), expected);
    }
}

#[test]
fn the_rest_of_an_app() {
    for (keys, expected) in [
        (
            "colour = \"red\"",
            "app.colour <colour> unknown key `colour` | the keys here are `name`, `state`, `image`, `path`, `command`, `env`, `cpu`, `memory`, `disk`, `services`, `service_account`, `security_groups`, `pod_template`, `timeout`, `max_running`, `group`, `keep`, `keep_per_job`, `keep_for`, `logs_on_terminate`, `keep_workdir`",
        ),
        ("time_out = \"1h\"", "app.time_out <time_out> unknown key `time_out` | did you mean `timeout`?"),
        (
            "image = \"a b\"",
            "app.image <\"a b\"> expected an image without blanks, found `a b` | as `docker pull` takes it: `registry.example/etl:1.4`",
        ),
        (
            "image = \" \"",
            "app.image <\" \"> expected text, found nothing | leave the key out where there is nothing to say",
        ),
        (
            "service_account = \"Runner\"",
            "app.service_account <\"Runner\"> expected lower-case letters, digits and `-`, found `R` at position 1 | Kubernetes takes this as a label; `runner` would fit",
        ),
        (
            "logs_on_terminate = \"burn\"",
            "app.logs_on_terminate <\"burn\"> expected one of `keep`, `delete`, found `burn` | `keep` shows a terminated task's log as any other's, `delete` removes it",
        ),
        (
            "state = \"yes\"",
            "app.state <\"yes\"> expected `true` or `false`, found the string `yes` | without quotes, in lower case",
        ),
        (
            "security_groups = [3]",
            "app.security_groups[0] <3> expected a string, found the integer `3` | in quotes: `\"3\"`",
        ),
        (
            "services = [\"db\"]",
            "app.services[0] <\"db\"> expected a declared service, found `db` | services are declared in `tekcron.toml`: `[services.db]`",
        ),
        (
            "[app.env]\n\"A=B\" = \"\"",
            "app.env.\"A=B\" <\"A=B\"> expected the name of a variable: letters, digits, `_`, `.` and `-`, no digit first, found `A=B` | capitals and `_` are what every shell takes, as in `STAGE_2`",
        ),
        (
            "[app.env]\nPORT = 8080",
            "app.env.PORT <8080> expected a string, found the integer `8080` | in quotes: `\"8080\"`",
        ),
        (
            "[app.env]\nDEBUG = true",
            "app.env.DEBUG <true> expected a string, found `true` | in quotes: `\"true\"`",
        ),
        (
            "[app.env]\nDAY = 2026-01-01",
            "app.env.DAY <2026-01-01> expected a string, found a date | in quotes: `\"2026-01-01\"`",
        ),
        (
            "[app.env]\nA = [1]",
            "app.env.A <[1]> expected a string, found an array | one text in quotes: `\"…\"`",
        ),
        (
            "[app.env]\nA = \"x\\u0000\"",
            "app.env.A <\"x\\u0000\"> expected text, found a NUL byte | no argument, variable or file name can hold one",
        ),
        ("[[job]]\nname = \"j\"", "job <[[job]]> unknown key `job` | did you mean `jobs`?"),
        (
            "[jobs]\nname = \"j\"",
            "jobs <[jobs]> expected an array of tables, found a table | write `[[jobs]]`",
        ),
        ("[env]\nA = \"b\"", "env <[env]> unknown key `env` | the keys here are `app`, `jobs`, `build`"),
    ] {
        let found = app(keys);
        // A key's own span is that of the key; the piece that is marked may be either.
        assert_eq!(found.replace("<job>", "<[[job]]>").replace("<env>", "<[env]>"), expected);
    }
}

#[test]
fn commands() {
    let command =
        |value: &str| said(&Place::with_app(&format!("[app]\nname = \"etl\"\ncommand = {value}\n")));
    for (value, expected) in [
        (
            "\"\"",
            "app.command <\"\"> expected a shell line or an array of words, found nothing | as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`",
        ),
        (
            "[]",
            "app.command <[]> expected a shell line or an array of words, found nothing | as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`",
        ),
        (
            "[\"\", \"x\"]",
            "app.command <[\"\", \"x\"]> expected a shell line or an array of words, found nothing | as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`",
        ),
        (
            "\"a\\u0000\"",
            "app.command <\"a\\u0000\"> expected text, found a NUL byte | as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`",
        ),
        (
            "3",
            "app.command <3> expected a shell line or an array of words, found the integer `3` | as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`",
        ),
        ("[\"sh\", 3]", "app.command[1] <3> expected a string, found the integer `3` | in quotes: `\"3\"`"),
    ] {
        assert_eq!(command(value), expected);
    }
}

#[test]
fn an_app_without_its_two_words() {
    for (text, expected) in [
        (
            "",
            " <> expected the key `app`, found none | a file holds one App: `[app]` with at least `name = \"…\"`",
        ),
        (
            "app = 3",
            "app <3> expected a table, found the integer `3` | `{ … }`, or lines of their own below `[app]`",
        ),
        (
            "[app]\ncommand = \"date\"",
            "app <[app]> expected the key `name`, found none | as in `name = \"etl\"`",
        ),
        (
            "[app]\nname = \"etl\"\n[[jobs]]\nname = \"j\"",
            "jobs[0] <[[jobs]]> expected a `command` here or in `[app]`, found neither | a shell line as in `command = \"sh etl.sh\"`, or an array of words",
        ),
        (
            "[app\nname = 1",
            " <> this is not TOML: unclosed table, expected `]` | each key on a line of its own, text in quotes, lists in brackets: `key = \"text\"`",
        ),
        (
            "[app]\nname = \"a\"\nname = \"b\"\n",
            " <name> this is not TOML: duplicate key | a key stands once in its table: leave one out, or put them together",
        ),
    ] {
        assert_eq!(said(&Place::with_app(text)), expected);
    }
}

#[test]
fn jobs_and_their_schedules() {
    for (keys, expected) in [
        (
            "overlap = \"sometimes\"",
            "jobs[0].overlap <\"sometimes\"> expected one of `allow`, `skip`, `queue-one`, `queue-all`, `replace`, `replace-now`, found `sometimes` | while one runs, `allow` starts the next beside it, `skip` leaves it out, `replace` ends the one that runs, `queue-all` starts it afterwards",
        ),
        (
            "overlap = \"queue-on\"",
            "jobs[0].overlap <\"queue-on\"> expected one of `allow`, `skip`, `queue-one`, `queue-all`, `replace`, `replace-now`, found `queue-on` | did you mean `queue-one`?",
        ),
        (
            "max_queued = 0",
            "jobs[0].max_queued <0> expected an integer between 1 and 100000, found `0` | how many runs of the job wait at most; what is due beyond that is skipped; left out, 1000",
        ),
        (
            "group = \"bd\"",
            "jobs[0].group <\"bd\"> expected a declared group, found `bd` | groups are declared in `tekcron.toml`: `[groups.bd]`",
        ),
        (
            "dst = \"summer\"\nschedule = \"@daily\"",
            "jobs[0].dst <\"summer\"> expected one of `vixie`, `skip`, `literal`, found `summer` | a time that the clocks skip is run right after by `vixie`, and not by the others; one that they repeat is run twice only by `literal`",
        ),
        (
            "dst = \"vixi\"\nschedule = \"@daily\"",
            "jobs[0].dst <\"vixi\"> expected one of `vixie`, `skip`, `literal`, found `vixi` | did you mean `vixie`?",
        ),
        (
            "catch_up = \"some\"",
            "jobs[0].catch_up <\"some\"> expected one of `latest`, `all`, `none`, found `some` | of the slots missed while nobody watched, `latest` runs one, `all` each, `none` no one",
        ),
        (
            "max_catch_up = 0",
            "jobs[0].max_catch_up <0> expected an integer between 1 and 1000000, found `0` | the most slots that are caught up at once; left out, 100",
        ),
        (
            "jitter = \"-1s\"",
            "jobs[0].jitter <\"-1s\"> expected a duration between `0s` and `1d`, found `-1s` | a wait may be `0`, and is a day at most",
        ),
        (
            "start_deadline = \"0s\"",
            "jobs[0].start_deadline <\"0s\"> expected a duration between `1ms` and `366d`, found `0s` | a slot may be a year late at most",
        ),
        (
            "schedules = [\"@daily\"]",
            "jobs[0].schedules[0] <\"@daily\"> expected a table with `cron`, found a string | write `{ cron = \"@daily\" }`",
        ),
        (
            "schedules = [{ id = \"a\" }]",
            "jobs[0].schedules[0] <{ id = \"a\" }> expected the key `cron`, found none | as in `{ cron = \"0 2 * * *\" }`",
        ),
        (
            "schedules = [{ cron = \"@daily\", id = \"a b\" }]",
            "jobs[0].schedules[0].id <\"a b\"> expected 1 to 63 letters, digits, `-`, `_` or `.`, a letter or digit at both ends, found `a b` | as in `id = \"nightly\"`; left out, one is made of expression, zone and `dst`",
        ),
        (
            "schedules = [{ cron = \"@daily\", tz = \"UTC\" }]",
            "jobs[0].schedules[0].tz <tz> unknown key `tz` | the keys here are `cron`, `id`, `timezone`, `dst`, `catch_up`, `catch_up_window`, `max_catch_up`, `start_deadline`, `jitter`, `from`, `until`, `exclude`, `command`, `env`",
        ),
        (
            "schedule = \"@daily\"\nschedules = []",
            "jobs[0].schedules <[]> expected either `schedule` or `schedules`, found both | `schedule = \"…\"` is short for `schedules = [{ cron = \"…\" }]`",
        ),
        (
            "retries = 3",
            "jobs[0].retries <3> expected a table, found the integer `3` | `{ … }`, or lines of their own below `[jobs.retries]`",
        ),
        (
            "retries = {}",
            "jobs[0].retries <{}> expected the key `attempts`, found none | as in `retries = { attempts = 3 }`",
        ),
        (
            "retries = { attempts = -1 }",
            "jobs[0].retries.attempts <-1> expected an integer between 0 and 1000, found `-1` | how often at most a failed task is tried again; `0` is never",
        ),
        (
            "retries = { attempts = 1, backoff = \"1m\", max_backoff = \"5s\" }",
            "jobs[0].retries.max_backoff <\"5s\"> expected no less than `backoff`, which is `1m`, found `5s` | the wait doubles from `backoff` up to `max_backoff`",
        ),
        (
            "on_failure = { after = 0 }",
            "jobs[0].on_failure.after <0> expected an integer between 1 and 1000, found `0` | after how many failures in a row somebody is told; left out, 1",
        ),
        (
            "on_failure = { webhook = \"ops\" }",
            "jobs[0].on_failure.webhook <\"ops\"> expected the name of a declared webhook, found another one | it is declared in `tekcron.toml`: `[notify.webhooks.NAME]`",
        ),
        (
            "late_after = 15",
            "jobs[0].late_after <15> expected a unit, as in `15s` or `15m`, found `15` alone | units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first",
        ),
        (
            "max_since_success = \"0\"",
            "jobs[0].max_since_success <\"0\"> expected a unit, as in `0s` or `0m`, found `0` alone | units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first",
        ),
        (
            "max_runtime = \"2 years\"",
            "jobs[0].max_runtime <\"2 years\"> expected a duration as in `90s` or `1h 30m`, found `2 years` | months and years differ in length; weeks, days and hours do not",
        ),
        (
            "late_after = \"1ms\"",
            "jobs[0].late_after <\"1ms\"> expected a duration between `1s` and `366d`, found `1ms` | left out, nobody watches for it",
        ),
        (
            "timeout = \"never\"",
            "jobs[0].timeout <\"never\"> expected a duration as in `90s` or `1h 30m`, found `never` | units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first",
        ),
        (
            "[jobs.env]\n1 = \"x\"",
            "jobs[0].env.1 <1> expected the name of a variable: letters, digits, `_`, `.` and `-`, no digit first, found `1` | capitals and `_` are what every shell takes, as in `STAGE_2`",
        ),
    ] {
        assert_eq!(job(keys), expected);
    }
}

#[test]
fn expressions_are_marked_where_they_are_wrong() {
    for (keys, expected) in [
        ("schedule = \"0 25 * * *\"", "jobs[0].schedule <25> "),
        ("schedule = '0 2 * * FUN'", "jobs[0].schedule <FUN> "),
        ("schedule = \"0 2 * *\"", "jobs[0].schedule <0 2 * *> "),
        ("schedule = \"\"", "jobs[0].schedule <\"\"> "),
        ("schedules = [{ cron = \"@reboot\" }]", "jobs[0].schedules[0].cron <@reboot> "),
        // Escapes stand between the text and the file: all of it is marked.
        ("schedule = \"0\\t25 * * *\"", "jobs[0].schedule <\"0\\t25 * * *\"> "),
    ] {
        let found = job(keys);
        assert!(found.starts_with(expected), "{keys}\n{found}");
    }
}

#[test]
fn schedules_that_never_fire_and_zones_that_are_none() {
    for (keys, expected) in [
        (
            "schedule = \"0 0 30 2 *\"",
            "jobs[0].schedule <\"0 0 30 2 *\"> expected a day that one of the months has, found `0 0 30 2 *`, which never comes | this month has at most 29 days: `0 0 28 2 *`",
        ),
        (
            "timezone = \"Europe/Lundon\"",
            "jobs[0].timezone <\"Europe/Lundon\"> expected an IANA time zone such as `Europe/Paris`, found `Europe/Lundon` | `Europe/London`",
        ),
        (
            "schedules = [{ cron = \"@daily\", timezone = \"+02:00\" }]",
            "jobs[0].schedules[0].timezone <\"+02:00\"> expected an IANA time zone such as `Europe/Paris`, found the fixed offset `+02:00` | `Etc/GMT-2` is UTC+2, all year",
        ),
    ] {
        assert_eq!(job(keys), expected);
    }
}

#[test]
fn two_of_a_name_or_key() {
    let jobs = "[[jobs]]\nname = \"j\"\n[[jobs]]\nname = \"j\"\n";
    assert_eq!(
        app(jobs),
        "jobs[1].name <\"j\"> expected a name of its own, found a second job `j` | the first is at config/apps/etl.toml:5"
    );
    assert_eq!(
        job("schedules = [{ cron = \"@daily\", id = \"a\" }, { cron = \"@hourly\", id = \"a\" }]"),
        "jobs[0].schedules[1] <{ cron = \"@hourly\", id = \"a\" }> expected a schedule of its own, found a second one with the key `a` | one slot is one run: leave one out, or give each an `id` of its own"
    );
    let same = job("schedules = [{ cron = \"@daily\" }, { cron = \"@daily\", timezone = \"UTC\" }]");
    assert!(same.contains("found a second one with the key"), "{same}");
}

#[test]
fn settings_of_the_service() {
    for (keys, expected) in [
        (
            "colour = 1",
            "colour <colour> unknown key `colour` | the keys here are `tls`, `instance`, `namespace`, `data_dir`, `listen`, `insecure`, `max_children`, `max_backfill`, `grace`, `drain`, `hold`, `max_log`, `log_budget`, `max_source`, `keep_slots`, `log_format`, `log`, `health_listen`, `executor`, `kubeconfig`, `kube_context`, `max_creates`, `max_submitted`, `finalizer`, `unschedulable_after`, `log_stream`, `public_url`, `env`, `services`, `security_groups`, `groups`, `calendars`, `notify`, `build`",
        ),
        (
            "instance = \"My Cron\"",
            "instance <\"My Cron\"> expected lower-case letters, digits and `-`, found `M` at position 1 | Kubernetes takes this as a label; `my-cron` would fit",
        ),
        (
            "listen = \"7070\"",
            "listen <\"7070\"> expected an address and a port as in `127.0.0.1:7070`, found `7070` | an address in numbers, `[…]` around one of IPv6, and a port up to 65535",
        ),
        (
            "listen = 7070",
            "listen <7070> expected a string, found the integer `7070` | in quotes: `\"7070\"`",
        ),
        (
            "listen = \"localhost:7070\"",
            "listen <\"localhost:7070\"> expected an address and a port as in `127.0.0.1:7070`, found `localhost:7070` | did you mean `127.0.0.1:7070`?",
        ),
        (
            "max_children = 0",
            "max_children <0> expected an integer between 1 and 10000, found `0` | how many tasks run at once at most; left out, 64",
        ),
        (
            "executor = \"tecton\"",
            "executor <\"tecton\"> expected one of `local`, `tekton`, found `tecton` | did you mean `tekton`?",
        ),
        (
            "max_creates = 300",
            "max_creates <300> expected an integer between 1 and 256, found `300` | how many creates are in flight at once at most; left out, 16",
        ),
        (
            "max_submitted = 0",
            "max_submitted <0> expected an integer between 1 and 1000000, found `0` | how many unfinished tasks the cluster is given at once at most; left out, 10000",
        ),
        (
            "unschedulable_after = \"0s\"",
            "unschedulable_after <\"0s\"> expected a duration between `1s` and `366d`, found `0s` | left out, such a task waits until its time-out ends it",
        ),
        (
            "log_stream = \"yes\"",
            "log_stream <\"yes\"> expected one of `none`, `stdout`, found `yes` | `stdout` repeats the lines of tasks as JSON, `none` does not",
        ),
        (
            "kube_context = \"\"",
            "kube_context <\"\"> expected text, found nothing | leave the key out where there is nothing to say",
        ),
        (
            "health_listen = \"127.0.0.1:7070\"",
            "health_listen <\"127.0.0.1:7070\"> expected an address apart from `listen`, found `127.0.0.1:7070` for both | `listen` answers probes too: leave `health_listen` out, or give it a port of its own",
        ),
        (
            "insecure = 1",
            "insecure <1> expected `true` or `false`, found the integer `1` | without quotes, in lower case",
        ),
        (
            "grace = \"-1s\"",
            "grace <\"-1s\"> expected a duration between `0s` and `1d`, found `-1s` | a wait may be `0`, and is a day at most",
        ),
        (
            "max_log = 10",
            "max_log <10> expected a unit, as in `10Mi` or `10M`, found `10` alone | `10M` and `10Mi` are ten mebibytes, `1G` is 1024 of them",
        ),
        (
            "log_format = \"jason\"",
            "log_format <\"jason\"> expected one of `text`, `json`, found `jason` | did you mean `json`?",
        ),
        (
            "data_dir = \"\"",
            "data_dir <\"\"> expected text, found nothing | leave the key out where there is nothing to say",
        ),
        (
            "tls = \"tls.crt\"",
            "tls <\"tls.crt\"> expected a table, found the string `tls.crt` | `{ … }`, or lines of their own below `[tls]`",
        ),
        (
            "[tls]\ncertificate = \"c\"",
            "tls <[tls]> expected a key beside the certificate, found none | TLS takes both: `certificate` and `key` under `[tls]`",
        ),
        (
            "[tls]\nkey = \"c\"",
            "tls <[tls]> expected a certificate beside the key, found none | TLS takes both: `certificate` and `key` under `[tls]`",
        ),
        (
            "[env]\n\"\" = \"x\"",
            "env.\"\" <\"\"> expected the name of a variable: letters, digits, `_`, `.` and `-`, no digit first, found `` | capitals and `_` are what every shell takes, as in `STAGE_2`",
        ),
        (
            "[services.\"a b\"]\ncredentials = { env = \"A\" }",
            "services.\"a b\" <\"a b\"> expected lower-case letters, digits and `-`, found ` ` at position 2 | Kubernetes takes this as a label; `a-b` would fit",
        ),
        (
            "[services.db]\nlabel = 3\ncredentials = { env = \"A\" }",
            "services.db.label <3> expected a string, found the integer `3` | in quotes: `\"3\"`",
        ),
    ] {
        assert_eq!(settings(keys), expected);
    }
}

#[test]
fn beyond_loopback_there_is_tls_or_somebodys_word_for_it() {
    for listen in ["0.0.0.0:7070", "[::]:7070", "192.168.1.4:80"] {
        let keys = format!("listen = \"{listen}\"\n");
        assert!(settings(&keys).starts_with(&format!("listen <\"{listen}\"> expected a loopback address")));
        for allowed in ["insecure = true\n", "[tls]\ncertificate = \"c\"\nkey = \"k\"\n"] {
            Place::with_settings(&format!("{keys}{allowed}")).load();
        }
    }
    for listen in ["127.0.0.1:0", "127.3.2.1:7070", "[::1]:7070"] {
        let place = Place::with_settings(&format!("listen = \"{listen}\"\n"));
        assert!(place.look().problems.is_empty(), "{listen}");
    }
}

#[test]
fn an_apps_directory() {
    let place = |path: &str| Place::with_app(&format!("{PLAIN}path = \"{path}\"\n"));
    let problem = only(&place("nowhere"));
    assert_eq!(marked(&problem), ("\"nowhere\"".to_owned(), "app.path".to_owned()));
    assert!(problem.message.starts_with("expected a directory, found nothing at"));
    assert!(
        only(&place("config/apps/etl.toml")).message.starts_with("expected a directory, found a file at")
    );
    let holds = only(&place("."));
    assert!(
        holds.message.starts_with("expected a directory apart from tekcron's data, found one that holds")
    );
    let within = place("data/state");
    fs::create_dir_all(within.path().join("data/state")).unwrap();
    assert!(only(&within).message.contains("found one that lies in"));
}

#[test]
fn variables_that_the_system_overrides_are_warned_of() {
    let app = format!(
        "{PLAIN}env = {{ LANG = \"C\", LC_ALL = \"C\" }}\n[[jobs]]\nname = \"j\"\nenv.MEMORY_LIMIT = \"1G\"\n"
    );
    let place = Place::with(&[("tekcron.toml", "[env]\nVCAP_SERVICES = \"{}\"\n"), ("apps/etl.toml", &app)]);
    let problems = place.look().problems;
    assert_eq!((problems.errors(), problems.warnings()), (0, 3), "{problems}");
    for (problem, (key, path)) in problems.iter().zip([
        ("VCAP_SERVICES", "env.VCAP_SERVICES"),
        ("LANG", "app.env.LANG"),
        ("MEMORY_LIMIT", "jobs[0].env.MEMORY_LIMIT"),
    ]) {
        assert_eq!(marked(problem), (key.to_owned(), path.to_owned()));
        assert_eq!(problem.message, format!("`{key}` is set by tekcron, whose value wins over this one"));
    }
}

#[test]
fn a_file_that_is_no_text() {
    let place = Place::with_app("");
    fs::write(place.config().join("apps/etl.toml"), b"[app]\nname = \"\xff\"").unwrap();
    let problem = only(&place);
    assert_eq!(problem.message, "expected UTF-8, found something else at byte 14");
    assert!(matches!(problem.place, Spot::File(file) if file.ends_with("config/apps/etl.toml")));
}

#[test]
fn what_cannot_be_read_hides_no_other_mistake() {
    let place = Place::with_app(&format!("{PLAIN}memory = 3\n"));
    let apps = place.config().join("apps");
    std::os::unix::fs::symlink("nowhere", apps.join("dangling.toml")).unwrap();
    fs::create_dir(apps.join("directory.toml")).unwrap();
    let report = place.report();
    for words in [
        "reading `config/apps/dangling.toml` failed: No such file or directory",
        "reading `config/apps/directory.toml` failed: expected a regular file, found a directory",
        "config/apps/etl.toml:4:10",
        "3 problems",
    ] {
        assert!(report.contains(words), "{words}\n{report}");
    }
}

#[test]
fn what_is_no_regular_file_is_named_and_waited_for_by_nobody() {
    let place = Place::with_app(PLAIN);
    let apps = place.config().join("apps");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, apps.join("pipe.toml"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    std::os::unix::fs::symlink("/dev/zero", apps.join("device.toml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(apps.join("socket.toml")).unwrap();
    let report = place.report();
    for (name, found) in [("pipe", "a named pipe"), ("device", "a device"), ("socket", "a socket")] {
        let words =
            format!("reading `config/apps/{name}.toml` failed: expected a regular file, found {found}");
        assert!(report.contains(&words), "{words}\n{report}");
    }
    assert!(report.contains("3 problems"), "{report}");
}

#[test]
fn settings_that_are_no_regular_file_are_named() {
    let place = Place::with_app(&format!("{PLAIN}services = [\"db\"]\n"));
    fs::create_dir(place.config().join("tekcron.toml")).unwrap();
    assert!(only(&place).message.ends_with("failed: expected a regular file, found a directory"));
}

#[test]
fn a_broken_settings_file_hides_no_mistake_of_an_app_and_makes_none_up() {
    let app = format!("{PLAIN}services = [\"db\"]\nmemory = 3\n");
    let place = Place::with(&[("tekcron.toml", "[services.db"), ("apps/etl.toml", &app)]);
    let problems = place.look().problems;
    assert_eq!(problems.errors(), 2, "{problems}");
    let report = place.report();
    assert!(report.contains("config/tekcron.toml:1:") && report.contains("app.memory"), "{report}");
}

#[test]
fn credentials_in_the_file_are_refused_and_shown_nowhere() {
    for service in [
        "credentials = \"postgres://u:hunter2@db\"",
        "credentials = { uri = \"hunter2\" }",
        "credentials = { env = \"A\", password = \"hunter2\" }",
        "credentials = { env = \"postgres://u:hunter2@db\" }",
        "credentials = { user = { password = [\"hunter2\"] } }",
        "credentials = [\"hunter2\"]",
        "credentials = '''\nhunter2'''",
        "password = \"hunter2\"\ncredentials = { env = \"A\" }",
        "[services.db.credentials]\npassword = \"hunter2\"",
        "[services.db.credentials.inner]\npassword = \"hunter2\"",
        "credentials = { uri = hunter2 }",
        "credentials = \"hunter2",
        "password = 'hunter2\ncredentials = 3",
    ] {
        let report = Place::with_settings(&format!("[services.db]\n{service}\n")).report();
        assert!(!report.contains("hunter2"), "{service}\n{report}");
        assert!(report.contains("config/tekcron.toml:"), "{report}");
    }
    for whole in [
        "services = { db = \"hunter2\" }",
        "services.db.credentials = \"hunter2\"",
        "services.db = \"hunter2",
        "services = \"hunter2\"",
    ] {
        let report = Place::with_settings(whole).report();
        assert!(!report.contains("hunter2"), "{whole}\n{report}");
    }
}

#[test]
fn nothing_in_a_file_reaches_the_terminal_as_a_command() {
    for text in ["\u{1b}[31m", "\\u001b[31m"] {
        let report =
            Place::with_app(&format!("{PLAIN}image = \"{text} \"\n\"{text}\" = 1\n")).look().problems;
        assert!(!report.to_string().contains('\u{1b}'), "{report:?}");
    }
}

#[test]
fn promises_that_nothing_can_break_are_warned_of() {
    let app = format!(
        "{PLAIN}[[jobs]]\nname = \"j\"\nlate_after = \"5m\"\ntimeout = \"1h\"\nmax_runtime = \"1h\"\n"
    );
    let problems = Place::with_app(&app).look().problems;
    let found: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        found,
        [
            "`late_after` means nothing in a job without schedules",
            "no task runs for `1h`: `timeout` ends it after `1h`",
        ]
    );
}

#[test]
fn who_is_told_is_checked_and_no_secret_is_repeated() {
    let settings = |text: &str| Place::with_settings(text).look();
    let hook = "url = \"https://hooks.example.org/hush\"\nsecret = { env = \"OPS\" }\n";
    let mail = "server = \"smtp.example.org\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\n";
    let webhook = |keys: &str| format!("[notify.webhooks.ops]\n{keys}");
    let mailing = |keys: String| format!("[notify.mails.ops]\n{keys}");
    for (text, expected) in [
        (
            webhook("url = \"hush\"\nsecret = { env = \"OPS\" }"),
            "expected a URL that begins with `https://` or `http://`, found other text",
        ),
        (
            webhook("url = \"https://hush\"\nsecret = \"hush\""),
            "expected a table with `file` or `env`, found the secret itself",
        ),
        (
            webhook("url = \"https://hush\"\nsecret = { env = \"hush hush\" }"),
            "expected the name of an environment variable, found other text",
        ),
        (
            webhook("url = \"https://hush\"\nsecret = { key = \"hush\" }"),
            "expected one of `file`, `env`, found something else",
        ),
        (
            format!("[notify]\nwebhook = \"opps\"\n{}", webhook(hook)),
            "expected the name of a declared webhook, found another one",
        ),
        (mailing(format!("{mail}username = \"u\"")), "expected `username` and `password`, found one of them"),
        (
            mailing(format!("{mail}username = \"u\"\npassword = {{ env = \"P\" }}\ntls = \"none\"")),
            "expected TLS, as there is a password, found `tls = \"none\"`",
        ),
        (mailing(mail.replace("b@", "b ")), "expected a mail address, found `b example.org`"),
        (mailing(mail.replace("smtp.", "smtp://")), "expected a host, found `smtp://example.org`"),
    ] {
        let problems = settings(&text).problems;
        let found: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(found, [expected], "{text}");
        assert!(!problems.to_string().contains("hush"), "{problems}");
    }
    // In whatever place it stands.
    for text in [
        "[notify]\nwebhooks = \"https://hush\"\n".to_owned(),
        "[notify.webhooks]\na = \"hush\"\nb = { url = \"https://hush\", secret = \"hush\" }\n".to_owned(),
        webhook(&format!("{hook}key = \"hush\"\n")),
        mailing(format!("{mail}username = \"u\"\npassword = {{ secret = \"hush\" }}")),
    ] {
        let problems = settings(&text).problems;
        assert!(!problems.is_empty() && !problems.to_string().contains("hush"), "{problems}");
    }
    let clear = settings(&webhook(&hook.replace("https", "http"))).problems;
    assert_eq!((clear.errors(), clear.warnings()), (0, 1), "{clear}");
    assert!(!clear.to_string().contains("hush"), "{clear}");
    for fine in [webhook(hook), mailing(mail.to_owned())] {
        assert!(settings(&fine).problems.is_empty(), "{}", settings(&fine).problems);
    }
}
