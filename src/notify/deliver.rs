use std::time::Duration;

use jiff::Timestamp;

use super::notice::{Notice, Receiver};
use super::receivers::Receivers;
use super::{mail, webhook};

/// How long a delivery may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Why a notice was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// In words, without URL and secret.
    pub(super) message: String,
    /// Not before so long, where the receiver says so.
    pub(super) retry_after: Option<Duration>,
    /// The receiver wants none, now or later.
    pub(super) for_good: bool,
}

impl Undelivered {
    pub(super) fn because(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after: None, for_good: false }
    }
}

/// Delivers a notice, once.
pub(super) async fn deliver(
    receivers: &Receivers,
    instance: &str,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), Undelivered> {
    let gone = || Undelivered { for_good: true, ..Undelivered::because("it is no longer configured") };
    match &notice.to {
        Receiver::Webhook(name) => {
            let webhook = receivers.webhooks.get(name).ok_or_else(gone)?;
            webhook::post(webhook, instance, notice, now).await
        }
        Receiver::Mail(name) => {
            let mail = receivers.mails.get(name).ok_or_else(gone)?;
            mail::send(mail, instance, notice).await
        }
    }
}
