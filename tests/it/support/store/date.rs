//! The two ways in which a store writes a time.

use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`, in headers.
pub(super) fn in_header(time: SystemTime) -> String {
    let (days, clock) = split(time);
    let (year, month, day) = civil(days);
    let name = DAYS[(days % 7) as usize];
    format!("{name}, {day:02} {} {year} {clock} GMT", MONTHS[month as usize - 1])
}

/// `1994-11-06T08:49:37.000Z`, in XML.
pub(super) fn in_xml(time: SystemTime) -> String {
    let (days, clock) = split(time);
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02}T{clock}.000Z")
}

/// The days since 1970 and the time of the day.
fn split(time: SystemTime) -> (u64, String) {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let of_day = seconds % 86_400;
    let clock = format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    (seconds / 86_400, clock)
}

/// Year, month and day. Years are counted from March on, so that a leap day ends one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
