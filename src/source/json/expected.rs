//! A short text that is expected again and again, compared a word at a time and in place.

/// Words of eight bytes that are compared together.
const WORDS: usize = 3;

/// Bytes in them.
const BYTES: usize = WORDS * 8;

/// A text that is compared with what is next. One of at most 24 bytes takes three words of whatever is there.
#[derive(Debug)]
pub(crate) struct Expected {
    text: String,
    words: [u64; WORDS],
    /// The bytes of each word that count.
    masks: [u64; WORDS],
}

impl Expected {
    pub(crate) fn new(text: String) -> Self {
        let (mut words, mut masks) = ([0; WORDS], [0; WORDS]);
        for (at, byte) in text.bytes().enumerate().take(BYTES) {
            words[at / 8] |= u64::from(byte) << (at % 8 * 8);
            masks[at / 8] |= 0xFF << (at % 8 * 8);
        }
        Self { text, words, masks }
    }

    /// How many bytes of a text it takes, if the text begins with it.
    #[inline(always)]
    pub(super) fn prefix_of(&self, bytes: &[u8]) -> Option<usize> {
        let length = self.text.len();
        let begins = match bytes.first_chunk::<BYTES>() {
            Some(chunk) if length <= BYTES => {
                let (chunks, _) = chunk.as_chunks::<8>();
                let words = chunks.iter().map(|word| u64::from_le_bytes(*word));
                let own = self.words.iter().zip(&self.masks);
                let differing = words.zip(own).map(|(word, (own, mask))| (word ^ own) & mask);
                differing.fold(0, |all, one| all | one) == 0
            }
            _ => bytes.starts_with(self.text.as_bytes()),
        };
        begins.then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_where_a_search_byte_by_byte_finds_it() {
        for length in 0..40 {
            let text: String = (0..length).map(|at| char::from(b'a' + at % 26)).collect();
            let expected = Expected::new(text.clone());
            for after in [0, 1, 23, 24, 50] {
                let whole = text.clone() + &"z".repeat(after);
                assert_eq!(expected.prefix_of(whole.as_bytes()), Some(text.len()));
                for wrong in 0..text.len() {
                    let mut bytes = whole.clone().into_bytes();
                    bytes[wrong] ^= 0x80;
                    assert_eq!(expected.prefix_of(&bytes), None, "{text}, {wrong}");
                }
                let cut = text.len().saturating_sub(1);
                assert_eq!(expected.prefix_of(&whole.as_bytes()[..cut]).is_some(), length == 0);
            }
        }
    }
}
