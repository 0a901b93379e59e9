//! Just enough of Rust's grammar to see what a source file uses.

/// The source without comments, without what stands in literals, and without what only tests have.
/// Every line stays where it is.
pub(crate) fn code(source: &str) -> String {
    without_tests(&without_text(source))
}

/// Blanks comments and the contents of literals.
fn without_text(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let end = match end_of_text(&characters, at) {
            Some(end) => end,
            None => {
                code.push(characters[at]);
                at += 1;
                continue;
            }
        };
        code.extend(characters[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// Where the comment or the literal ends that begins here; `None` where none does.
fn end_of_text(characters: &[char], at: usize) -> Option<usize> {
    let begins =
        |text: &str| text.chars().enumerate().all(|(i, c)| characters.get(at + i) == Some(&c));
    let after = |from: usize, end: &str| {
        let end: Vec<char> = end.chars().collect();
        let found = characters[from..].windows(end.len()).position(|window| window == end);
        found.map_or(characters.len(), |position| from + position + end.len())
    };
    if begins("//") {
        return Some(after(at, "\n") - 1);
    }
    if begins("/*") {
        return Some(after(at + 2, "*/"));
    }
    let previous = at.checked_sub(1).map(|before| characters[before]);
    let in_word = previous.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = ["r\"", "r#", "br\"", "br#", "cr\"", "cr#"];
    if !in_word && raw.iter().any(|start| begins(start)) {
        let quote = at + characters[at..].iter().position(|c| *c == '"')?;
        let hashes = characters[at..quote].iter().filter(|c| **c == '#').count();
        return Some(after(quote + 1, &format!("\"{}", "#".repeat(hashes))));
    }
    if begins("\"") {
        let mut end = at + 1;
        while end < characters.len() && characters[end] != '"' {
            end += if characters[end] == '\\' { 2 } else { 1 };
        }
        return Some((end + 1).min(characters.len()));
    }
    if begins("'\\") {
        return Some(after(at + 3, "'"));
    }
    // A quote with another one two places on is a character, and otherwise a lifetime.
    (begins("'") && characters.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

/// Blanks what stands under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let (before, marked) = rest.split_at(start);
        kept.push_str(before);
        let end = end_of_item(marked);
        kept.extend(marked[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &marked[end..];
    }
    kept + rest
}

/// Where the item that begins here ends: at its `;` or at the brace that closes it.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

/// The lines, from 1 on, on which a word or a path stands: `tokio`, `std::env`.
pub(crate) fn lines_with(code: &str, path: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let stands = |line: &str| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + path.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    (1..).zip(code.lines()).filter(|(_, line)| stands(line)).map(|(number, _)| number).collect()
}

/// The modules at the root of the crate that the code names, each with its line. The code itself is
/// `depth` modules below the root, so that as many `super` lead there.
pub(crate) fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut imports = names_under(code, "crate::");
    if depth > 0 {
        imports.extend(names_under(code, &"super::".repeat(depth)));
    }
    imports.sort();
    imports
}

/// What the code names under a path that ends in `::`, each with its line: `std::` gives `fmt` for
/// `std::fmt::Write`.
pub(crate) fn names_under(code: &str, path: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(path) {
        let (before, after) = (&code[..at], &code[at + path.len()..]);
        let is_other = before.ends_with("::") || before.ends_with(|c: char| c.is_alphanumeric());
        if is_other || after.starts_with("super::") {
            continue;
        }
        let line = 1 + before.matches('\n').count();
        names.extend(first_names(after).into_iter().map(|name| (line, name)));
    }
    names
}

/// The name that a path goes on with, or the names of a group: `a::b` gives `a`, `{a::b, c}` gives both.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
