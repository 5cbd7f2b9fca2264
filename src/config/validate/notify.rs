use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::Url;

use crate::api::client::is_this_machine;
use crate::app::env::is_name;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::hint::nearest;
use crate::notify::{Mail, MailTls, Receivers, SecretSource, Tell, Webhook, is_mailbox};

const SECRET: &str =
    "secrets stay outside this file: `{ file = \"PATH\" }` with mode 0600, or `{ env = \"VARIABLE\" }`";
const SERVER: &str = "a host and perhaps a port, as in `smtp.example.org:587`";
const MAIL_TLS: &str = "`starttls` turns a connection into TLS before anything is said, `implicit` begins with it, `none` does without";

/// The names of all receivers, right or wrong.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct ReceiverNames {
    webhooks: BTreeSet<String>,
    mails: BTreeSet<String>,
}

impl ReceiverNames {
    /// Those of all that can be told.
    pub(in crate::config) fn of(receivers: &Receivers) -> Self {
        Self {
            webhooks: receivers.webhooks.keys().cloned().collect(),
            mails: receivers.mails.keys().cloned().collect(),
        }
    }
}

/// `[notify]`.
pub(super) fn receivers(root: &mut Table<'_>, base: &Path) -> (Receivers, ReceiverNames) {
    let Some(mut table) = root.get("notify").and_then(|value| value.table()) else {
        return Default::default();
    };
    let mut names = ReceiverNames::default();
    let webhooks = named(&mut table, "webhooks", &mut names.webhooks, |table| webhook(table, base));
    let mails = named(&mut table, "mails", &mut names.mails, |table| mail(table, base));
    let default = tell(&mut table, Some(&names));
    table.finish();
    (Receivers { default, webhooks, mails }, names)
}

fn named<T>(
    table: &mut Table<'_>,
    key: &'static str,
    names: &mut BTreeSet<String>,
    read: impl Fn(Table<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(table) = table.get(key).and_then(|value| value.table()) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for entry in table.entries() {
        names.insert(entry.key.to_owned());
        let name = parse::label(entry.key).map_err(|fault| entry.refuse(fault)).ok();
        let read = entry.value.table().and_then(&read);
        found.extend(name.zip(read));
    }
    found
}

/// Names of who is told, each declared.
pub(super) fn tell(table: &mut Table<'_>, known: Option<&ReceiverNames>) -> Tell {
    Tell {
        webhook: declared(table, "webhook", known.map(|known| &known.webhooks)),
        mail: declared(table, "mail", known.map(|known| &known.mails)),
    }
}

fn declared(table: &mut Table<'_>, key: &'static str, known: Option<&BTreeSet<String>>) -> Option<String> {
    let value = table.get(key)?;
    let name = value.text()?;
    if let Some(known) = known.filter(|known| !known.contains(name)) {
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is declared in `tekcron.toml`: `[notify.{key}s.NAME]`"),
        };
        value.refuse(Fault::new(format!("expected the name of a declared {key}, found another one"), hint));
        return None;
    }
    Some(name.to_owned())
}

fn webhook(mut table: Table<'_>, base: &Path) -> Option<Webhook> {
    let url = table
        .require("url", "as in `url = \"https://hooks.example.org/tekcron\"`")
        .and_then(|value| url(&value));
    let secret = table.require("secret", SECRET).and_then(|value| secret(&value, base));
    table.finish();
    Some(Webhook { url: url?, secret: secret? })
}

/// Never says what it found: a URL may be a secret.
fn url(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let url =
        text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        let hint = "as in `https://hooks.example.org/tekcron`";
        value.refuse(Fault::new(
            "expected a URL that begins with `https://` or `http://`, found other text",
            hint,
        ));
        return None;
    };
    if url.scheme() == "http" && !is_this_machine(&url) {
        let hint = "a signature keeps nobody from reading: use `https`";
        value.warn(Fault::new("notices cross the network in clear text", hint));
    }
    Some(text.to_owned())
}

fn mail(mut table: Table<'_>, base: &Path) -> Option<Mail> {
    let words = [("starttls", MailTls::StartTls), ("implicit", MailTls::Implicit), ("none", MailTls::None)];
    let tls = table.get("tls").and_then(|value| value.checked(parse::word(value.text()?, &words, MAIL_TLS)));
    let tls = tls.unwrap_or_default();
    let server_at = table.require("server", SERVER);
    let server = server_at.as_ref().and_then(|value| value.checked(server(value.text()?, tls)));
    let from =
        table.require("from", "as in `from = \"tekcron@example.org\"`").and_then(|value| mailbox(&value));
    let to = table.require("to", "as in `to = [\"ops@example.org\"]`").and_then(|value| {
        let items = value.array()?;
        if items.is_empty() {
            value.refuse(Fault::new("expected somebody, found nobody", "as in `to = [\"ops@example.org\"]`"));
        }
        let to: Vec<_> = items.iter().filter_map(mailbox).collect();
        (to.len() == items.len() && !to.is_empty()).then_some(to)
    });
    let username = table.get("username").and_then(|value| value.checked(parse::plain(value.text()?)));
    let password_at = table.get("password");
    let password = password_at.as_ref().and_then(|value| secret(value, base));
    if table.has("username") != table.has("password") {
        table.refuse(Fault::new("expected `username` and `password`, found one of them", SECRET));
    }
    let login = username.zip(password);
    if let (Some((host, _)), Some(_), MailTls::None) = (&server, &login, tls)
        && !is_loopback(host)
    {
        table.refuse(Fault::new(
            "expected TLS, as there is a password, found `tls = \"none\"`",
            "anybody on the way could read it; only a server on this machine is spoken to so",
        ));
    }
    table.finish();
    let (host, port) = server?;
    Some(Mail { host, port, tls, from: from?, to: to?, login })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn server(text: &str, tls: MailTls) -> Result<(String, u16), Fault> {
    let wrong = || Fault::new(format!("expected a host, found `{text}`"), SERVER);
    let default = match tls {
        MailTls::StartTls => 587,
        MailTls::Implicit => 465,
        MailTls::None => 25,
    };
    let (host, port) = match text.trim().rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text.trim(), default),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if host.is_empty() || !host.chars().all(known) || port == 0 {
        Err(wrong())
    } else {
        Ok((host.to_owned(), port))
    }
}

fn mailbox(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if is_mailbox(text) {
        return Some(text.to_owned());
    }
    value.refuse(Fault::new(
        format!("expected a mail address, found `{text}`"),
        "as in `ops@example.org`, or `Ops <ops@example.org>`",
    ));
    None
}

/// Never says what it found: that may be the secret itself.
fn secret(value: &Value<'_>, base: &Path) -> Option<SecretSource> {
    let table = value.is_table().then(|| value.table()).flatten();
    let Some(mut table) = table else {
        value.refuse(Fault::new("expected a table with `file` or `env`, found the secret itself", SECRET));
        return None;
    };
    let (env, file) = (table.get("env"), table.get("file"));
    let inline = table.entries().any(|entry| !matches!(entry.key, "env" | "file"));
    match (env, file) {
        (Some(env), None) if !inline => {
            let text = env.text()?;
            if !is_name(text) {
                env.refuse(Fault::new(
                    "expected the name of an environment variable, found other text",
                    SECRET,
                ));
                return None;
            }
            Some(SecretSource::Env(text.to_owned()))
        }
        (None, Some(file)) if !inline => {
            let path = file.checked(parse::path(file.text()?))?;
            Some(SecretSource::File(base.join(path)))
        }
        _ => {
            value.refuse(Fault::new("expected one of `file`, `env`, found something else", SECRET));
            None
        }
    }
}
