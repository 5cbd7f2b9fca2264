use serde_yaml_ng::{Mapping, Value};

use super::place::Step;
use super::reader::Reader;
use crate::config::Problems;

/// The values of `((variables))`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables(Mapping);

impl Variables {
    /// Takes what a file of variables says: a mapping of names to values. A name that has a value gets another.
    ///
    /// # Errors
    /// [`Problems`], each with its place.
    pub fn take_file(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let reader = Reader::of_secrets(file, text);
        match reader.document() {
            Some(Value::Null) => {}
            Some(Value::Mapping(variables)) => self.0.extend(variables),
            Some(_) => {
                let message = "expected variables and their values, found something else";
                reader.refuse(&[], message, "`name: value`, one a line");
            }
            None => {}
        }
        if reader.is_sound() { Ok(()) } else { Err(reader.into_problems()) }
    }

    /// Gives `name` this value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of `name`; behind a dot stands a key of a value.
    fn get(&self, name: &str) -> Option<&Value> {
        let whole = self.0.get(name);
        whole.or_else(|| {
            let mut parts = name.split('.');
            let first = self.0.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// `value` with each variable in it replaced. One that has no value is told, with its place.
    pub(super) fn fill(&self, value: &Value, steps: &mut Vec<Step>, reader: &Reader) -> Value {
        match value {
            Value::String(text) => self.fill_text(text, steps, reader),
            Value::Sequence(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    steps.push(Step::Item(at));
                    filled.push(self.fill(item, steps, reader));
                    steps.pop();
                }
                Value::Sequence(filled)
            }
            Value::Mapping(mapping) => {
                let mut filled = Mapping::with_capacity(mapping.len());
                for (key, value) in mapping {
                    steps.push(Step::Key(as_text(key).unwrap_or_default()));
                    filled.insert(key.clone(), self.fill(value, steps, reader));
                    steps.pop();
                }
                Value::Mapping(filled)
            }
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str, steps: &[Step], reader: &Reader) -> Value {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name, behind)) = next_variable(rest) {
            filled.push_str(before);
            let is_whole = filled.is_empty() && behind.is_empty();
            match self.get(name) {
                Some(value) if is_whole => return value.clone(),
                Some(value) => match as_text(value) {
                    Some(value) => filled.push_str(&value),
                    None => {
                        let message = format!(
                            "the variable `{name}` stands within a text, and has no text as its value"
                        );
                        reader.refuse(
                            steps,
                            &message,
                            "a list or mapping takes the place of the whole value",
                        );
                    }
                },
                None => {
                    let message = format!("the variable `{name}` has no value");
                    let hint =
                        format!("`--var {name}=VALUE`, or a line `{name}: VALUE` in the file of --vars-file");
                    reader.refuse(steps, &message, &hint);
                }
            }
            rest = behind;
        }
        filled.push_str(rest);
        Value::String(filled)
    }
}

/// The text before the next `((name))`, the name, and the text behind it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("((") {
        let (at, inner) = (from + found, &text[from + found + 2..]);
        if let Some((name, behind)) = inner.split_once("))").filter(|(name, _)| is_name(name)) {
            return Some((&text[..at], name, behind));
        }
        from = at + 1;
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.'))
}

/// A value as the text that it would be written as, unless it has parts.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let mut variables = Variables::default();
        variables.take_file("vars.yml", "n: 2\nlist: [a, b]\ndb: {user: etl}\nhost: old\n").unwrap();
        variables.set("host", "db.example");
        let reader = Reader::new("manifest.yml", text);
        let value = variables.fill(&reader.document().unwrap(), &mut Vec::new(), &reader);
        let problems = reader.into_problems();
        if !problems.is_empty() {
            return Err(problems.to_string());
        }
        Ok(serde_json::to_string(&value).unwrap())
    }

    #[test]
    fn variables_are_replaced_as_a_whole_or_within_a_text() {
        for (text, expected) in [
            ("a: ((n))", r#"{"a":2}"#),
            ("a: ((list))", r#"{"a":["a","b"]}"#),
            ("a: x-((host))-((n))", r#"{"a":"x-db.example-2"}"#),
            ("a: [((db.user))]", r#"{"a":["etl"]}"#),
            ("a: ((host))((n))", r#"{"a":"db.example2"}"#),
            ("a: $((1 + 2)) ()", r#"{"a":"$((1 + 2)) ()"}"#),
            ("a: (((n)))", r#"{"a":"(2)"}"#),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn one_without_a_value_is_told_with_its_place() {
        insta::assert_snapshot!(filled("a:\n  b: ((none))\n  c: x((list))\n").unwrap_err(), @r"
        error: the variable `none` has no value
         --> manifest.yml:2:3
          |
        2 |   b: ((none))
          |   ^ a.b
          |
          = hint: `--var none=VALUE`, or a line `none: VALUE` in the file of --vars-file

        error: the variable `list` stands within a text, and has no text as its value
         --> manifest.yml:3:3
          |
        3 |   c: x((list))
          |   ^ a.c
          |
          = hint: a list or mapping takes the place of the whole value

        2 problems
        ");
    }

    #[test]
    fn a_file_of_variables_that_is_none_is_refused() {
        let told = |text: &str| Variables::default().take_file("vars.yml", text).unwrap_err().to_string();
        insta::assert_snapshot!(told("- a\n"), @r"
        error: expected variables and their values, found something else
         --> vars.yml:1:1
          |
        1 | ***
          | ^^^
          |
          = hint: `name: value`, one a line

        1 problem
        ");
        insta::assert_snapshot!(told("a: 1\n b: 2\n"), @r"
        error: this is not YAML: mapping values are not allowed in this context
         --> vars.yml:2:3
          |
        2 | *****
          |   ^^^
          |
          = hint: keys of one mapping stand in the same column, and are indented by spaces

        1 problem
        ");
        assert_eq!(Variables::default().take_file("vars.yml", "# nothing\n"), Ok(()));
    }
}
