//! What the requests of S3 and of Google Cloud Storage's XML API mean, and how they are answered.

use super::listing::{Page, Selection};
use super::objects::{Condition, Object, Objects};
use super::reply::{Refusal, Reply};
use super::request::Request;
use super::{date, xml};

/// How the store treats requests.
pub(super) struct Manners {
    pub(super) ignores_conditions: bool,
    pub(super) page_size: Option<usize>,
}

/// The most entries in a page, in both dialects.
const LARGEST_PAGE: usize = 1000;

/// The parameters with which a bucket is listed.
const LIST: &[&str] =
    &["list-type", "prefix", "delimiter", "continuation-token", "start-after", "max-keys"];

/// Headers that would change what a request means, and that are not spoken.
const UNSPOKEN: &[&str] = &["x-amz-copy-source", "x-goog-copy-source", "if-modified-since"];

/// Headers that make a request conditional.
const CONDITIONS: &[&str] = &["if-match", "if-none-match", "x-goog-if-generation-match"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    S3,
    Gcs,
}

impl Dialect {
    /// S3's clients sign what they ask. Google's say nothing of themselves when they read, if their
    /// token is empty, as it is with `disable_oauth`.
    fn of(request: &Request) -> Self {
        let signs = request.header("authorization").is_some_and(|it| it.starts_with("AWS4-"));
        if signs || request.has_header_like("x-amz-") { Self::S3 } else { Self::Gcs }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::S3 => "http://s3.amazonaws.com/doc/2006-03-01/",
            Self::Gcs => "http://doc.s3.amazonaws.com/2006-03-01",
        }
    }

    /// What has to hold for a write.
    fn condition(self, request: &Request) -> Result<Condition, Refusal> {
        let generation = request.header("x-goog-if-generation-match");
        let (some, none) = (request.header("if-match"), request.header("if-none-match"));
        match (self, generation, some, none) {
            (_, None, None, None) => Ok(Condition::None),
            (Self::S3, None, None, Some("*")) => Ok(Condition::Absent),
            (Self::S3, None, Some(etag), None) => Ok(Condition::Etag(etag.to_owned())),
            (Self::Gcs, Some("0"), None, None) => Ok(Condition::Absent),
            (Self::Gcs, Some(number), None, None) => {
                number.parse().map(Condition::Generation).map_err(|_| Refusal::NOT_SPOKEN)
            }
            _ => Err(Refusal::NOT_SPOKEN),
        }
    }

    /// The headers by which clients tell the versions of an object apart.
    fn version(self, reply: Reply, object: &Object) -> Reply {
        let reply = reply.with("ETag", object.etag.as_str());
        match self {
            Self::S3 => reply,
            Self::Gcs => reply.with("x-goog-generation", object.generation.to_string()),
        }
    }

    fn document(self, name: &str, content: &str) -> Reply {
        Reply::xml(200, xml::document(name, self.namespace(), content))
    }
}

/// Does what a request asks.
pub(super) fn answer(objects: &mut Objects, request: &Request, manners: &Manners) -> Reply {
    applied(objects, request, manners).unwrap_or_else(Reply::from)
}

fn applied(objects: &mut Objects, request: &Request, manners: &Manners) -> Result<Reply, Refusal> {
    let (bucket, key) = (&request.bucket, &request.line.key);
    let dialect = Dialect::of(request);
    let names: Vec<&str> = request.query.iter().map(|(name, _)| name.as_str()).collect();
    let upload = request.parameter("uploadId").unwrap_or_default();
    let is_write = matches!(
        (request.line.method.as_str(), names.as_slice()),
        ("PUT", []) | ("POST", ["uploadId"])
    );
    let is_conditional = CONDITIONS.iter().any(|name| request.header(name).is_some());
    let is_spoken = !UNSPOKEN.iter().any(|name| request.header(name).is_some());
    if bucket.is_empty() || !is_spoken || (is_conditional && !is_write) {
        return Err(Refusal::NOT_SPOKEN);
    }
    let condition = match manners.ignores_conditions {
        true => Condition::None,
        false => dialect.condition(request)?,
    };
    match (request.line.method.as_str(), !key.is_empty(), names.as_slice()) {
        ("GET" | "HEAD", true, []) => read(objects, request, dialect),
        ("PUT", true, []) => {
            let object = objects.put(bucket, key, request.body.clone(), &condition)?;
            Ok(dialect.version(Reply::new(200), object))
        }
        ("DELETE", true, []) => match (objects.delete(bucket, key), dialect) {
            (false, Dialect::Gcs) => Err(Refusal::NO_SUCH_KEY),
            // S3 does not say whether there was anything.
            _ => Ok(Reply::new(204)),
        },
        ("POST", true, ["uploads"]) => {
            let name = xml::element("UploadId", &objects.create_upload(bucket, key));
            Ok(dialect.document("InitiateMultipartUploadResult", &(place(request) + &name)))
        }
        ("PUT", true, ["partNumber", "uploadId"]) => {
            let number = request.parameter("partNumber").unwrap_or_default();
            let number = number.parse().map_err(|_| Refusal::INVALID_PART)?;
            let etag = objects.put_part(upload, number, request.body.clone())?;
            Ok(Reply::new(200).with("ETag", etag))
        }
        ("POST", true, ["uploadId"]) => {
            let object = objects.complete_upload(upload, &parts(request)?, &condition)?;
            let content = place(request) + &xml::element("ETag", &object.etag);
            let reply = dialect.document("CompleteMultipartUploadResult", &content);
            Ok(dialect.version(reply, object))
        }
        ("DELETE", true, ["uploadId"]) => {
            objects.abort_upload(upload)?;
            Ok(Reply::new(204))
        }
        ("POST", false, ["delete"]) if dialect == Dialect::S3 => {
            Ok(delete_all(objects, request, dialect))
        }
        ("GET", false, names) if names.iter().all(|name| LIST.contains(name)) => {
            list(objects, request, dialect, manners)
        }
        _ => Err(Refusal::NOT_SPOKEN),
    }
}

/// The elements that say which object it is about.
fn place(request: &Request) -> String {
    xml::element("Bucket", &request.bucket) + &xml::element("Key", &request.line.key)
}

fn read(objects: &Objects, request: &Request, dialect: Dialect) -> Result<Reply, Refusal> {
    let object = objects.get(&request.bucket, &request.line.key).ok_or(Refusal::NO_SUCH_KEY)?;
    let length = object.bytes.len();
    let reply = match request.header("range") {
        None => Reply::new(200).with_body(object.bytes.clone()),
        Some(range) => {
            let (start, end) = range_of(range, length).ok_or(Refusal::INVALID_RANGE)?;
            let part = object.bytes[start..end].to_vec();
            let range = format!("bytes {start}-{}/{length}", end - 1);
            Reply::new(206).with("Content-Range", range).with_body(part)
        }
    };
    let reply = reply.with("Content-Type", "application/octet-stream");
    let reply = reply.with("Last-Modified", date::in_header(object.modified));
    Ok(dialect.version(reply.with("Accept-Ranges", "bytes"), object))
}

/// The first byte and the one after the last: of `bytes=2-5`, `bytes=2-` and `bytes=-4`.
fn range_of(header: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", count) => (length.saturating_sub(count.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (first.parse().ok()?, length.min(last.parse::<usize>().ok()? + 1)),
    };
    (start < end).then_some((start, end))
}

/// The numbers and ETags with which an upload is to be completed.
fn parts(request: &Request) -> Result<Vec<(u32, String)>, Refusal> {
    let text = request.text();
    let part = |part: &str| {
        let number = xml::texts(part, "PartNumber").pop()?.parse().ok()?;
        Some((number, xml::texts(part, "ETag").pop()?))
    };
    let parts = xml::contents(&text, "Part").into_iter().map(part);
    parts.map(|part| part.ok_or(Refusal::INVALID_PART)).collect()
}

fn delete_all(objects: &mut Objects, request: &Request, dialect: Dialect) -> Reply {
    let mut content = String::new();
    for key in request.keys_to_delete() {
        objects.delete(&request.bucket, &key);
        content += &format!("<Deleted>{}</Deleted>", xml::element("Key", &key));
    }
    dialect.document("DeleteResult", &content)
}

fn list(
    objects: &Objects,
    request: &Request,
    dialect: Dialect,
    manners: &Manners,
) -> Result<Reply, Refusal> {
    if request.parameter("list-type") != Some("2") {
        return Err(Refusal::NOT_SPOKEN);
    }
    let asked = request.parameter("max-keys").map(str::parse::<usize>).transpose();
    let asked = asked.map_err(|_| Refusal::NOT_SPOKEN)?.unwrap_or(LARGEST_PAGE);
    let page_size = asked.min(manners.page_size.unwrap_or(LARGEST_PAGE)).min(LARGEST_PAGE);
    let prefix = request.parameter("prefix").unwrap_or_default();
    let selection = Selection {
        bucket: &request.bucket,
        prefix,
        delimiter: request.parameter("delimiter"),
        start_after: request.parameter("start-after").unwrap_or_default(),
        token: request.parameter("continuation-token"),
        page_size,
    };
    let page = Page::of(objects, &selection);
    let mut content = xml::element("Name", &request.bucket) + &xml::element("Prefix", prefix);
    content += &xml::element("KeyCount", &page.count().to_string());
    content += &xml::element("MaxKeys", &page_size.to_string());
    content += &xml::element("IsTruncated", &page.next.is_some().to_string());
    content += &page.next.map_or_else(String::new, |it| xml::element("NextContinuationToken", &it));
    content.extend(page.objects.iter().map(|(key, object)| listed(key, object, dialect)));
    for prefix in page.prefixes {
        let prefix = xml::element("Prefix", prefix);
        content += &format!("<CommonPrefixes>{prefix}</CommonPrefixes>");
    }
    Ok(dialect.document("ListBucketResult", &content))
}

fn listed(key: &str, object: &Object, dialect: Dialect) -> String {
    let mut content = xml::element("Key", key);
    content += &xml::element("LastModified", &date::in_xml(object.modified));
    content += &xml::element("ETag", &object.etag);
    content += &xml::element("Size", &object.bytes.len().to_string());
    if dialect == Dialect::Gcs {
        content += &xml::element("Generation", &object.generation.to_string());
    }
    format!("<Contents>{content}</Contents>")
}
