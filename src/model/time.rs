//! Instants, and the zone of a clock that does not say which one it is.

use std::fmt;

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// An instant in microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999.
///
/// It is shown as RFC 3339 in UTC: `2019-02-28T00:00:01Z`, with six more digits where they are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    const FIRST: i64 = -62_135_596_800 * MICROS_PER_SECOND;
    const LAST: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;

    /// The instant, or `None` outside the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::FIRST || micros > Self::LAST { None } else { Some(Self(micros)) }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant after it: a microsecond later. The last one there is has none, and stays.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < Self::LAST { Self(self.0 + 1) } else { self }
    }

    /// This many hours before, at the earliest the first instant of the year 1.
    pub const fn hours_before(self, hours: u32) -> Self {
        let micros = self.0 - hours as i64 * 3600 * MICROS_PER_SECOND;
        Self(if micros < Self::FIRST { Self::FIRST } else { micros })
    }

    /// A day later, at the latest the last instant of the year 9999.
    pub const fn day_after(self) -> Self {
        let micros = self.0 + MICROS_PER_DAY;
        Self(if micros > Self::LAST { Self::LAST } else { micros })
    }

    /// The last microsecond of the second that the instant is in.
    pub const fn end_of_second(self) -> Self {
        Self(self.0.div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND + MICROS_PER_SECOND - 1)
    }

    /// The year, month, day, hour, minute, second and microsecond in UTC.
    pub const fn civil(self) -> Civil {
        let days = self.0.div_euclid(MICROS_PER_DAY);
        let in_day = self.0.rem_euclid(MICROS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let seconds = (in_day / MICROS_PER_SECOND) as u32;
        Civil {
            year: year as u32,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: (in_day % MICROS_PER_SECOND) as u32,
        }
    }

    /// Adds the instant as it is shown, without the machinery of formatting.
    pub fn write(self, text: &mut Vec<u8>) {
        let civil = self.civil();
        let digit = |number: u32| b'0' + (number % 10) as u8;
        let two = |number: u32| [digit(number / 10), digit(number)];
        let [year1, year2] = two(civil.year / 100);
        let [year3, year4] = two(civil.year % 100);
        let [month1, month2] = two(civil.month);
        let [day1, day2] = two(civil.day);
        let [hour1, hour2] = two(civil.hour);
        let [minute1, minute2] = two(civil.minute);
        let [second1, second2] = two(civil.second);
        text.extend_from_slice(&[
            year1, year2, year3, year4, b'-', month1, month2, b'-', day1, day2, b'T', hour1, hour2,
            b':', minute1, minute2, b':', second1, second2,
        ]);
        if civil.micros != 0 {
            let [micros1, micros2] = two(civil.micros / 10_000);
            let [micros3, micros4] = two(civil.micros / 100 % 100);
            let [micros5, micros6] = two(civil.micros % 100);
            text.extend_from_slice(&[b'.', micros1, micros2, micros3, micros4, micros5, micros6]);
        }
        text.push(b'Z');
    }

    fn to_naive_utc(self) -> NaiveDateTime {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default().naive_utc()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_micros().clamp(Self::FIRST, Self::LAST))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, micros } = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

/// The parts of an instant on the calendar and the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says it")]
pub struct Civil {
    pub year: u32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar: Howard Hinnant's algorithm.
const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = month as i64;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The zone that is meant by a local time without an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The zone of an IANA name such as `America/Bogota`, or `None`.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Whether it is UTC itself.
    pub fn is_utc(&self) -> bool {
        self.0 == Tz::UTC
    }

    /// The IANA name.
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Reads `YYYY-MM-DD'T'hh:mm:ss` on a 24-hour clock. A blank may be in place of `T`; a fraction (read to
    /// the microsecond) and `Z` or an offset may follow. Without an offset it is local time in this
    /// zone. `None` for everything else.
    ///
    /// ```
    /// use kometsales::model::Zone;
    /// let zone = Zone::named("America/New_York").unwrap();
    /// let instant = zone.parse("2017-08-02T12:15:17").unwrap();
    /// assert_eq!(instant.to_string(), "2017-08-02T16:15:17Z");
    /// ```
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        let (head, mut rest) = bytes.split_first_chunk::<19>()?;
        let local = local_micros(head)?;
        let mut micros = 0;
        if let [b'.', fraction @ ..] = rest {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let padded = fraction[..digits].iter().chain(std::iter::repeat(&b'0')).take(6);
            micros = padded.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
            rest = &fraction[digits..];
        }
        let local = local + micros;
        match rest {
            [] if self.is_utc() => Timestamp::from_micros(local),
            [] => {
                let local = Timestamp::from_micros(local)?.to_naive_utc();
                Timestamp::from_micros(self.instant(local)?)
            }
            [b'Z' | b'z'] => Timestamp::from_micros(local),
            _ => Timestamp::from_micros(local - offset_micros(rest)?),
        }
    }

    /// The first instant of a day.
    pub fn midnight(&self, date: NaiveDate) -> Timestamp {
        let local = date.and_time(NaiveTime::MIN);
        let micros = self.instant(local).unwrap_or_else(|| local.and_utc().timestamp_micros());
        Timestamp(micros.clamp(Timestamp::FIRST, Timestamp::LAST))
    }

    /// The day on which an instant falls.
    pub fn date(&self, instant: Timestamp) -> NaiveDate {
        self.0.from_utc_datetime(&instant.to_naive_utc()).date_naive()
    }

    /// Whether the zone moved its clocks within a year of the instant, so that an hour may occur twice.
    pub fn changes_clocks(&self, around: Timestamp) -> bool {
        let around = around.to_naive_utc();
        let offset = |weeks: i64| {
            let instant = around.checked_add_signed(TimeDelta::weeks(weeks))?;
            Some(self.0.offset_from_utc_datetime(&instant).fix().local_minus_utc())
        };
        let here = offset(0);
        (-53..=53).filter_map(offset).any(|other| Some(other) != here)
    }

    /// The instant of a local time, in microseconds: of two the earlier, and in a gap the first after it.
    fn instant(&self, local: NaiveDateTime) -> Option<i64> {
        let micros = match self.0.from_local_datetime(&local) {
            LocalResult::Single(instant) => instant.timestamp_micros(),
            LocalResult::Ambiguous(earlier, _) => earlier.timestamp_micros(),
            LocalResult::None => self.end_of_gap(local)?,
        };
        Some(micros)
    }

    /// The first instant whose local time is not before `local`, to the second: clock changes happen on
    /// whole seconds.
    fn end_of_gap(&self, local: NaiveDateTime) -> Option<i64> {
        let is_before = |second: i64| {
            DateTime::from_timestamp(second, 0)
                .is_some_and(|at| self.0.from_utc_datetime(&at.naive_utc()).naive_local() < local)
        };
        let middle = local.and_utc().timestamp();
        let (mut low, mut high) = (middle - 36 * 3600, middle + 36 * 3600);
        while high - low > 1 {
            let half = low + (high - low) / 2;
            if is_before(half) { low = half } else { high = half }
        }
        high.checked_mul(MICROS_PER_SECOND)
    }
}

/// Microseconds since the epoch of `YYYY-MM-DDThh:mm:ss` read as UTC.
fn local_micros(text: &[u8; 19]) -> Option<i64> {
    let punctuation = text[4] == b'-'
        && text[7] == b'-'
        && matches!(text[10], b'T' | b't' | b' ')
        && text[13] == b':'
        && text[16] == b':';
    if !punctuation {
        return None;
    }
    // A byte that is no digit gives more than nine, and marks the whole as wrong.
    let mut worst = 0;
    let mut two = |position: usize| {
        let tens = text[position].wrapping_sub(b'0');
        let ones = text[position + 1].wrapping_sub(b'0');
        worst = worst.max(tens).max(ones);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let valid = worst <= 9
        && (1..=12).contains(&month)
        && day >= 1
        && day <= days_in_month(year, month)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let days = days_from_civil(i64::from(year), month, day);
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND)
}

/// An offset from UTC (`+02`, `+0200`, `+02:00`) in microseconds.
fn offset_micros(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => ([h1, h2], [&b'0', &b'0']),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([h1, h2], [m1, m2]),
        _ => return None,
    };
    let number = |[tens, ones]: [&u8; 2]| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * MICROS_PER_SECOND)
}

/// The day before, at the earliest 0001-01-01. A zone west of Greenwich has days before it.
pub fn day_before(date: NaiveDate) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default();
    date.checked_sub_days(Days::new(1)).unwrap_or(first).max(first)
}

/// Reads the `Date` header of a reply (RFC 9110 §5.6.7) in any of its three forms, to the second; `None` outside the years 1 to
/// 9999 too.
pub fn http_date(text: &str) -> Option<Timestamp> {
    let older = || {
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|local| local.and_utc())
    };
    let instant =
        DateTime::parse_from_rfc2822(text).ok().map(|instant| instant.with_timezone(&Utc));
    Timestamp::from_micros(instant.or_else(older)?.with_nanosecond(0)?.timestamp_micros())
}

#[cfg(test)]
mod tests;
