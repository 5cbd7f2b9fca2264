//! The sun rises when it does.

use crate::sandbox::{Sandbox, skipped};

/// Whether the tools can compute where the sun is: some builds of busybox cannot.
pub(crate) fn has_sines(sandbox: &Sandbox) -> bool {
    let found = sandbox.run("awk 'BEGIN { exit sin(0) }'").code == Some(0);
    if !found {
        skipped("this `awk` has no sines");
    }
    found
}

/// The main path, for any shell and tools: Berlin in spring.
pub(crate) fn round(sandbox: Sandbox) {
    assert_eq!(sandbox.ok("sh build.sh"), "almanac.tsv: 366 days\n");
    let said = sandbox.ok("sh daylight.sh 2");
    assert_eq!(
        said,
        "03-29  04:48 to 17:35 UTC, 12h 46m of daylight\n03-30  04:46 to 17:36 UTC, 12h 50m of daylight\n"
    );
}

#[test]
fn the_almanac_is_built_once_and_each_task_reads_its_day() {
    round(Sandbox::pushed("daylight"));
}

#[test]
fn beyond_the_polar_circle_there_are_days_without_either() {
    for (day, said) in [("06-21", "the sun does not set"), ("12-21", "the sun does not rise")] {
        let sandbox = Sandbox::pushed("daylight").with("LATITUDE", "69.65").with("LONGITUDE", "18.96");
        let sandbox = sandbox.with("TEKCRON_SCHEDULED_TIME", &format!("2026-{day}T02:00:00Z"));
        sandbox.ok("sh build.sh");
        assert_eq!(sandbox.ok("sh daylight.sh"), format!("{day}  {said}\n"));
    }
}

#[test]
fn what_is_missing_is_said() {
    let sandbox = Sandbox::pushed("daylight");
    sandbox.run("sh daylight.sh").failed(69, "`sh build.sh` makes it");
    sandbox.ok("sh build.sh");
    let sandbox = sandbox.without("LATITUDE");
    let ran = sandbox.run("sh daylight.sh");
    assert!(ran.code != Some(0) && ran.err.contains("expected degrees in LATITUDE"), "{ran}");
    sandbox
        .with("LATITUDE", "0")
        .with("TEKCRON_SCHEDULED_TIME", "never")
        .run("sh daylight.sh")
        .failed(65, "found never");
}
