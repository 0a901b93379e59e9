//! The object around a list: `{"status": "1", "message": "OK", "customers": [ … ]}`.
//!
//! Its members may come in any order, `status` last included, so nothing in it is believed before its
//! end. Members that are not known are walked over and not kept, however large they are.

use std::io::BufRead;

use super::failure::Fault;
use super::json::{Parser, Stop, Text, Value, Walk};
use super::list::List;
use super::window::Window;
use crate::document::{BYTE_ORDER_MARK, without_mark};

/// How many characters of the server's message are kept: more than is documented and shown, so that a
/// token in it is whole when it is looked for.
const MAX_MESSAGE_CHARS: usize = 4096;

/// How much of the name of a member that is not known is kept, to be shown.
const MAX_NAME_CHARACTERS: usize = 100;

/// What a reply says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// `1`, `"1"` or `true`.
    Success,
    /// `0`, `"0"` or `false`.
    Failure,
    /// Anything else.
    Unknown,
}

/// The envelope of a reply that was read to its end.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// The member `status`.
    pub(crate) status: Option<Status>,
    /// The member `message`, as text.
    pub(crate) message: String,
    /// True if what is in the place of the list is neither a list nor an object nor empty.
    pub(crate) list_is_scalar: bool,
    /// The first member of another name that is a list of objects.
    pub(crate) other_list: Option<String>,
    /// The first member of another name with a list of objects further inside.
    pub(crate) inner_list: Option<String>,
    /// How many members came again under a name that had come before.
    pub(crate) duplicates: u64,
    /// False if reading stopped because the taker had enough.
    pub(crate) is_whole: bool,
    seen: [bool; 3],
}

/// What takes the elements of the list.
pub(crate) trait Elements {
    /// A list begins. What an earlier list under the same name gave is void: the last one counts.
    fn begin(&mut self) -> Result<(), Stop>;

    /// Takes the elements that the parser holds whole.
    ///
    /// # Errors
    /// [`Stop::Short`], with the parser before the first element that is not whole.
    fn take(&mut self, parser: &mut Parser<'_>, list: &mut List) -> Result<(), Stop>;

    /// True if the rest of the reply is not wanted.
    fn has_enough(&self, envelope: &Envelope) -> bool;
}

/// A member of the envelope.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Member {
    Status,
    Message,
    List,
    Other,
}

/// Reads a reply to its end and gives the elements of the member `list` to `elements`.
///
/// # Errors
/// Everything but a whole JSON object in UTF-8 followed by nothing but blanks.
pub(crate) fn read<R: BufRead>(
    window: &mut Window<R>,
    list: &str,
    elements: &mut impl Elements,
) -> Result<Envelope, Fault> {
    open(window)?;
    let mut envelope = Envelope::default();
    let mut is_first = true;
    let mut other = String::new();
    loop {
        let ends = |parser: &mut Parser<'_>| match parser.peek()? {
            b'}' => Ok(true),
            b',' if !is_first => Ok(false),
            _ if is_first => Ok(false),
            _ => Err(parser.malformed("`,` or the end of the object")),
        };
        if token(window, ends)? {
            break;
        }
        let member = token(window, |parser| {
            if !is_first {
                parser.expect(b',', "`,`")?;
            }
            let name = parser.name()?;
            let mut decoded = String::new();
            let name = name.decode(&mut decoded).unwrap_or(name.raw);
            Ok(match name {
                "status" => Member::Status,
                "message" => Member::Message,
                name if name == list => Member::List,
                name => {
                    other = name.chars().take(MAX_NAME_CHARACTERS).collect();
                    Member::Other
                }
            })
        })?;
        is_first = false;
        envelope.note(member);
        match member {
            Member::Status => envelope.status = Some(token(window, status)?),
            Member::Message => envelope.message = token(window, message)?,
            Member::List => {
                envelope.list_is_scalar = !read_list(window, elements, &envelope)?;
            }
            Member::Other => {
                if let Some(depth) = walk(window)? {
                    let Envelope { other_list, inner_list, .. } = &mut envelope;
                    let seen = if depth == 1 { other_list } else { inner_list };
                    seen.get_or_insert_with(|| std::mem::take(&mut other));
                }
            }
        }
        if elements.has_enough(&envelope) {
            return Ok(envelope);
        }
    }
    token(window, |parser| parser.expect(b'}', "the end of the object"))?;
    envelope.is_whole = true;
    end(window)?;
    Ok(envelope)
}

impl Envelope {
    /// Whether the reply has the member that holds the list, whatever is in it.
    pub(crate) fn has_list(&self) -> bool {
        self.seen[Member::List as usize]
    }

    fn note(&mut self, member: Member) {
        if member != Member::Other {
            self.duplicates += u64::from(std::mem::replace(&mut self.seen[member as usize], true));
        }
    }
}

/// Reads the reply's opening brace, or says what the reply is if it is no object.
fn open<R: BufRead>(window: &mut Window<R>) -> Result<(), Fault> {
    match window.fill() {
        // A page in another encoding is a page before it is a fault of encoding.
        Err(Fault::NotUtf8 { .. }) if !begins_as_object(window.excerpt()) => {
            return Err(Fault::NotJson);
        }
        filled => filled?,
    }
    if window.text().as_bytes().starts_with(BYTE_ORDER_MARK) {
        window.consume(BYTE_ORDER_MARK.len());
    }
    if token(window, |parser| parser.peek())? == b'{' {
        return token(window, |parser| parser.expect(b'{', "an object"));
    }
    // A number at the end of the reply has nothing after it that would end it.
    let is_number = is_number(window.text());
    let begins_with_number = window
        .text()
        .trim_start()
        .starts_with(|first: char| first == '-' || first.is_ascii_digit());
    Err(match walk(window).and_then(|_| end(window)) {
        Ok(()) => Fault::NotAnObject,
        // Text often begins with a number.
        Err(Fault::MoreThanOneValue { .. }) if !begins_with_number => Fault::NotAnObject,
        Err(fault @ Fault::Download(_)) => fault,
        Err(Fault::Cut { .. }) if is_number => Fault::NotAnObject,
        Err(_) => Fault::NotJson,
    })
}

fn begins_as_object(excerpt: &[u8]) -> bool {
    without_mark(excerpt).trim_ascii_start().first() == Some(&b'{')
}

fn is_number(text: &str) -> bool {
    let ended = format!("{text} ");
    matches!(Parser::new(&ended).value(), Ok(Value::Number(number)) if number == text.trim())
}

/// Runs a parse that fits into the window, with more of the reply until it does.
fn token<R: BufRead, T>(
    window: &mut Window<R>,
    mut parse: impl FnMut(&mut Parser<'_>) -> Result<T, Stop>,
) -> Result<T, Fault> {
    loop {
        let mut parser = Parser::new(window.text());
        match parse(&mut parser) {
            Ok(value) => {
                let read = parser.position();
                window.consume(read);
                return Ok(value);
            }
            Err(Stop::Short) => grow(window)?,
            Err(stop) => return Err(fault(stop, window.position())),
        }
    }
}

/// Reads on: a piece, and for a long token an eighth of what it has already, since it is parsed from its beginning again.
fn grow<R: BufRead>(window: &mut Window<R>) -> Result<(), Fault> {
    const LONG_TOKEN_BYTES: usize = 4096;
    let before = window.text().len();
    let wanted = before + before.saturating_sub(LONG_TOKEN_BYTES) / 8;
    window.fill()?;
    while window.text().len() < wanted {
        match window.fill() {
            // The token may be whole now.
            Err(Fault::Cut { .. }) => return Ok(()),
            filled => filled?,
        }
    }
    Ok(())
}

/// Runs a parse that keeps its own place and reads on with more of the reply.
fn resume<R: BufRead>(
    window: &mut Window<R>,
    mut parse: impl FnMut(&mut Parser<'_>) -> Result<(), Stop>,
) -> Result<(), Fault> {
    loop {
        let mut parser = Parser::new(window.text());
        let parsed = parse(&mut parser);
        let (read, position) = (parser.position(), window.position());
        window.consume(read);
        match parsed {
            Ok(()) => return Ok(()),
            Err(Stop::Short) => window.fill()?,
            Err(stop) => return Err(fault(stop, position)),
        }
    }
}

fn fault(stop: Stop, position: u64) -> Fault {
    let in_reply = |at: usize| position + at as u64;
    match stop {
        Stop::Short => Fault::Cut { after: position },
        Stop::Malformed { at, expected } => Fault::Malformed { at: in_reply(at), expected },
        Stop::TooDeep { at } => Fault::TooDeep { at: in_reply(at) },
        Stop::TooManyMembers { at } => Fault::TooManyMembers { at: in_reply(at) },
        Stop::Failed(error) => Fault::Failed(*error),
    }
}

/// Walks over a value. The depth of the first list in it whose first element is an object: 1 for the value itself.
fn walk<R: BufRead>(window: &mut Window<R>) -> Result<Option<u32>, Fault> {
    let mut walk = Walk::new();
    let mut list = None;
    resume(window, |parser| {
        loop {
            if list.is_none()
                && let Some(depth) = walk.begins_list()
                && parser.peek()? == b'{'
            {
                list = Some(depth);
            }
            if walk.step(parser)? {
                return Ok(());
            }
        }
    })?;
    Ok(list)
}

/// Reads what is in the place of the list. False if it is a scalar; null and empty text are no list at all.
fn read_list<R: BufRead>(
    window: &mut Window<R>,
    elements: &mut impl Elements,
    envelope: &Envelope,
) -> Result<bool, Fault> {
    let first = token(window, |parser| parser.peek())?;
    elements.begin().map_err(|stop| fault(stop, window.position()))?;
    if !matches!(first, b'[' | b'{') {
        return token(window, |parser| {
            let value = parser.value()?;
            Ok(matches!(value, Value::Null | Value::Text(Text { raw: "", .. })))
        });
    }
    let mut list = List::new(first == b'[');
    if list.is_array() {
        token(window, |parser| parser.expect(b'[', "a list"))?;
    }
    let read = resume(window, |parser| match elements.take(parser, &mut list) {
        // Enough is enough wherever the window ends.
        Err(Stop::Short) if elements.has_enough(envelope) => Ok(()),
        taken => taken,
    });
    read.map(|()| true)
}

/// Proves that nothing but blanks follows.
fn end<R: BufRead>(window: &mut Window<R>) -> Result<(), Fault> {
    loop {
        let at = window.text().bytes().position(|byte| !b" \n\r\t".contains(&byte));
        if let Some(at) = at {
            let at_reply = window.position() + at as u64;
            window.consume(at);
            return Err(match walk(window) {
                Ok(_) | Err(Fault::TooDeep { .. } | Fault::Cut { .. }) => {
                    Fault::MoreThanOneValue { at: at_reply }
                }
                Err(_) => Fault::Malformed { at: at_reply, expected: "the end of the reply" },
            });
        }
        window.consume(window.text().len());
        match window.fill() {
            Ok(()) => {}
            Err(Fault::Cut { .. }) => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
}

fn status(parser: &mut Parser<'_>) -> Result<Status, Stop> {
    Ok(match parser.value()? {
        Value::Number("1") | Value::Boolean(true) => Status::Success,
        Value::Number("0") | Value::Boolean(false) => Status::Failure,
        Value::Text(text) => match text.decode(&mut String::new()) {
            Some("1") => Status::Success,
            Some("0") => Status::Failure,
            _ => Status::Unknown,
        },
        _ => Status::Unknown,
    })
}

fn message(parser: &mut Parser<'_>) -> Result<String, Stop> {
    let mut decoded = String::new();
    let message = match parser.value()? {
        Value::Null => "",
        Value::Text(text) => text.decode(&mut decoded).unwrap_or(text.raw),
        Value::Boolean(true) => "true",
        Value::Boolean(false) => "false",
        Value::Number(raw) | Value::Nested(raw) => raw,
    };
    Ok(message.chars().take(MAX_MESSAGE_CHARS).collect())
}

#[cfg(test)]
mod ahead;
#[cfg(test)]
mod tests;
