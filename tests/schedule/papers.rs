//! What `docs/schedules.md` shows is what the program says.

use crate::next::said_at;

/// When the document's commands were run.
const NOW: &str = "2026-03-28T00:00:00Z";

#[test]
fn every_command_of_the_document_says_what_stands_below_it() {
    let document = include_str!("../../docs/schedules.md");
    let blocks: Vec<_> =
        document.split("```console\n").skip(1).map(|rest| rest.split("```").next()).collect();
    let mut commands = 0;
    for block in blocks.into_iter().flatten() {
        for command in block.split("$ tekcron next ").skip(1) {
            let (line, expected) = command.split_once('\n').unwrap();
            let said = said_at(NOW, &words(line)).unwrap_or_else(|error| format!("error: {error}\n"));
            assert_eq!(said, expected, "{line}");
            commands += 1;
        }
    }
    assert!(commands >= 5, "the document shows only {commands} commands");
}

/// The words of a command line whose first is in double quotes.
fn words(line: &str) -> Vec<&str> {
    let (expression, rest) = line.trim_start_matches('"').split_once('"').unwrap();
    std::iter::once(expression).chain(rest.split_whitespace()).collect()
}
