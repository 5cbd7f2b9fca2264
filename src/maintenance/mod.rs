//! Internal housekeeping on a timer. tokio-cron-scheduler lives here and nowhere else.
