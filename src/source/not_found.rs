//! Failures that are none: some methods of the API say in a message that a list is empty.

/// Whether a message says that nothing was found, which some methods of the API call a failure:
/// `Customers not found`, `No customers were found`, the same of records and results, in any case, and
/// whatever follows.
///
/// `list` and `record` are what the method calls many and one of what it lists.
pub(crate) fn says_not_found(message: &str, list: &str, record: &str) -> bool {
    let message = message.to_lowercase();
    let mut words = message.split_whitespace();
    let mut next = || words.next().unwrap_or_default();
    let names = [list, record, "records", "record", "results", "result"];
    let is_name = |word: &str| names.iter().any(|name| name.eq_ignore_ascii_case(word));
    let mut word = next();
    let is_no = word == "no";
    if is_no {
        word = next();
    }
    if !is_name(word) {
        return false;
    }
    word = next();
    if word == "were" {
        word = next();
    }
    if is_no {
        return word.starts_with("found");
    }
    word == "not" && next().starts_with("found")
}
