//! How the program ends. Words and numbers are those of `sysexits.h`, `timeout(1)`, `docker run` and the
//! shell where they have one.

use crate::api::resources::TaskResource;
use crate::task::Phase;

/// All went well.
pub const SUCCESS: u8 = 0;
/// What was asked for was refused, or does not exist. Also where `plan --diff --exit-code` finds a difference.
pub const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
pub const USAGE: u8 = 64;
/// The service is not running, cannot be reached, or cannot start.
pub const UNAVAILABLE: u8 = 69;
/// A file or directory cannot be made.
pub const CANNOT_CREATE: u8 = 73;
/// Reading or writing failed.
pub const IO: u8 = 74;
/// The token is missing or wrong.
pub const NO_PERMISSION: u8 = 77;
/// `--wait`: the task ran longer than its time-out.
pub const TIMED_OUT: u8 = 124;
/// `--wait`: the task ended, or never started, without an exit code; or its end was not seen.
pub const NO_EXIT_CODE: u8 = 125;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// `--wait`: the task was terminated. Also SIGTERM.
pub const TERMINATED: u8 = 143;

/// How `--wait` ends for a task that has ended: with its own exit code, where it has one. What failed is
/// never a success.
pub fn of_task(task: &TaskResource) -> u8 {
    match task.phase {
        Phase::Succeeded => SUCCESS,
        Phase::TimedOut => TIMED_OUT,
        Phase::Cancelled => TERMINATED,
        Phase::Failed => match task.exit_code.map(u8::try_from) {
            Some(Ok(SUCCESS)) => FAILURE,
            Some(Ok(code)) => code,
            Some(Err(_)) => u8::MAX,
            None => NO_EXIT_CODE,
        },
        Phase::Lost | Phase::Queued | Phase::Pending | Phase::Submitted | Phase::Running => NO_EXIT_CODE,
    }
}
