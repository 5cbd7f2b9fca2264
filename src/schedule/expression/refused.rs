//! What other crons read and this one does not, refused by name so that it is never taken for
//! something else.

use super::piece::Piece;
use super::{ExpressionError, Field};

/// Refuses a zone in front of the fields.
pub(super) fn prefix(text: Piece<'_>) -> Result<(), ExpressionError> {
    let words = text.words();
    let Some(first) = words.first() else { return Ok(()) };
    let zone = ["CRON_TZ=", "TZ="].into_iter().find_map(|prefix| first.text.strip_prefix(prefix));
    let Some(zone) = zone else { return Ok(()) };
    let message = format!("expected the first field, found the time zone `{}`", first.text);
    let hint = format!("the zone stands beside the expression: `timezone = \"{zone}\"`");
    Err(ExpressionError::new(first.span(), message, hint))
}

/// Refuses a form of an item.
pub(super) fn form(field: Field, item: Piece<'_>) -> Result<(), ExpressionError> {
    let Some((first, last)) = item.split_once('~') else { return Ok(()) };
    let message = format!("{field}: `~` (a random value) has no slot to account for, found `{}`", item.text);
    let range = format!("H({}-{})", first.text, last.text);
    let hint = match Field::read_hash(field, Piece::whole(&range), &mut super::hash::JobHash::new("")) {
        Ok(_) => format!("`{range}` is a value by the job's name"),
        Err(_) => "`H` is a value by the job's name".to_owned(),
    };
    Err(ExpressionError::new(item.span(), message, hint))
}
