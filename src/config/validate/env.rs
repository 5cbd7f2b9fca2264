use std::collections::BTreeMap;

use crate::app::env::{is_name, is_system};
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::{Entry, Table};

/// The variables under `env` of `table`.
pub(super) fn env(table: &mut Table<'_>) -> BTreeMap<String, String> {
    let Some(variables) = table.get("env").and_then(|value| value.table()) else { return BTreeMap::new() };
    let mut env = BTreeMap::new();
    for entry in variables.entries() {
        if !is_name(entry.key) {
            entry.refuse(Fault::new(format!(
                "expected the name of a variable: letters, digits, `_`, `.` and `-`, no digit first, found `{}`",
                entry.key
            )));
        }
        if is_system(entry.key) {
            entry.warn(
                Fault::new(format!("`{}` is set by tekcron, whose value wins over this one", entry.key))
                    .hint("leave it out, or give it another name"),
            );
        }
        let text = text(&entry);
        if let Some(text) = text.filter(|text| entry.value.checked(parse::no_nul(text)).is_some()) {
            env.insert(entry.key.to_owned(), text.to_owned());
        }
    }
    env
}

/// The text of a variable. A number is a slip that quotes put right.
fn text<'s>(entry: &Entry<'s>) -> Option<&'s str> {
    match entry.value.unquoted() {
        Some(written) => {
            let fault = entry.value.other_type("a string");
            entry.value.refuse(fault.hint(format!("`\"{written}\"`")));
            None
        }
        None => entry.value.text(),
    }
}
