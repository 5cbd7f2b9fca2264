//! When schedules are due: what expressions mean and which are refused, how they meet the changes of
//! clocks, what becomes of missed slots, and how people are shown.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod clocks;
mod exclusion;
mod grammar;
mod missed;
mod next;
mod papers;
mod refusals;
mod sample;
mod second_opinion;
mod zones;
