//! Thousands of random schedules around changes of the clocks, judged by others: by the `croner`
//! crate, and by a model that looks at every minute.

mod croner;
mod model;
mod random;
