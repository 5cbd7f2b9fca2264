//! Telling somebody that a job breaks what it promises, and that it does not any more.
//!
//! A [`Notice`] goes to one [`Receiver`], a webhook or a mail address by its configured name. It is put into the
//! store in the commit that notes the breach, and stays there until it was delivered: at least once, in order
//! for each receiver, and always under the same id, by which a receiver knows a second one. [`Notifier`]
//! delivers, beside everything else; what cannot be delivered is tried again, ever more rarely, for three days.
//!
//! No secret, and no URL of a webhook, which may be one, is in a log line, an answer or the store.

mod deliver;
mod mail;
mod notice;
mod notifier;
mod receivers;
mod secret;
mod sign;
mod webhook;

pub(crate) use self::mail::is_mailbox;
pub use self::notice::{Event, Notice, Receiver};
pub use self::notifier::{Notifier, Outbox};
pub use self::receivers::{Mail, MailTls, Receivers, SecretSource, Tell, Webhook};
pub use self::secret::SecretError;
