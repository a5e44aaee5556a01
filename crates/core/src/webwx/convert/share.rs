//! What XML goes out when an app is to share something? A file, a page, or what was received.

use wxbot_model::{App, Link};

use crate::said::xml::{self, escape};
use crate::webwx::endpoint::Mode;
use crate::webwx::endpoint::login::APP_ID_SECOND;
use crate::webwx::wire::form::extension;

/// `<type>` of a shared page.
pub const LINK: i64 = 5;

/// The app in whose name things are shared; the desktop variant has none.
fn app_id(mode: &Mode) -> &'static str {
    if mode.desktop { "" } else { APP_ID_SECOND }
}

/// An uploaded file.
pub fn file(mode: &Mode, name: &str, len: u64, media_id: &str) -> String {
    let (app_id, title, media_id, ending) = (app_id(mode), escape(name), escape(media_id), escape(extension(name)));
    format!(
        "<appmsg appid='{app_id}' sdkver=''><title>{title}</title><des></des><action></action><type>6</type>\
         <content></content><url></url><lowurl></lowurl><appattach><totallen>{len}</totallen>\
         <attachid>{media_id}</attachid><fileext>{ending}</fileext></appattach><extinfo></extinfo></appmsg>"
    )
}

/// A page.
pub fn link(mode: &Mode, link: &Link) -> String {
    page(mode, LINK, &link.title, &link.description, &link.url, &link.thumb_url)
}

/// What an app shared with somebody: its own XML, or, where that cannot be read, what is known of it.
pub fn app(mode: &Mode, app: &App) -> String {
    match inner(&app.raw) {
        Some(raw) => raw.to_owned(),
        None => page(mode, app.app_type, &app.title, &app.description, &app.url, ""),
    }
}

fn page(mode: &Mode, app_type: i64, title: &str, description: &str, url: &str, thumb_url: &str) -> String {
    let app_id = app_id(mode);
    let (title, description, url, thumb_url) = (escape(title), escape(description), escape(url), escape(thumb_url));
    format!(
        "<appmsg appid='{app_id}' sdkver=''><title>{title}</title><des>{description}</des><action>view</action>\
         <type>{app_type}</type><content></content><url>{url}</url><lowurl></lowurl><thumburl>{thumb_url}</thumburl>\
         <extinfo></extinfo></appmsg>"
    )
}

/// The `<appmsg>…</appmsg>` that was read when the message came, and nothing of what stands around it: the rest would
/// go out in our name.
fn inner(raw: &str) -> Option<&str> {
    const NAME: &str = "appmsg";
    let inner = raw.get(xml::place_of(raw, NAME).ok()??)?;
    // Read once more, alone: what goes out is one element from its first byte to its last.
    let alone = xml::place_of(inner, NAME).ok()? == Some(0..inner.len());
    alone.then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::said::xml::Node;
    use crate::webwx::endpoint::testing::web;
    use crate::webwx::wire::testdata::fixture;

    fn read(xml: &str) -> Node {
        let node = xml::parse(xml).unwrap();
        assert_eq!(node.name, "appmsg");
        node
    }

    // cov: 50
    #[test]
    fn a_file_as_the_official_client_writes_it() {
        let want = fixture("webwxsendappmsg-content.xml");
        let media_id = read(want.trim()).path(&["appattach", "attachid"]).unwrap().text.clone();
        assert_eq!(file(&web(), "top10.csv", 1_760, &media_id), want.trim());
        let desktop = Mode { desktop: true, ..web() };
        assert_eq!(read(&file(&desktop, "a", 1, "@m")).attr("appid"), Some(""));
    }

    #[test]
    fn names_and_titles_cannot_break_out() {
        let evil = "</title><type>2000</type>'\"&.c<v";
        let node = read(&file(&web(), evil, 5, "@m"));
        assert_eq!((node.words("title"), node.words("type")), (evil, "6"));
        assert_eq!(node.path(&["appattach", "fileext"]).unwrap().text, "c<v");
        let page = Link {
            title: evil.into(),
            description: evil.into(),
            url: "https://example.com/?a=1&b=<2>".into(),
            thumb_url: "https://example.com/t.png?x='".into(),
        };
        let node = read(&link(&web(), &page));
        assert_eq!((node.words("title"), node.words("des"), node.words("type")), (evil, evil, "5"));
        assert_eq!((node.words("url"), node.words("thumburl")), (page.url.as_str(), page.thumb_url.as_str()));
    }

    #[test]
    fn what_was_received_goes_out_as_it_came() {
        let received = fixture("x-content-49-33-miniprogram.xml");
        let shared = App {
            app_type: 33,
            title: "t".into(),
            description: String::new(),
            url: String::new(),
            raw: received.clone(),
        };
        let out = app(&web(), &shared);
        assert!(received.contains(&out));
        assert_eq!(read(&out), read_inner(&received));
        for raw in ["", "<msg/>", "<appmsg><title>", "<appmsgs></appmsg>", "<msg><x><appmsg></appmsg></x></msg>"] {
            let node = read(&app(&web(), &App { raw: raw.into(), ..shared.clone() }));
            assert_eq!((node.words("title"), node.words("type")), ("t", "33"), "{raw}");
        }
    }

    #[test]
    fn nothing_goes_out_that_the_author_put_around_it() {
        let seen = "<appmsg><type>99</type><title>x</title></appmsg>";
        let evil = "<appmsg><type>2000</type></appmsg>";
        for raw in [
            format!("<msg>{seen}</msg><msg>{evil}</msg>"),
            format!("<msg>{seen}{evil}</msg>"),
            format!("{seen}</msg><evil/>{evil}"),
            format!("<msg><x><![CDATA[{evil}]]></x><!--{evil}-->{seen}</msg>"),
            format!("<msg><x>{evil}</x>{seen}<x a='</appmsg>'/></msg>"),
        ] {
            let (app_type, title, none) = (99, "x".to_owned(), String::new());
            let received = App { app_type, title, description: none.clone(), url: none, raw };
            assert_eq!(app(&web(), &received), seen, "{}", received.raw);
        }
    }

    fn read_inner(received: &str) -> Node {
        xml::parse(received).unwrap().child("appmsg").unwrap().clone()
    }
}
