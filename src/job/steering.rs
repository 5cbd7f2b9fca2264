use jiff::Timestamp;

/// What somebody has decided about the slots of a job, beside its configuration. It outlives edits, and the
/// service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steering {
    /// Slots are skipped for as long as there is one.
    pub pause: Option<Pause>,
    /// The next slots that would run are skipped.
    pub skip_next: Option<SkipNext>,
}

/// A pause of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who asked for it, as they call themselves.
    pub by: Option<String>,
    /// What for.
    pub note: Option<String>,
}

/// Slots that are to be skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipNext {
    /// How many, from now on.
    pub left: u32,
    /// Who asked for it, as they call themselves.
    pub by: Option<String>,
}

impl Steering {
    /// Whether nobody has decided anything.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The pause at `now`; none where it has ended by itself.
    pub fn pause_at(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| now < until))
    }
}
