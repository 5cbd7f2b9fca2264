use std::collections::BTreeSet;

use crate::app::suggest_name;
use crate::job::JobName;

/// Words that say nothing about what a command does.
const PLACES: [&str; 6] = ["/run/", "/dev/", "/etc/", "/tmp/", "/var/", "/proc/"];

/// Gives each command a name of its own.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name for what `command` does: that of the first program with a path, else of the first word.
    pub(super) fn of_command(&mut self, command: &str) -> String {
        let words = || command.split(|c: char| c.is_whitespace() || "\"'`;&|(){}<>=".contains(c));
        let program = words().find(|word| {
            word.rsplit_once('/').is_some_and(|(_, base)| !base.is_empty())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-~$".contains(c))
                && !PLACES.iter().any(|place| word.starts_with(place))
        });
        let word = program.or_else(|| words().find(|word| !word.is_empty())).unwrap_or_default();
        let base = word.rsplit('/').next().unwrap_or_default();
        self.own(base.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(base))
    }

    /// The name nearest to `wanted` that none has yet.
    pub(super) fn own(&mut self, wanted: &str) -> String {
        let mut name = suggest_name(wanted).unwrap_or_else(|| "job".to_owned());
        // Room for a number behind it.
        name.truncate(JobName::LIMIT - 5);
        let name = name.trim_end_matches('-').to_owned();
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let own = std::iter::once(name.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let own = own.expect("there is always a higher number");
        self.0.insert(own.clone());
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_called_by_its_program() {
        for (command, name) in [
            ("test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot -q renew", "certbot"),
            ("[ -x /usr/share/awstats/tools/update.sh ] && /usr/share/awstats/tools/update.sh", "update"),
            ("if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi", "sessionclean"),
            ("command -v debian-sa1 > /dev/null && debian-sa1 1 1", "command"),
            ("  echo hello", "echo"),
            ("sh $HOME/backup.sh", "backup"),
            ("sed -nE 's/^\\s*dir (.*)$/\\1/p' /etc/munin.conf | tail -1; /opt/a/clean_up.sh -f", "clean-up"),
            ("'", "job"),
        ] {
            assert_eq!(Names::default().of_command(command), name, "{command}");
        }
    }

    #[test]
    fn no_two_have_the_same_name() {
        let mut names = Names::default();
        assert_eq!(["a", "A", "a"].map(|name| names.own(name)), ["a", "a-2", "a-3"]);
        assert!(names.own(&"x".repeat(80)).parse::<JobName>().is_ok());
    }
}
