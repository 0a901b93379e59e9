//! A customer as JSON, in the documented form. Written by hand into one buffer, because benches and
//! long lists want several hundred megabytes a second of it.

use super::customer::Customer;

/// Adds a customer's record, fields in the order of the documented sample.
pub(super) fn write_record(buffer: &mut Vec<u8>, customer: &Customer) {
    buffer.extend_from_slice(b"{\"id\":\"");
    write_number(buffer, customer.id);
    buffer.push(b'"');
    if let Some(code) = customer.accounting_code {
        buffer.extend_from_slice(b",\"accountingCode\":\"ACC");
        write_number(buffer, u64::from(code));
        buffer.push(b'"');
    }
    buffer.extend_from_slice(b",\"customerType\":");
    write_text(buffer, customer.customer_type);
    if let Some((_, name)) = customer.sales_person {
        buffer.extend_from_slice(b",\"salesPerson\":");
        write_text(buffer, name);
    }
    buffer.extend_from_slice(b",\"name\":");
    write_text(buffer, &customer.name);
    if let Some((id, _)) = customer.sales_person {
        buffer.extend_from_slice(b",\"salesPersonId\":");
        write_number(buffer, u64::from(id));
    }
    buffer.extend_from_slice(if customer.active {
        b",\"active\":\"1\""
    } else {
        b",\"active\":\"0\""
    });
    buffer.extend_from_slice(b",\"code\":");
    write_text(buffer, &customer.code);
    buffer.extend_from_slice(b",\"updatedOn\":\"");
    write_time(buffer, customer.updated_on, b'T');
    buffer.extend_from_slice(b"\"}");
}

/// Adds a text as a JSON string.
pub(super) fn write_text(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().any(escaped) {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
                0..b' ' => buffer.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => buffer.push(byte),
            }
        }
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
    buffer.push(b'"');
}

/// Adds a number in decimal digits.
pub(super) fn write_number(buffer: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[first..]);
}

/// Adds a time as `2017-08-02T12:15:17`, with `between` for the `T`; `seconds` are since 1970 and
/// from the years 1970 to 9999.
pub(super) fn write_time(buffer: &mut Vec<u8>, seconds: i64, between: u8) {
    let (year, month, day) = date_of(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let two = |number: i64| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
    let [[y1, y2], [y3, y4]] = [two(year / 100), two(year % 100)];
    let [[o1, o2], [d1, d2]] = [two(month), two(day)];
    let [[h1, h2], [m1, m2], [s1, s2]] =
        [two(of_day / 3600), two(of_day / 60 % 60), two(of_day % 60)];
    buffer.extend_from_slice(&[
        y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, between, h1, h2, b':', m1, m2, b':', s1, s2,
    ]);
}

/// Year, month and day of a day counted from 1970-01-01. The year is taken to begin in March, so
/// that the leap day is its last (Howard Hinnant's `civil_from_days`).
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
