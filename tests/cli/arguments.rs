//! What is wrong on the command line alone: told at once, with exit code 64, and no service asked.

use crate::fake::{Run, tekcron};

async fn refused(args: &[&str]) -> String {
    let run = Run::of(tekcron(args)).await;
    assert_eq!((run.code, run.out.as_str()), (64, ""), "{args:?}: {run}");
    run.err
}

#[tokio::test]
async fn a_wrong_value_is_named_beside_what_was_expected() {
    for (args, expected) in [
        (
            ["run-task", "etl", "-m", "512"].as_slice(),
            "expected a unit, as in `512Mi` or `512M`, found `512` alone",
        ),
        (
            &["run-task", "etl", "-m", "-5M"],
            "expected an amount as in `256Mi`, `1Gi`, `256M` or `1G`, found `-5M`",
        ),
        (&["run-task", "etl", "--name", ""], "expected 1 to 200 characters without line breaks, found none"),
        (&["run-task", "etl", "--name", "a\nb"], "without line breaks, found a control character"),
        (&["run-task", "etl", "--cpu-cores", "-1"], "expected cores as in `500m`, `0.5` or `2`, found `-1`"),
        (&["run-task", "etl", "-k", "9999999Ti"], "expected between `1B` and `1024Ti`, found `9999999Ti`"),
        (&["run-job", "etl.nightly", "--cpu-cores", "0"], "expected between `1m` and `1024`, found `0`"),
        (
            &["run-job", "etl.nightly", "--overlap", "maybe"],
            "expected one of `allow`, `skip`, `queue-one`, `queue-all`, `replace`, `replace-now`, found `maybe`",
        ),
        (&["run-task", "etl", "--overlap", "skip"], "unexpected argument '--overlap' found"),
        (
            &["next", "0", "2", "*", "*", "*"],
            "\nhint: quote the expression, as in `tekcron next \"0 2 * * *\"`",
        ),
        (&["next", "*/5", "*", "Cargo.toml", "src"], "\nhint: quote the expression"),
        (
            &["next", "@daily", "--from", "9999-12-31T23:59:59Z"],
            "`--from`: expected a time up to the year 2100",
        ),
        (&["run-task", "etl", "--env", "NOVALUE"], "expected NAME=VALUE, found `NOVALUE`"),
        (&["run-task", "etl", "-c", " "], "expected a shell line or an array of words, found nothing"),
        (&["run-task", ""], "a name is missing"),
        (&["app", "../tasks"], "found `/`"),
        (&["app", ".."], "expected a name, found `..`"),
        (&["task", "etl", "nightly"], "expected the number of a task, as in `3`, found `nightly`"),
        (&["terminate-task", "etl", "-1"], "expected the number of a task, as in `3`, found `-1`"),
        (&["tasks", "--limit", "-1"], "expected a number between 1 and 1000000, found `-1`"),
        (&["logs", "etl", "-n", "-1"], "expected a number of lines, found `-1`"),
        (&["next", "@daily", "-n", "-1"], "-1 is not in 1..=10000"),
        (&["next", "61 * * * *"], "61"),
        (&["tasks", "--limit", "0"], "expected a number between 1 and 1000000, found `0`"),
        (&["tasks", "--phase", "done"], "`timed-out`, `lost`, found `done`"),
        (&["tasks", "-o", "xml"], "[possible values: table, wide, json, yaml, name]"),
        (&["run-task", "etl", "--follow", "-o", "json"], "cannot be used with"),
        (&["run-task", "etl", "-c", "ls", "--", "ls"], "cannot be used with"),
        (
            &["serve", "--listen", "7070"],
            "expected an address and a port as in `127.0.0.1:7070`, found `7070`",
        ),
        (&["taks"], "some similar subcommands exist: 'status', 'tasks', 'task'"),
        (&["token"], "rotate"),
    ] {
        let text = refused(args).await;
        assert!(text.contains(expected), "{args:?}\nexpected: {expected}\nfound: {text}");
    }
}

#[tokio::test]
async fn only_an_expression_in_pieces_is_told_to_be_quoted() {
    for args in
        [["next", "0 2 * * *", "twice"].as_slice(), &["next", "@daily", "5"], &["next", "0 2 * * *", "--x"]]
    {
        let text = refused(args).await;
        assert!(!text.contains("quote"), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn next_says_how_many_it_may_show_and_that_expressions_end() {
    let help = Run::of(tekcron(&["next", "--help"])).await.out;
    assert!(help.contains("How many, at most: 1 to 10000"), "{help}");
    let run = Run::of(tekcron(&["next", "0 0 1 1 *", "--from", "2098-06-01", "-n", "5", "-o", "json"])).await;
    assert_eq!(
        (run.code, run.err.as_str()),
        (0, "2 of 5 shown: there are no more up to the year 2100, where expressions end\n")
    );
    let run = Run::of(tekcron(&["next", "0 0 1 1 *", "--from", "2098-06-01", "-n", "2"])).await;
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[tokio::test]
async fn without_a_verb_the_verbs_are_listed() {
    let overview = refused(&[]).await;
    let verbs: Vec<_> = overview.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for verb in [
        "serve",
        "check",
        "schema",
        "next",
        "render",
        "run-task",
        "run-job",
        "tasks",
        "task",
        "terminate-task",
        "logs",
        "apps",
        "app",
        "jobs",
        "job",
        "job-history",
        "status",
        "store",
        "token",
        "reload",
        "completions",
        "man",
    ] {
        assert!(verbs.contains(&verb), "{verb}: {overview}");
    }
}

#[tokio::test]
async fn help_and_version_are_data_and_a_success() {
    let help = Run::of(tekcron(&["run-task", "--help"])).await;
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    insta::assert_snapshot!(help.out);
    let version = Run::of(tekcron(&["--version"])).await;
    assert_eq!(
        (version.code, version.out.as_str()),
        (0, concat!("tekcron ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

#[tokio::test]
async fn every_verb_has_help_and_takes_global_options_before_and_after_it() {
    let overview = Run::of(tekcron(&["--help"])).await.out;
    let verbs = overview.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty());
    // What is long goes on in the next line.
    let verbs = verbs.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let verbs: Vec<_> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 15, "{overview}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        for args in [["--data-dir", "d", verb, "--help"], [verb, "--data-dir", "d", "--help"]] {
            let run = Run::of(tekcron(&args)).await;
            assert_eq!((run.code, run.err.as_str()), (0, ""), "{verb}");
        }
    }
}
