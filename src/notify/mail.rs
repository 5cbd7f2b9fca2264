//! A notice as a mail.

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use super::deliver::{PATIENCE, Undelivered};
use super::notice::Notice;
use super::receivers::{Mail, MailTls};
use super::secret;
use crate::blocking::blocking;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Whether a text is a mailbox, as in `ops@example.org` or `Ops <ops@example.org>`.
pub(crate) fn is_mailbox(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Sends it to everybody at once: one server takes it, or none has it.
pub(super) async fn send(mail: &Mail, instance: &str, notice: &Notice) -> Result<(), Undelivered> {
    let message = message(mail, instance, notice).map_err(|error| Undelivered::because(error.to_string()))?;
    let tls =
        || TlsParameters::new(mail.host.clone()).map_err(|error| Undelivered::because(error.to_string()));
    let tls = match mail.tls {
        MailTls::StartTls => Tls::Required(tls()?),
        MailTls::Implicit => Tls::Wrapper(tls()?),
        MailTls::None => Tls::None,
    };
    let mut transport =
        Transport::builder_dangerous(&mail.host).port(mail.port).tls(tls).timeout(Some(PATIENCE));
    if let Some((user, source)) = mail.login.clone() {
        let password = blocking(move || Ok(secret::read(&source))).await;
        let password = password.map_err(|error| Undelivered::because(error.to_string()))?;
        let password = password.map_err(|error| Undelivered::because(format!("its password: {error}")))?;
        transport = transport.credentials(Credentials::new(user, password.expose_secret().to_owned()));
    }
    let sent = transport.build().send(message).await;
    sent.map(drop).map_err(|error| Undelivered::because(crate::causes::in_full(&error)))
}

fn message(
    mail: &Mail,
    instance: &str,
    notice: &Notice,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let mut message = Message::builder()
        .from(mail.from.parse()?)
        .subject(notice.subject(instance))
        .message_id(Some(format!("<{}@{instance}.tekcron>", notice.id)));
    for to in &mail.to {
        message = message.to(to.parse()?);
    }
    Ok(message.body(notice.text(instance))?)
}
