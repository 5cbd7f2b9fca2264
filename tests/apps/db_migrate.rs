//! Each migration is applied once, whole or not at all.

use std::fs;

use crate::sandbox::{Sandbox, has, listing};

const UP: &str = "sh migrate.sh";
const STATUS: &str = "sh migrate.sh --status";

fn sandbox() -> Sandbox {
    Sandbox::of("db-migrate")
}

fn migration(sandbox: &Sandbox, name: &str, text: &str) {
    fs::write(sandbox.work().join(format!("migrations/{name}.sh")), text).unwrap();
}

fn table(sandbox: &Sandbox, version: &str, name: &str) -> String {
    fs::read_to_string(sandbox.state().join(format!("versions/{version}/{name}.tsv"))).unwrap()
}

fn versions(sandbox: &Sandbox) -> Vec<String> {
    listing(&sandbox.state().join("versions"))
}

/// The main path, for any shell and tools.
pub(crate) fn round(sandbox: Sandbox) {
    assert_eq!(
        sandbox.ok(STATUS),
        "pending 0001 create-customers\npending 0002 create-orders\npending 0003 add-currency-to-orders\n"
    );
    assert_eq!(
        sandbox.ok(UP),
        "applied 0001 create-customers\napplied 0002 create-orders\napplied 0003 add-currency-to-orders\n"
    );
    let orders = "id\tcustomer\tamount\tcurrency\n1\t1\t120\tEUR\n2\t3\t75\tEUR\n3\t1\t30\tEUR\n";
    assert_eq!(table(&sandbox, "0003", "orders"), orders);
    let customers = "id\tname\tcountry\n1\tAda Lovelace\tGB\n2\tGrace Hopper\tUS\n3\tSophie Germain\tFR\n";
    assert_eq!(table(&sandbox, "0003", "customers"), customers);
    assert_eq!(sandbox.ok(UP), "nothing to do: the database is at 0003\n");
    assert_eq!(table(&sandbox, "0003", "orders"), orders);
    assert_eq!(
        sandbox.ok(STATUS),
        "applied 0001 create-customers by task 7\napplied 0002 create-orders by task 7\n\
         applied 0003 add-currency-to-orders by task 7\n"
    );
    assert_eq!(versions(&sandbox), ["0001", "0002", "0003"]);
}

#[test]
fn migrations_are_applied_in_order_and_once() {
    round(sandbox());
}

#[test]
fn a_new_migration_is_applied_to_what_is_there() {
    let sandbox = sandbox();
    sandbox.ok(UP);
    migration(&sandbox, "0010-double", "add_column orders twice '$3 * 2'\n");
    assert!(sandbox.ok(STATUS).starts_with("pending 0010 double\napplied 0001 "));
    assert_eq!(sandbox.ok(UP), "applied 0010 double\n");
    assert!(table(&sandbox, "0010", "orders").contains("\n2\t3\t75\tEUR\t150\n"));
    assert!(!table(&sandbox, "0003", "orders").contains("twice"));
}

#[test]
fn an_applied_migration_must_stay_as_it_was() {
    let sandbox = sandbox();
    sandbox.ok(UP);
    migration(&sandbox, "0002-create-orders", "create_table orders id\n");
    migration(&sandbox, "0004-more", "create_table more id\n");
    for line in [UP, STATUS] {
        sandbox.run(line).failed(1, "migration 0002 (create-orders) was changed after it had been applied");
    }
    fs::remove_file(sandbox.work().join("migrations/0002-create-orders.sh")).unwrap();
    sandbox.run(UP).failed(1, "migration 0002 (create-orders) was applied, and its file is gone");
    assert_eq!(versions(&sandbox), ["0001", "0002", "0003"]);
}

/// A migration with `fault` in its middle fails with `words`, changes nothing, and goes well once mended.
pub(crate) fn mended(sandbox: &Sandbox, fault: &str, words: &str) {
    sandbox.ok(UP);
    migration(sandbox, "0004-wrong", &format!("insert orders 4 2 10 USD\n{fault}\ncreate_table late id\n"));
    let ran = sandbox.run(UP);
    ran.failed(1, "migrate: migration 0004 (wrong) failed; the database stays at 0003");
    assert!(ran.err.contains(words) && ran.out.is_empty(), "{fault}: {ran}");
    assert!(!table(sandbox, "0003", "orders").contains("USD"), "{fault}");
    assert!(sandbox.ok(STATUS).starts_with("pending 0004 wrong\n"), "{fault}");

    migration(sandbox, "0004-wrong", "insert orders 4 2 10 USD\n");
    assert_eq!(sandbox.ok(UP), "applied 0004 wrong\n", "{fault}");
    assert_eq!(versions(sandbox), ["0001", "0002", "0003", "0004"], "{fault}");
    assert_eq!(table(sandbox, "0004", "orders").matches("USD").count(), 1, "{fault}");
}

#[test]
fn a_migration_that_fails_anywhere_leaves_the_version_before_and_is_applied_once_mended() {
    for (fault, words) in [
        ("create_table orders id", "table orders is there already"),
        ("insert nowhere 1", "table nowhere does not exist"),
        ("insert orders 1 2", "table orders has 4 columns, found 2 values"),
        ("add_column nowhere column 1", "table nowhere does not exist"),
        // An unclosed text in awk.
        ("add_column orders column '\"x'", "awk"),
        ("false", ""),
        ("no_such_word orders", "no_such_word"),
        ("insert orders $UNSET 1 1 1", "UNSET"),
        ("exit 3", ""),
    ] {
        mended(&sandbox(), fault, words);
    }
}

#[test]
fn a_first_migration_that_fails_leaves_an_empty_database() {
    let sandbox = sandbox();
    migration(&sandbox, "0000-wrong", "false\n");
    sandbox.run(UP).failed(1, "migration 0000 (wrong) failed; the database stays empty");
    assert_eq!(sandbox.run(STATUS).out.lines().next(), Some("pending 0000 wrong"));
}

#[test]
fn a_terminated_migration_is_as_if_it_had_not_begun() {
    let sandbox = sandbox();
    sandbox.end_within(&format!("exec {UP}"), "cp");
    assert_eq!(sandbox.ok(STATUS).lines().next(), Some("pending 0002 create-orders"));
    let rest = "applied 0002 create-orders\napplied 0003 add-currency-to-orders\n";
    assert_eq!(sandbox.ok(UP), rest);
}

#[test]
fn what_an_unfinished_migration_left_is_cleared_by_the_next_run_and_not_by_a_look() {
    let sandbox = sandbox();
    let left = sandbox.state().join("versions/.unfinished.0001");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("customers.tsv"), "half").unwrap();
    sandbox.ok(STATUS);
    assert!(left.exists());
    sandbox.ok(UP);
    assert_eq!(versions(&sandbox), ["0001", "0002", "0003"]);
    assert!(!table(&sandbox, "0001", "customers").contains("half"));
}

#[test]
fn numbers_only_grow_and_are_there_once() {
    let sandbox = sandbox();
    fs::rename(sandbox.work().join("migrations/0002-create-orders.sh"), sandbox.work().join("later"))
        .unwrap();
    fs::remove_file(sandbox.work().join("migrations/0003-add-currency-to-orders.sh")).unwrap();
    migration(&sandbox, "0008-eighth", "create_table eighth id\n");
    sandbox.ok(UP);
    fs::rename(sandbox.work().join("later"), sandbox.work().join("migrations/0002-create-orders.sh"))
        .unwrap();
    sandbox.run(UP).failed(1, "migration 0002 (create-orders) comes before 0008, which has been applied");
    fs::remove_file(sandbox.work().join("migrations/0002-create-orders.sh")).unwrap();

    migration(&sandbox, "0009-one", "create_table one id\n");
    migration(&sandbox, "0009-other", "create_table other id\n");
    sandbox.run(UP).failed(1, "more than one migration is numbered 0009");
    assert_eq!(versions(&sandbox), ["0001", "0008"]);
}

#[test]
fn bad_arguments_and_missing_migrations_are_refused() {
    let sandbox = sandbox();
    sandbox.run("sh migrate.sh --down").failed(64, "expected --status or nothing, found --down");
    sandbox.ok(UP);
    sandbox.run("sh migrate.sh --down").failed(64, "expected --status or nothing, found --down");
    fs::rename(sandbox.work().join("migrations"), sandbox.work().join("elsewhere")).unwrap();
    assert_eq!(sandbox.run(UP).code, Some(1));
    let sandbox = Sandbox::of("db-migrate").with("TEKCRON_STATE_DIR", "");
    assert!(sandbox.run(UP).err.contains("expected the directory of the database"));
}

#[test]
fn runs_at_once_take_turns() {
    if !has("flock") {
        return;
    }
    let sandbox = sandbox();
    let runs: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| sandbox.run(UP))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ran in &runs {
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    let applied: usize = runs.iter().map(|ran| ran.out.matches("applied ").count()).sum();
    assert_eq!(applied, 3);
    assert_eq!(table(&sandbox, "0003", "customers").lines().count(), 4);
}

#[test]
fn a_file_that_is_no_migration_is_refused_before_any_is_applied() {
    for name in ["4-short.sh", "00004-long.sh", "0004-.sh", "0004.sh", "0004-note.txt", "README"] {
        let sandbox = sandbox();
        fs::write(sandbox.work().join("migrations").join(name), "create_table late id\n").unwrap();
        sandbox.run(UP).failed(1, &format!("expected migrations/NNNN-NAME.sh, found migrations/{name}"));
        assert!(versions(&sandbox).is_empty(), "{name}");
    }
}

#[test]
fn a_value_cannot_break_its_row() {
    for (value, fits) in [
        ("'a\tb'", false),
        ("'a\nb'", false),
        ("'  two  words '", true),
        ("'$HOME * \\t'", true),
        ("''", true),
    ] {
        let sandbox = sandbox();
        sandbox.ok(UP);
        migration(&sandbox, "0004-value", &format!("insert customers 4 {value} DE\n"));
        let ran = sandbox.run(UP);
        if fits {
            let row = format!("\n4\t{}\tDE\n", value.trim_matches('\''));
            assert!(ran.code == Some(0) && table(&sandbox, "0004", "customers").ends_with(&row), "{ran}");
        } else {
            ran.failed(1, "table customers: expected values without tabs and line ends");
            assert_eq!(sandbox.run(STATUS).out.lines().next(), Some("pending 0004 value"));
        }
    }
}
