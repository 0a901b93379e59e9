//! Where a JSON string has to be looked at more closely, and what is written there.

const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from the start are neither a quote nor a backslash nor a control character: what may
/// be in a JSON string as it is (RFC 8259 §7). Eight are looked at together; strings here are too
/// short for a library's search to pay.
///
/// ```
/// use kometsales::model::escape::plain_prefix;
/// assert_eq!(plain_prefix("Flores “SAS” \"é\"".as_bytes()), 17);
/// ```
#[inline(always)]
pub fn plain_prefix(bytes: &[u8]) -> usize {
    // The lowest marked byte of each term is one that is meant; only bytes above it may be marked
    // without being meant, so the lowest of all is right.
    let is_zero = |word: u64| word.wrapping_sub(EVERY_BYTE) & !word;
    let mut plain = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let marked = (is_zero(word ^ (EVERY_BYTE * b'"' as u64))
            | is_zero(word ^ (EVERY_BYTE * b'\\' as u64))
            | (word.wrapping_sub(EVERY_BYTE * 0x20) & !word))
            & HIGH_BITS;
        if marked != 0 {
            return plain + marked.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    plain + rest.iter().take_while(|&&byte| byte != b'"' && byte != b'\\' && byte >= 0x20).count()
}

/// Adds a text as it is written between the quotes of a JSON string.
///
/// ```
/// let mut json = Vec::new();
/// kometsales::model::escape::escape("A \"B\" é\n", &mut json);
/// assert_eq!(json, r#"A \"B\" é\n"#.as_bytes());
/// ```
#[inline]
pub fn escape(text: &str, json: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        json.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        escape_byte(byte, json);
        rest = after;
    }
}

fn escape_byte(byte: u8, json: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            json.extend_from_slice(b"\\u00");
            json.push(HEXADECIMAL[usize::from(byte >> 4)]);
            json.push(HEXADECIMAL[usize::from(byte & 15)]);
            return;
        }
    };
    json.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_stops_where_a_byte_by_byte_search_stops(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let expected =
                bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain_prefix(&bytes), expected.unwrap_or(bytes.len()));
        }
    }
}
