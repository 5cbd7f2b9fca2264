use std::collections::BTreeMap;

use crate::app::env::{is_name, is_system};
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;

/// The variables under `env` of `table`.
pub(super) fn env(table: &mut Table<'_>) -> BTreeMap<String, String> {
    let Some(variables) = table.get("env").and_then(|value| value.table()) else { return BTreeMap::new() };
    let mut env = BTreeMap::new();
    for entry in variables.entries() {
        if !is_name(entry.key) {
            let message = format!(
                "expected the name of a variable: letters, digits, `_`, `.` and `-`, no digit first, found `{}`",
                entry.key
            );
            entry.refuse(Fault::new(message, "capitals and `_` are what every shell takes, as in `STAGE_2`"));
        }
        if is_system(entry.key) {
            entry.warn(Fault::new(
                format!("`{}` is set by tekcron, whose value wins over this one", entry.key),
                "leave it out, or give it another name",
            ));
        }
        let text = entry.value.text();
        if let Some(text) = text.filter(|text| entry.value.checked(parse::no_nul(text)).is_some()) {
            env.insert(entry.key.to_owned(), text.to_owned());
        }
    }
    env
}
