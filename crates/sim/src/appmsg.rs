//! What stands in the XML that clients send?

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deeper than any real message; a bound for what comes in.
const MAX_DEPTH: usize = 32;

/// One element with what is in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// Text and CDATA directly in it.
    pub(crate) text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads one document; `None` when it is not well-formed or has anything beside its root.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    if open.len() > MAX_DEPTH {
                        return None;
                    }
                    open.push(Self::opened(&tag)?);
                }
                Event::Empty(tag) => open.last_mut()?.children.push(Self::opened(&tag)?),
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(name) => {
                    let name: &str = &name;
                    let resolved = match name.strip_prefix('#') {
                        Some(number) => numeric(number)?.to_string(),
                        None => quick_xml::escape::resolve_xml_entity(name)?.to_owned(),
                    };
                    open.last_mut()?.text.push_str(&resolved);
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return None,
                Event::Eof => break,
            }
        }
        let [document] = <[Self; 1]>::try_from(open).ok()?;
        let [root] = <[Self; 1]>::try_from(document.children).ok()?;
        document.text.trim().is_empty().then_some(root)
    }

    fn opened(tag: &quick_xml::events::BytesStart<'_>) -> Option<Self> {
        let mut element = Self { name: tag.name().as_ref().to_owned(), ..Self::default() };
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let key = attribute.key.as_ref().to_owned();
            let value = quick_xml::escape::unescape(&attribute.value).ok()?.into_owned();
            element.attributes.push((key, value));
        }
        Some(element)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the child of this name; empty when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn numeric(number: &str) -> Option<char> {
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

/// Text as it stands between tags or in an attribute.
pub(crate) fn escape(text: &str) -> String {
    // XML has no spelling for most control characters: what cannot be written is left out.
    let writable = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t' | '\r');
    let text: String = text.chars().filter(writable).collect();
    quick_xml::escape::escape(text.as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_appmsg() {
        let file = Element::read(
            "<appmsg appid='wxeb7ec651dd0aefa9' sdkver=''><title>a &amp; b&#33;.csv</title><des/><type>6</type>\
             <appattach><totallen>1760</totallen><attachid><![CDATA[@crypt_x]]></attachid></appattach></appmsg>",
        )
        .unwrap();
        assert_eq!(file.name, "appmsg");
        assert_eq!(file.text_of("title"), "a & b!.csv");
        assert_eq!(file.attribute("appid"), Some("wxeb7ec651dd0aefa9"));
        let attach = file.child("appattach").unwrap();
        assert_eq!((attach.text_of("totallen"), attach.text_of("attachid")), ("1760", "@crypt_x"));
        assert_eq!(file.text_of("nothing"), "");
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for (name, text) in [
            ("cut", "<appmsg><title>x</title>"),
            ("crossed", "<a><b></a></b>"),
            ("two roots", "<a/><b/>"),
            ("text beside", "x<a/>"),
            ("bare ampersand", "<a>x & y</a>"),
            ("unknown entity", "<a>&nbsp;</a>"),
            ("doctype", "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>"),
            ("nothing", ""),
            ("deep", &"<a>".repeat(40)),
        ] {
            assert_eq!(Element::read(text), None, "{name}");
        }
    }

    #[test]
    fn escaped_text_comes_back() {
        let title = "</title><type>5</type>\"'&\u{0}";
        let read = Element::read(&format!("<a>{}</a>", escape(title))).unwrap();
        assert_eq!(read.text, "</title><type>5</type>\"'&");
    }
}
