//! Retention: what is kept of finished tasks, planned purely and swept separately.
