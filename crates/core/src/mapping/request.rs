//! How does a filled mapping become one HTTP request? Nothing that a person wrote ends up in its address.

use std::fmt;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use url::Url;

use super::action::{Body, Encoding, Mapped};
use super::filter::{Filter, Piece, url_encoded};
use super::template::{Scope, Template, Unfilled};
use super::value::{Datum, scalar};
use crate::transport::HttpRequest;

/// Why there is no request: told before anything is sent. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    #[error(transparent)]
    Unfilled(#[from] Unfilled),
    #[error("its path is not known")]
    NoPath,
    #[error("what fills its path would lead elsewhere")]
    Leaves,
    #[error("the header `{0}` cannot hold this value")]
    Header(HeaderName),
    #[error("the field `{0}` is a list or a table, which this encoding cannot write")]
    Field(String),
    #[error("a file can only be sent with `encoding = \"multipart\"` or \"raw\", or as `|b64` or `|hex`")]
    Bytes,
}

/// What belongs to the account rather than to the action.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) base: &'a Url,
    pub(super) headers: &'a [(HeaderName, Template)],
    /// Between the parts of a multipart body: nobody can guess it.
    pub(super) boundary: u128,
}

/// The request.
pub(super) fn write(
    mapped: &Mapped,
    scope: &dyn Scope,
    around: Around<'_>,
    timeout: Duration,
) -> Result<HttpRequest, Unwritable> {
    let mut url = address(mapped, scope, around.base)?;
    let mut headers = HeaderMap::new();
    let body = mapped.body.as_ref().map(|body| fill(body, scope)).transpose()?.flatten();
    let (content_type, body) = written(mapped, body, scope, &mut url, around.boundary)?;
    if let Some(content_type) = content_type {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::try_from(content_type).map_err(|_invalid| Unwritable::Header(CONTENT_TYPE))?,
        );
    }
    for (name, template) in around.headers.iter().chain(&mapped.headers) {
        if let Some(value) = template.fill_text(scope, |text, _| text)? {
            headers.insert(name, header(name, &value)?);
        }
    }
    Ok(HttpRequest { method: mapped.method.clone(), url, headers, body, timeout })
}

fn address(mapped: &Mapped, scope: &dyn Scope, base: &Url) -> Result<Url, Unwritable> {
    let template = mapped.path.as_ref().ok_or(Unwritable::NoPath)?;
    // A value is one piece of the path or of the query: what would end the piece is written as %XX.
    let escape = |text: String, hole: &super::template::Hole| match hole.filters.last() {
        Some(Filter::UrlEnc) => text,
        _ => url_encoded(&text),
    };
    let path = template.fill_text(scope, escape)?.ok_or(Unwritable::NoPath)?;
    let (whole, plain) = match path.starts_with('/') {
        true => {
            let base = base.as_str().split(['?', '#']).next().unwrap_or_default();
            (format!("{}{path}", base.trim_end_matches('/')), path.as_str())
        }
        false => (path.clone(), path.split_once("://").map_or("", |(_, rest)| rest)),
    };
    let segments = plain.split('?').next().unwrap_or_default().split('/');
    if segments.into_iter().any(|part| matches!(part, "." | "..")) {
        return Err(Unwritable::Leaves);
    }
    let url = Url::parse(&whole).map_err(|_not_quoted| Unwritable::Leaves)?;
    if path.starts_with('/') && url.origin() != base.origin() {
        return Err(Unwritable::Leaves);
    }
    Ok(url)
}

fn header(name: &HeaderName, value: &str) -> Result<HeaderValue, Unwritable> {
    // Without CR and LF, or a value would write headers of its own.
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_not_quoted| Unwritable::Header(name.clone()))
}

/// A body with its places filled.
enum Filled {
    Piece(Piece),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

fn fill(body: &Body, scope: &dyn Scope) -> Result<Option<Filled>, Unwritable> {
    Ok(Some(match body {
        Body::Fixed(value) => Filled::Piece(Piece::Json(value.clone())),
        Body::Text(template) => match template.fill(scope)? {
            Some(piece) => Filled::Piece(piece),
            None => return Ok(None),
        },
        Body::List(list) => {
            Filled::List(list.iter().filter_map(|one| fill(one, scope).transpose()).collect::<Result<_, _>>()?)
        }
        Body::Table(table) => {
            let mut entries = Vec::with_capacity(table.len());
            for (key, one) in table {
                entries.extend(fill(one, scope)?.map(|filled| (key.clone(), filled)));
            }
            Filled::Table(entries)
        }
    }))
}

impl Filled {
    fn json(self) -> Result<Value, Unwritable> {
        Ok(match self {
            Self::Piece(Piece::Json(value)) => value,
            Self::Piece(Piece::Bytes(_)) => return Err(Unwritable::Bytes),
            Self::List(list) => list.into_iter().map(Self::json).collect::<Result<_, _>>()?,
            Self::Table(table) => {
                let one = |(key, filled): (String, Self)| Ok((key, filled.json()?));
                Value::Object(table.into_iter().map(one).collect::<Result<Map<_, _>, Unwritable>>()?)
            }
        })
    }

    /// The bytes it is, or itself.
    fn bytes(self) -> Result<Bytes, Self> {
        match self {
            Self::Piece(Piece::Bytes(bytes)) => Ok(bytes),
            other @ (Self::Piece(Piece::Json(_)) | Self::List(_) | Self::Table(_)) => Err(other),
        }
    }

    /// The text of a field.
    fn field(self, name: &str) -> Result<String, Unwritable> {
        scalar(&self.json()?).ok_or_else(|| Unwritable::Field(name.to_owned()))
    }
}

/// `Content-Type` and body; a query goes into the address.
fn written(
    mapped: &Mapped,
    body: Option<Filled>,
    scope: &dyn Scope,
    url: &mut Url,
    boundary: u128,
) -> Result<(Option<String>, Bytes), Unwritable> {
    let has_body = mapped.method != Method::GET;
    let fields = |body: Option<Filled>| match body {
        Some(Filled::Table(table)) => table,
        Some(Filled::Piece(_) | Filled::List(_)) | None => Vec::new(),
    };
    Ok(match mapped.encoding {
        Encoding::Json if body.is_none() && !has_body => (None, Bytes::new()),
        Encoding::Json => {
            let value = body.map(Filled::json).transpose()?.unwrap_or_else(|| Value::Object(Map::new()));
            (Some("application/json".into()), value.to_string().into())
        }
        Encoding::Form => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields(body) {
                form.append_pair(&name, &value.field(&name)?);
            }
            (Some("application/x-www-form-urlencoded".into()), form.finish().into())
        }
        Encoding::Query => {
            let fields = fields(body);
            if !fields.is_empty() {
                let mut query = url.query_pairs_mut();
                for (name, value) in fields {
                    query.append_pair(&name, &value.field(&name)?);
                }
            }
            (None, Bytes::new())
        }
        Encoding::Raw => match body {
            Some(Filled::Piece(Piece::Bytes(bytes))) => (Some("application/octet-stream".into()), bytes),
            Some(body) => (Some("text/plain; charset=utf-8".into()), body.field("body")?.into()),
            None => (None, Bytes::new()),
        },
        Encoding::Multipart => {
            let boundary = format!("wxbot-{boundary:032x}");
            let body = multipart(fields(body), scope, &boundary)?;
            (Some(format!("multipart/form-data; boundary={boundary}")), body)
        }
    })
}

fn multipart(fields: Vec<(String, Filled)>, scope: &dyn Scope, boundary: &str) -> Result<Bytes, Unwritable> {
    let text = |name: &str| match scope.find(name) {
        Some(Datum::Json(value)) => scalar(&value).filter(|text| !text.is_empty()),
        Some(Datum::Secret(_) | Datum::Bytes(_) | Datum::File { .. }) | None => None,
    };
    let mut out = BytesMut::new();
    for (name, value) in fields {
        out.put_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&name)).as_bytes());
        match value.bytes() {
            Ok(bytes) => {
                let file = text("file_name").unwrap_or_else(|| "file".to_owned());
                let mime = text("mime").filter(|mime| HeaderValue::from_str(mime).is_ok());
                let mime = mime.unwrap_or_else(|| "application/octet-stream".to_owned());
                out.put_slice(format!("; filename=\"{}\"\r\nContent-Type: {mime}\r\n\r\n", quoted(&file)).as_bytes());
                out.put_slice(&bytes);
            }
            Err(value) => {
                out.put_slice(b"\r\n\r\n");
                out.put_slice(value.field(&name)?.as_bytes());
            }
        }
        out.put_slice(b"\r\n");
    }
    out.put_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(out.freeze())
}

/// A name within quotes, as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A").replace('\0', "%00")
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Around({})", self.base.host_str().unwrap_or("?"))
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
