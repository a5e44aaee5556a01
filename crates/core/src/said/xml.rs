//! How are the XML texts of messages read? Into a small tree, with limits, without DTDs and without recursion. And how is
//! a text put into one?

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// One element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name with prefix.
    pub name: String,
    /// Attributes in order, unescaped.
    pub attrs: Vec<(String, String)>,
    /// Text and CDATA directly inside, concatenated.
    pub text: String,
    /// Elements directly inside.
    pub children: Vec<Self>,
}

/// Why a text was refused as XML. The text itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Longer than [`MAX_LEN`].
    #[error("longer than 1 MiB")]
    TooLong,
    /// A DOCTYPE: nothing WeChat sends has one, attackers' entities do.
    #[error("it has a DOCTYPE")]
    Doctype,
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested deeper than 32")]
    TooDeep,
    /// More than [`MAX_NODES`] elements, or [`MAX_ATTRS`] attributes on one.
    #[error("too many elements or attributes")]
    TooMany,
    /// Not well-formed.
    #[error("not well-formed")]
    Malformed,
}

/// Bytes of text (security R08).
pub const MAX_LEN: usize = 1024 * 1024;
/// Nesting (R08).
pub const MAX_DEPTH: usize = 32;
/// Elements (R08).
pub const MAX_NODES: usize = 10_000;
/// Attributes of one element (R08).
pub const MAX_ATTRS: usize = 64;

impl Node {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The descendant by names, first match at each step.
    pub fn path(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The text directly inside the first child of that name, without blanks around it; empty when there is none.
    pub fn words(&self, name: &str) -> &str {
        self.child(name).map_or("", |node| node.text.trim())
    }

    /// An attribute's value.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// Reads the first element of `text` and all inside it. What follows its end is ignored, as the service's own client does.
///
/// # Errors
/// Limits and bad form; see [`XmlError`].
pub fn parse(text: &str) -> Result<Node, XmlError> {
    read(text, "").map(|(node, _)| node)
}

/// Reads like [`parse`]; what is not well-formed once more, with every `&` that begins no reference taken for a plain one.
///
/// # Errors
/// As [`parse`].
pub fn parse_repaired(text: &str) -> Result<Node, XmlError> {
    match parse(text) {
        Err(XmlError::Malformed) if text.contains('&') => parse(&escape_lone(text)),
        read => read,
    }
}

/// Escapes lone `&`, but in CDATA sections, where they stand for themselves.
fn escape_lone(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let kept = if from.starts_with("<![CDATA[") {
            from.find("]]>").map_or(from.len(), |end| end + 3)
        } else {
            if from.starts_with('&') && !begins_reference(from) {
                out.push_str("&amp;");
                rest = from.get(1..).unwrap_or_default();
                continue;
            }
            1
        };
        let (copied, behind) = from.split_at(kept);
        out.push_str(copied);
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn begins_reference(from: &str) -> bool {
    // The longest one is `&#x10FFFF;`.
    let Some(end) = from.bytes().take(12).position(|b| b == b';') else { return false };
    let name = from.get(1..end).unwrap_or_default();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
}

/// The place of the element that is found under this name: the first element of `text`, or the first of its children
/// that is called so. It ends where that element ends, whatever follows.
///
/// # Errors
/// As [`parse`].
pub fn place_of(text: &str, name: &str) -> Result<Option<Range<usize>>, XmlError> {
    read(text, name).map(|(_, place)| place)
}

fn read(text: &str, name: &str) -> Result<(Node, Option<Range<usize>>), XmlError> {
    if text.len() > MAX_LEN {
        return Err(XmlError::TooLong);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Node> = Vec::new();
    let mut nodes = 0;
    // Where the element called `name` begins, and where it is: the root itself goes before its children.
    let (mut begun, mut place) = (None, None);
    loop {
        let at = position(&reader);
        let event = reader.read_event().map_err(|_ignored| XmlError::Malformed)?;
        let closed = match event {
            Event::Start(start) => {
                if open.len() >= MAX_DEPTH {
                    return Err(XmlError::TooDeep);
                }
                nodes += 1;
                let node = element(&start)?;
                if open.len() < 2 && begun.is_none() && node.name == name {
                    begun = Some((at, open.len()));
                }
                open.push(node);
                None
            }
            Event::Empty(start) => {
                nodes += 1;
                let node = element(&start)?;
                if open.len() < 2 && begun.is_none() && node.name == name {
                    begun = Some((at, open.len()));
                }
                Some(node)
            }
            Event::End(_) => Some(open.pop().ok_or(XmlError::Malformed)?),
            Event::Text(piece) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&piece);
                }
                None
            }
            Event::GeneralRef(reference) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&super::text::unescape_once(&format!("&{};", reference.as_ref())));
                }
                None
            }
            Event::CData(piece) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&piece);
                }
                None
            }
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Eof => return Err(XmlError::Malformed),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
        };
        if nodes > MAX_NODES {
            return Err(XmlError::TooMany);
        }
        if let Some(node) = closed {
            if let Some((from, depth)) = begun
                && place.is_none()
                && depth == open.len()
            {
                place = Some(from..position(&reader));
            }
            match open.last_mut() {
                Some(parent) => parent.children.push(node),
                None => return Ok((node, place)),
            }
        }
    }
}

/// A text as it stands between tags or in an attribute. XML has no spelling for most control characters: they go.
pub fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}') || unwritable(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if unwritable(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn unwritable(c: char) -> bool {
    c < ' ' && !matches!(c, '\t' | '\n' | '\r')
}

fn element(start: &BytesStart<'_>) -> Result<Node, XmlError> {
    let name = start.name().as_ref().to_owned();
    let mut attrs = Vec::new();
    // The service repeats attributes now and then; the first one counts.
    for attr in start.attributes().with_checks(false) {
        let attr = attr.map_err(|_ignored| XmlError::Malformed)?;
        if attrs.len() >= MAX_ATTRS {
            return Err(XmlError::TooMany);
        }
        attrs.push((attr.key.as_ref().to_owned(), super::text::unescape_once(&attr.value).into_owned()));
    }
    Ok(Node { name, attrs, text: String::new(), children: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_text_and_cdata() {
        let node = parse(r#"<msg a="1 &amp; 2"><x>one<![CDATA[ <two>]]> &lt;3</x><y/></msg> trailing"#).unwrap();
        assert_eq!(node.attr("a"), Some("1 & 2"));
        assert_eq!(node.path(&["x"]).unwrap().text, "one <two> <3");
        assert!(node.child("y").is_some() && node.child("z").is_none());
    }

    #[test]
    fn an_element_ends_where_it_ends() {
        for (text, want) in [
            ("<a>x</a><a/>", Some("<a>x</a>")),
            (" <?xml version='1.0'?><m><b/><a n='1'><a/></a><a/></m><m><a/></m>", Some("<a n='1'><a/></a>")),
            ("<m><!-- <a/> --><b><a/></b><![CDATA[<a/>]]>名<a/></m>", Some("<a/>")),
            ("<m><b><a/></b></m><a/>", None),
        ] {
            assert_eq!(place_of(text, "a").unwrap().map(|place| &text[place]), want, "{text}");
        }
    }

    #[test]
    fn lone_ampersands_are_taken_for_plain_ones() {
        for (text, want) in [
            (r#"<a x = "u?m=1&f=2" y= "&lt;">1</a>"#, Some(("u?m=1&f=2", "1"))),
            (r#"<a x="">a & b &amp; c&d=e</a>"#, Some(("", "a & b & c&d=e"))),
            (r#"<a x=""><![CDATA[&&]]>&</a>"#, Some(("", "&&&"))),
            (r#"<a x="">&<![CDATA[open</a>"#, None),
            ("<a>&<b></a>", None),
        ] {
            let node = parse_repaired(text).ok();
            let read = node.as_ref().map(|node| (node.attr("x").unwrap(), node.text.as_str()));
            assert_eq!(read, want, "{text}");
        }
    }

    #[test]
    fn texts_are_escaped() {
        let title = "</title><type>5</type>\"'&\u{0}\u{1b}\u{ffff}";
        let node = parse(&format!("<a>{}</a>", escape(title))).unwrap();
        assert_eq!((node.text.as_str(), node.children.len()), ("</title><type>5</type>\"'&", 0));
        assert!(matches!(escape("你好\n"), Cow::Borrowed(_)));
    }

    /// Whatever nests, it is counted and not called: a thread with next to no stack reads it.
    #[test]
    fn sec_r08_nesting_takes_no_stack() {
        let deep = "<a>".repeat(300_000);
        let closed = deep.clone() + &"</a>".repeat(300_000);
        let read = move || {
            for text in [&deep, &closed] {
                assert_eq!(
                    parse(text).unwrap_err(),
                    if text.len() > MAX_LEN { XmlError::TooLong } else { XmlError::TooDeep }
                );
                assert!(parse_repaired(text).is_err() && place_of(text, "b").is_err());
            }
            let most = "<a>".repeat(MAX_DEPTH) + &"</a>".repeat(MAX_DEPTH);
            assert!(parse(&most).is_ok());
        };
        std::thread::Builder::new().stack_size(64 * 1024).spawn(read).unwrap().join().unwrap();
    }

    /// Text of a message may hold XML, whose texts may hold XML: of a quoted message its kind and title are read, and
    /// what it quotes in turn stays text.
    #[test]
    fn sec_r08_xml_in_xml_is_read_two_levels_deep() {
        let third = escape("<msg><appmsg><title>third</title><type>5</type></appmsg></msg>").into_owned();
        let second = format!(
            "<msg><appmsg><title>second</title><type>57</type><refermsg><type>49</type><content>{third}</content></refermsg></appmsg></msg>"
        );
        assert_eq!(super::super::app::quoted_app(&second), ("quote", "second".to_owned()));
    }

    #[test]
    fn sec_r08_limits_hold_and_a_doctype_is_refused_wherever_it_stands() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES + 1));
        let attrs = format!("<a {}/>", (0..65).map(|i| format!("x{i}='1' ")).collect::<String>());
        for (name, text, want) in [
            ("doctype", r#"<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>"#, XmlError::Doctype),
            ("a late doctype", r#"<a><!DOCTYPE b SYSTEM "file:///etc/passwd"></a>"#, XmlError::Doctype),
            ("after a comment", "<!-- --><!DOCTYPE a><a/>", XmlError::Doctype),
            ("long", &"x".repeat(MAX_LEN + 1), XmlError::TooLong),
            ("deep", &deep, XmlError::TooDeep),
            ("wide", &wide, XmlError::TooMany),
            ("attrs", &attrs, XmlError::TooMany),
            ("open", "<a><b></a>", XmlError::Malformed),
            ("empty", "", XmlError::Malformed),
            ("plain", "hello", XmlError::Malformed),
        ] {
            assert_eq!(parse(text).unwrap_err(), want, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in "[\\PC&<>\"'\n]{0,40}") {
            let node = parse(&format!("<a b='{0}'>{0}</a>", escape(&text))).unwrap();
            assert_eq!(node.text, text);
            assert_eq!(node.attr("b"), Some(text.as_str()));
        }

        #[test]
        fn any_text_parses_or_fails(text in "(<[a-c]( x='[^']*')?>|</[a-c]>|&|<[a-c]/>|&amp;|&#x?[0-9]{0,4};|[^<]|<!\\[CDATA\\[|\\]\\]>){0,40}") {
            drop(parse(&text));
            drop(parse_repaired(&text));
        }
    }
}
