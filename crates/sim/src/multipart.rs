//! Which parts does a multipart/form-data body have? Strict, bounded, without copying.

use bytes::Bytes;
use http::HeaderMap;

/// Parts of an upload: twelve in the official client's, and some slack.
const MAX_PARTS: usize = 32;
/// Header lines of one part.
const MAX_HEAD: usize = 4 * 1024;
/// RFC 2046.
const MAX_BOUNDARY: usize = 70;

/// One field of the form.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) body: Bytes,
}

/// The fields of one form in their order.
#[derive(Debug)]
pub(crate) struct Form(Vec<Part>);

impl Form {
    /// The part of this name.
    pub(crate) fn part(&self, name: &str) -> Option<&Part> {
        self.0.iter().find(|part| part.name == name)
    }

    /// The text of the part of this name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.part(name)?.body).ok()
    }

    /// Reads the body, or says what is wrong with it.
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, &'static str> {
        let boundary = boundary(headers)?;
        let opening = [b"--".as_slice(), boundary.as_bytes()].concat();
        let delimiter = [b"\r\n".as_slice(), &opening].concat();
        let mut parts: Vec<Part> = Vec::new();
        let mut rest: &[u8] =
            body.strip_prefix(opening.as_slice()).ok_or("the form does not begin with its boundary")?;
        loop {
            if let Some(after) = rest.strip_prefix(b"--".as_slice()) {
                return match after {
                    b"" | b"\r\n" => Ok(Self(parts)),
                    _ => Err("something stands behind the end of the form"),
                };
            }
            let from = rest.strip_prefix(b"\r\n".as_slice()).ok_or("a boundary is not followed by a line break")?;
            let head_end = find(from.get(..MAX_HEAD.min(from.len())).unwrap_or_default(), b"\r\n\r\n")
                .ok_or("the header of a part is too long or has no end")?;
            let (head, content) = from.split_at_checked(head_end).ok_or("a part is cut")?;
            let content = content.get(4..).unwrap_or_default();
            let end = find(content, &delimiter).ok_or("a part has no end")?;
            let (name, file_name) = disposition(head)?;
            if parts.iter().any(|part| part.name == name) {
                return Err("a part is there twice");
            }
            if parts.len() == MAX_PARTS {
                return Err("the form has too many parts");
            }
            let value = content.get(..end).unwrap_or_default();
            parts.push(Part { name, file_name, body: body.slice_ref(value) });
            rest = content.get(end + delimiter.len()..).unwrap_or_default();
        }
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, &'static str> {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let parameters = kind.strip_prefix("multipart/form-data").ok_or("Content-Type is not multipart/form-data")?;
    let boundary = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .map(|value| value.trim_matches('"'))
        .ok_or("Content-Type has no boundary")?;
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
        return Err("the boundary is empty or too long");
    }
    Ok(boundary.to_owned())
}

/// `name` and `filename` of a part's Content-Disposition.
fn disposition(head: &[u8]) -> Result<(String, Option<String>), &'static str> {
    let head = std::str::from_utf8(head).map_err(|_invalid| "the header of a part is not UTF-8")?;
    let line = head
        .split("\r\n")
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value.trim())
        })
        .ok_or("a part has no Content-Disposition")?;
    let parameters = line.strip_prefix("form-data").ok_or("a part is not form-data")?;
    let (mut name, mut file_name) = (None, None);
    for (key, value) in quoted_pairs(parameters) {
        match key {
            "name" => name = Some(value),
            "filename" => file_name = Some(value),
            _ => {}
        }
    }
    Ok((name.ok_or("a part has no name")?, file_name))
}

/// `; key="value"` pairs. Browsers write `%22` for a quote; others put a backslash before it.
fn quoted_pairs(text: &str) -> Vec<(&str, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once("=\"") {
        let key = key.trim_matches([';', ' ', '\t']);
        let (mut value, mut escaped, mut end) = (String::new(), false, after.len());
        for (at, letter) in after.char_indices() {
            match letter {
                '"' if !escaped => {
                    end = at + 1;
                    break;
                }
                '\\' if !escaped => escaped = true,
                _ => {
                    if escaped && letter != '"' && letter != '\\' {
                        value.push('\\');
                    }
                    escaped = false;
                    value.push(letter);
                }
            }
        }
        pairs.push((key, value.replace("%22", "\"")));
        rest = after.get(end..).unwrap_or_default();
    }
    pairs
}

/// The first place of `needle`. Looks for its first byte quickly: half a megabyte of picture is searched per chunk.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let &first = needle.first()?;
    let mut from = 0;
    while let Some(at) = hay.get(from..)?.iter().position(|&byte| byte == first) {
        if hay.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(kind: &'static str, body: &str) -> Result<Form, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Form::read(&headers, &Bytes::from(body.to_owned()))
    }

    const KIND: &str = "multipart/form-data; boundary=B";

    #[test]
    fn reads_a_form() {
        let form = read(
            KIND,
            "--B\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nWU_FILE_0\r\n--B\r\n\
             content-disposition: form-data; name=\"filename\"; filename=\"a \\\"b\\\".png\"\r\n\
             Content-Type: image/png\r\n\r\n\r\n-\r\n--C\r\n--B--\r\n",
        )
        .unwrap();
        assert_eq!(form.text("id"), Some("WU_FILE_0"));
        let file = form.part("filename").unwrap();
        assert_eq!(file.file_name.as_deref(), Some("a \"b\".png"));
        assert_eq!(&file.body[..], b"\r\n-\r\n--C");
        assert_eq!(form.text("no"), None);
        assert!(read("multipart/form-data; charset=x; boundary=\"B\"", "--B--").is_ok());
    }

    #[test]
    fn refuses_what_is_no_form() {
        let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        let long = format!("--B\r\nX: {}\r\n\r\n1\r\n--B--", "x".repeat(5_000));
        let many: String = (0..33).map(|at| part.replace("\"a\"", &format!("\"{at}\""))).collect();
        for (name, kind, body, want) in [
            ("type", "application/json", "{}", "Content-Type is not multipart/form-data"),
            ("boundary", "multipart/form-data", "--B--", "Content-Type has no boundary"),
            ("empty", KIND, "", "does not begin"),
            ("preamble", KIND, "x\r\n--B--", "does not begin"),
            ("no end", KIND, part, "a part has no end"),
            ("twice", KIND, &format!("{part}{part}--B--"), "a part is there twice"),
            ("epilogue", KIND, "--B--x", "behind the end"),
            ("no name", KIND, "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--", "a part has no name"),
            ("no disposition", KIND, "--B\r\nX: y\r\n\r\n1\r\n--B--", "no Content-Disposition"),
            ("long head", KIND, &long, "too long"),
            ("many", KIND, &format!("{many}--B--"), "too many parts"),
        ] {
            let error = read(kind, body).unwrap_err();
            assert!(error.contains(want), "{name}: {error}");
        }
    }
}
