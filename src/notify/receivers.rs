use std::collections::BTreeMap;
use std::path::PathBuf;

use super::notice::Receiver;

/// Who can be told, and who is unless a job says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Who is told of jobs that name nobody.
    pub default: Tell,
    /// Webhooks by name.
    pub webhooks: BTreeMap<String, Webhook>,
    /// Mail addresses by name.
    pub mails: BTreeMap<String, Mail>,
}

/// Names of who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tell {
    /// A webhook.
    pub webhook: Option<String>,
    /// A mail.
    pub mail: Option<String>,
}

/// Where notices are posted to.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http` or `https`.
    pub url: String,
    /// What they are signed with.
    pub secret: SecretSource,
}

/// Whom notices are mailed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The host of the SMTP server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: MailTls,
    /// The sender.
    pub from: String,
    /// Everybody who gets it.
    pub to: Vec<String>,
    /// Who logs in, where anybody does, and with what.
    pub login: Option<(String, SecretSource)>,
}

/// How the connection to an SMTP server is kept private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MailTls {
    /// Begun in the clear, and turned into TLS before anything is said; else nothing is sent.
    #[default]
    StartTls,
    /// TLS from the beginning.
    Implicit,
    /// Not at all.
    None,
}

/// Where a secret comes from. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the daemon.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

impl Tell {
    /// Whether nobody is.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }

    /// Those who are.
    pub fn receivers(&self) -> impl Iterator<Item = Receiver> + '_ {
        let webhook = self.webhook.clone().map(Receiver::Webhook);
        webhook.into_iter().chain(self.mail.clone().map(Receiver::Mail))
    }
}

/// The URL may be a secret of its own.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("secret", &self.secret).finish_non_exhaustive()
    }
}
