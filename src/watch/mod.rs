//! Whether everything that should have run, has run.
//!
//! A job says in its [`Watch`] how late a slot may start, how long it may be without a success, and how long a
//! run may take. [`breaches`] decides from what is known of it at one moment, [`Facts`], which of these it
//! breaks; [`next_look`] says when time alone may change that. Both are pure. [`Watching`] looks at the jobs whose
//! moment has come, keeps in the store what each breaks, and shows it as [`Status`]. A job that is not watched
//! costs nothing.

mod breach;
mod fate;
mod terms;
mod watching;

pub use self::breach::{Breach, BreachKind, Facts, breaches, next_look};
pub use self::fate::{Fate, LastSlot, last_slot};
pub use self::terms::{OnFailure, OpenBreach, Standing, Streak, Watch};
pub use self::watching::{Status, Watching};
