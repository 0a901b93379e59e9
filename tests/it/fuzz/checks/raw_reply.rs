//! A naive reader of HTTP/1.1, which says nothing of what is not plain: RFC 9112 leaves much of that to whoever reads it.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// A head that is longer, or has more fields, is not plain.
const MAX_HEAD: usize = 8192;
const MAX_FIELDS: usize = 60;

/// More is not decompressed.
const MAX_BODY: u64 = 1 << 20;

/// What all that a server sent is.
#[derive(Debug, PartialEq)]
pub enum Raw {
    /// A reply, whole, with its body decompressed.
    Whole {
        /// Its status.
        status: u16,
        /// Its body.
        body: Vec<u8>,
    },
    /// The beginning of one.
    Cut,
    /// Something that is not plain.
    Unsure,
}

/// What a server's bytes are.
pub fn read(bytes: &[u8]) -> Raw {
    whole(bytes).unwrap_or_else(|raw| raw)
}

/// The fields of a head by name, in lower case.
struct Head<'a> {
    status: u16,
    fields: Vec<(String, &'a str)>,
}

impl Head<'_> {
    /// The one field of a name.
    fn field(&self, name: &str) -> Result<Option<&str>, Raw> {
        let mut values = self.fields.iter().filter(|field| field.0 == name).map(|field| field.1);
        let value = values.next();
        if values.next().is_some() { Err(Raw::Unsure) } else { Ok(value) }
    }
}

fn whole(bytes: &[u8]) -> Result<Raw, Raw> {
    let mut rest = bytes;
    let head = loop {
        let (head, behind) = head(rest)?;
        rest = behind;
        match head.status {
            100 | 103 => {}
            200..=203 | 300..=303 | 400..=599 => break head,
            _ => return Err(Raw::Unsure),
        }
    };
    let encoding = head.field("content-encoding")?.map(str::to_ascii_lowercase);
    let body = match (head.field("transfer-encoding")?, head.field("content-length")?) {
        (None, None) => rest.to_vec(),
        (None, Some(length)) => {
            let is_plain =
                (1..=8).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
            let length: usize =
                Some(length).filter(|_| is_plain).ok_or(Raw::Unsure)?.parse().unwrap();
            rest.get(..length).ok_or(Raw::Cut)?.to_vec()
        }
        (Some("chunked"), None) => chunks(rest)?,
        _ => return Err(Raw::Unsure),
    };
    let body = match encoding.as_deref() {
        None | Some("identity") => body,
        Some("gzip") if !body.is_empty() => {
            let mut plain = Vec::new();
            let read = MultiGzDecoder::new(&body[..]).take(MAX_BODY).read_to_end(&mut plain);
            read.map_err(|_| Raw::Unsure)?;
            plain
        }
        Some(_) => return Err(Raw::Unsure),
    };
    Ok(Raw::Whole { status: head.status, body })
}

/// The first head, and what is behind it.
fn head(bytes: &[u8]) -> Result<(Head<'_>, &[u8]), Raw> {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n');
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let is_cut = bytes.iter().all(is_plain) && bytes.len() < MAX_HEAD;
        return Err(if is_cut { Raw::Cut } else { Raw::Unsure });
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Raw::Unsure)?;
    if !text.bytes().all(|byte| is_plain(&byte)) || end > MAX_HEAD {
        return Err(Raw::Unsure);
    }
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.strip_prefix("HTTP/1.1 ").ok_or(Raw::Unsure)?;
    let (status, reason) = status.split_at_checked(3).ok_or(Raw::Unsure)?;
    let is_status = status.bytes().all(|byte| byte.is_ascii_digit());
    if !is_status || !reason.starts_with(' ') || reason.contains(['\r', '\n']) {
        return Err(Raw::Unsure);
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or(Raw::Unsure)?;
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_name || value.contains(['\r', '\n']) || value.trim() != value || value.is_empty() {
            return Err(Raw::Unsure);
        }
        fields.push((name.to_ascii_lowercase(), value));
    }
    if fields.len() > MAX_FIELDS {
        return Err(Raw::Unsure);
    }
    Ok((Head { status: status.parse().unwrap(), fields }, &bytes[end + 4..]))
}

/// The content of chunks without extensions and trailers.
fn chunks(mut bytes: &[u8]) -> Result<Vec<u8>, Raw> {
    let mut content = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n");
        let line = &bytes[..end.unwrap_or(bytes.len())];
        let is_size = line.len() <= 7 && line.iter().all(u8::is_ascii_hexdigit);
        let Some(end) = end else { return Err(if is_size { Raw::Cut } else { Raw::Unsure }) };
        if !is_size || end == 0 {
            return Err(Raw::Unsure);
        }
        let size = usize::from_str_radix(std::str::from_utf8(line).unwrap(), 16).unwrap();
        bytes = &bytes[end + 2..];
        let chunk = bytes.get(..size).ok_or(Raw::Cut)?;
        content.extend_from_slice(chunk);
        bytes = &bytes[size..];
        match bytes {
            [b'\r', b'\n', behind @ ..] if size > 0 => bytes = behind,
            [b'\r', b'\n', ..] => return Ok(content),
            [] | [b'\r'] => return Err(Raw::Cut),
            _ => return Err(Raw::Unsure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_read_and_what_is_not_is_left_alone() {
        let whole = |body: &str| Raw::Whole { status: 200, body: body.into() };
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nabc", whole("abc")),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", whole("")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", whole("ab")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", Raw::Cut),
            ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", Raw::Unsure),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc", Raw::Unsure),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                whole("abc"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n",
                Raw::Cut,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab", Raw::Unsure),
            ("HTTP/1.1 200 OK\r\nA: b", Raw::Cut),
            ("HTTP/1.1 200 OK\nA: b\r\n\r\n", Raw::Unsure),
        ] {
            assert_eq!(read(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
