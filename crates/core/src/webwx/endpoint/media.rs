//! Where do bytes go, and where do they come from?

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, ORIGIN, RANGE, REFERER};
use http::{HeaderName, Method};
use url::Url;

use super::{CHUNK_TIMEOUT, Hosts, Mode, PIECE_TIMEOUT, cgi, get, plain};
use crate::transport::HttpRequest;

/// webwxcheckupload: is a large file there already?
pub fn checkupload(hosts: &Hosts, pass_ticket: &str) -> Url {
    plain(hosts, "webwxcheckupload", pass_ticket)
}

/// webwxuploadmedia: one chunk, as a form, to a file host.
pub fn uploadmedia(hosts: &Hosts, file_host: &Url, mode: &Mode, content_type: &str, form: Bytes) -> HttpRequest {
    let mut request = get(mode, cgi(file_host, "webwxuploadmedia", &[("f", "json")]), CHUNK_TIMEOUT);
    request.method = Method::POST;
    request.body = form;
    request.headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    set(&mut request, CONTENT_TYPE, content_type);
    // A browser says which page sends a form to another host.
    set(&mut request, ORIGIN, &hosts.api.origin().ascii_serialization());
    refer(&mut request, hosts);
    request
}

/// Which form of a picture webwxgetmsgimg gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// As it was sent.
    Original,
    /// The small one.
    Thumbnail,
    /// Of a sticker: the one that moves.
    Big,
}

/// webwxgetmsgimg.
pub fn msgimg(hosts: &Hosts, mode: &Mode, skey: &str, msg_id: &str, size: Size) -> HttpRequest {
    let mut url = cgi(&hosts.api, "webwxgetmsgimg", &[("MsgID", msg_id), ("skey", skey)]);
    match size {
        Size::Original => {}
        Size::Thumbnail => drop(url.query_pairs_mut().append_pair("type", "slave")),
        Size::Big => drop(url.query_pairs_mut().append_pair("type", "big")),
    }
    bytes_of(hosts, mode, url)
}

/// webwxgetvoice.
pub fn voice(hosts: &Hosts, mode: &Mode, skey: &str, msg_id: &str) -> HttpRequest {
    bytes_of(hosts, mode, cgi(&hosts.api, "webwxgetvoice", &[("msgid", msg_id), ("skey", skey)]))
}

/// webwxgetvideo. Without a `Range` the answer is empty.
pub fn video(hosts: &Hosts, mode: &Mode, skey: &str, msg_id: &str) -> HttpRequest {
    let request = bytes_of(hosts, mode, cgi(&hosts.api, "webwxgetvideo", &[("msgid", msg_id), ("skey", skey)]));
    from_byte(request, 0)
}

/// The same request for everything from this byte on.
#[must_use]
pub fn from_byte(mut request: HttpRequest, first: u64) -> HttpRequest {
    request.headers.insert(
        RANGE,
        HeaderValue::try_from(format!("bytes={first}-")).unwrap_or(HeaderValue::from_static("bytes=0-")),
    );
    request
}

/// What webwxgetmedia is asked with.
#[derive(Debug)]
pub struct File<'a> {
    /// Who sent the file.
    pub sender: &'a str,
    /// `MediaId` of its message.
    pub media_id: &'a str,
    /// `EncryFileName` of its message, which newer services want; empty where there was none.
    pub encry_file_name: &'a str,
    /// Its plain name.
    pub file_name: &'a str,
    /// Our account number: the service calls it the receiver.
    pub uin: u64,
    /// A key.
    pub pass_ticket: &'a str,
    /// A key: the cookie of that name.
    pub data_ticket: &'a str,
}

/// webwxgetmedia at a file host.
pub fn file(hosts: &Hosts, file_host: &Url, mode: &Mode, file: &File<'_>) -> HttpRequest {
    let uin = file.uin.to_string();
    let name = match file.encry_file_name {
        "" => ("filename", file.file_name),
        encrypted => ("encryfilename", encrypted),
    };
    let query = [
        ("sender", file.sender),
        ("mediaid", file.media_id),
        name,
        ("fromuser", &uin),
        ("pass_ticket", file.pass_ticket),
        ("webwx_data_ticket", file.data_ticket),
    ];
    bytes_of(hosts, mode, cgi(file_host, "webwxgetmedia", &query))
}

/// webwxgeticon: the picture of a person. `room_id` is the `EncryChatRoomId` of a room that the person is met in.
pub fn icon(hosts: &Hosts, mode: &Mode, skey: &str, user_name: &str, room_id: Option<&str>) -> HttpRequest {
    let mut url = cgi(&hosts.api, "webwxgeticon", &[("seq", "0"), ("username", user_name), ("skey", skey)]);
    if let Some(id) = room_id {
        url.query_pairs_mut().append_pair("chatroomid", id);
    }
    bytes_of(hosts, mode, url)
}

/// webwxgetheadimg: the picture of a room.
pub fn headimg(hosts: &Hosts, mode: &Mode, skey: &str, user_name: &str) -> HttpRequest {
    let url = cgi(&hosts.api, "webwxgetheadimg", &[("seq", "0"), ("username", user_name), ("skey", skey)]);
    bytes_of(hosts, mode, url)
}

fn bytes_of(hosts: &Hosts, mode: &Mode, url: Url) -> HttpRequest {
    let mut request = get(mode, url, PIECE_TIMEOUT);
    request.headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    refer(&mut request, hosts);
    request
}

fn refer(request: &mut HttpRequest, hosts: &Hosts) {
    set(request, REFERER, hosts.api.as_str());
}

fn set(request: &mut HttpRequest, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{query, web};
    use super::*;

    const SKEY: &str = "@crypt_14ae1b12_b73b";
    const MSG: &str = "1234567890123456789";

    fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
        request.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn place(request: &HttpRequest) -> String {
        format!("{} {}{}", request.method, request.url.host_str().unwrap(), request.url.path())
    }

    fn at(name: &str) -> String {
        format!("GET wx.qq.com/cgi-bin/mmwebwx-bin/{name}")
    }

    // cov: 56
    #[test]
    fn a_picture_is_asked_by_its_message() {
        let request = msgimg(&Hosts::before_login(), &web(), SKEY, MSG, Size::Original);
        assert_eq!(place(&request), at("webwxgetmsgimg"));
        assert_eq!(request.url.query(), Some("MsgID=1234567890123456789&skey=%40crypt_14ae1b12_b73b"));
        assert_eq!(header(&request, REFERER), Some("https://wx.qq.com/"));
        assert_eq!(header(&request, RANGE), None);
    }

    // cov: 57
    #[test]
    fn a_thumbnail_is_the_slave_of_a_picture() {
        let of = |size| query(&msgimg(&Hosts::before_login(), &web(), SKEY, MSG, size).url, "type");
        assert_eq!(of(Size::Thumbnail).as_deref(), Some("slave"));
        assert_eq!((of(Size::Big).as_deref(), of(Size::Original)), (Some("big"), None));
    }

    // cov: 58
    #[test]
    fn a_person_has_an_icon() {
        let request = icon(&Hosts::before_login(), &web(), SKEY, "@a", None);
        assert_eq!(place(&request), at("webwxgeticon"));
        assert_eq!(request.url.query(), Some("seq=0&username=%40a&skey=%40crypt_14ae1b12_b73b"));
        let member = icon(&Hosts::before_login(), &web(), SKEY, "@a", Some("@4f12"));
        assert_eq!(query(&member.url, "chatroomid").as_deref(), Some("@4f12"));
    }

    // cov: 59
    #[test]
    fn a_room_has_a_head() {
        let request = headimg(&Hosts::before_login(), &web(), SKEY, "@@r");
        assert_eq!(place(&request), at("webwxgetheadimg"));
        assert_eq!(request.url.query(), Some("seq=0&username=%40%40r&skey=%40crypt_14ae1b12_b73b"));
    }

    // cov: 60
    #[test]
    fn speech_is_asked_by_its_message() {
        let request = voice(&Hosts::before_login(), &web(), SKEY, MSG);
        assert_eq!(place(&request), at("webwxgetvoice"));
        assert_eq!(request.url.query(), Some("msgid=1234567890123456789&skey=%40crypt_14ae1b12_b73b"));
    }

    // cov: 61
    #[test]
    fn a_film_is_asked_with_a_range() {
        let request = video(&Hosts::before_login(), &web(), SKEY, MSG);
        assert_eq!(place(&request), at("webwxgetvideo"));
        assert_eq!(request.url.query(), Some("msgid=1234567890123456789&skey=%40crypt_14ae1b12_b73b"));
        assert_eq!(header(&request, RANGE), Some("bytes=0-"));
        assert_eq!(header(&from_byte(request, 4_096), RANGE), Some("bytes=4096-"));
    }

    // cov: 62
    #[test]
    fn a_file_is_asked_at_the_file_host() {
        let hosts = Hosts::before_login();
        let ask = File {
            sender: "@s",
            media_id: "@crypt_m",
            encry_file_name: "big%2Ezip",
            file_name: "big.zip",
            uin: 566_148_615,
            pass_ticket: "kUY4%2FwIB",
            data_ticket: "gSeM+/",
        };
        let request = file(&hosts, &hosts.file, &web(), &ask);
        assert_eq!(place(&request), "GET file.wx.qq.com/cgi-bin/mmwebwx-bin/webwxgetmedia");
        assert_eq!(
            request.url.query(),
            Some(
                "sender=%40s&mediaid=%40crypt_m&encryfilename=big%252Ezip&fromuser=566148615\
                 &pass_ticket=kUY4%252FwIB&webwx_data_ticket=gSeM%2B%2F"
            )
        );
        assert_eq!(header(&request, REFERER), Some("https://wx.qq.com/"));
        let old = file(&hosts, &hosts.file, &web(), &File { encry_file_name: "", ..ask });
        assert_eq!((query(&old.url, "filename").as_deref(), query(&old.url, "encryfilename")), (Some("big.zip"), None));
    }

    #[test]
    fn uploads_go_to_a_file_host_and_say_where_they_come_from() {
        let hosts = Hosts::family("wx2.qq.com");
        let second = hosts.second_file().unwrap();
        let request = uploadmedia(&hosts, &second, &web(), "multipart/form-data; boundary=x", Bytes::new());
        assert_eq!(request.url.as_str(), "https://file2.wx2.qq.com/cgi-bin/mmwebwx-bin/webwxuploadmedia?f=json");
        assert_eq!(header(&request, ORIGIN), Some("https://wx2.qq.com"));
        assert_eq!(header(&request, REFERER), Some("https://wx2.qq.com/"));
        assert_eq!(Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap()).second_file(), None);
    }
}
