//! Where does a login go, and a logout? From the uuid to the keys, and the push of a former session.

use http::header::{CONTENT_TYPE, HeaderValue, REFERER};
use http::{HeaderName, Method};
use url::Url;

use super::{CALL_TIMEOUT, CGI, Hosts, LOGIN_TIMEOUT, Mode, POLL_TIMEOUT, cgi, get, join, not_timestamp, origin};
use crate::transport::HttpRequest;

/// The app id clients use.
pub const APP_ID: &str = "wx782c26e4c19acffb";
/// The second one the service knows ("微信网页版"), tried when the first is refused.
pub const APP_ID_SECOND: &str = "wxeb7ec651dd0aefa9";

/// How jslogin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsLogin {
    /// GET with the first app id: what clients do.
    Usual,
    /// POST with the second app id: the way left when the first is refused.
    Second,
}

/// Asks for a new login uuid.
pub fn jslogin(hosts: &Hosts, mode: &Mode, how: JsLogin, now_ms: i64) -> HttpRequest {
    let after = format!("{}webwxnewloginpage{}", CGI, if mode.desktop { "?mod=desktop" } else { "" });
    let redirect = hosts.api.join(&after).map_or(after, String::from);
    let now = now_ms.to_string();
    let app_id = if how == JsLogin::Usual { APP_ID } else { APP_ID_SECOND };
    let pairs = [
        ("appid", app_id),
        ("redirect_uri", redirect.as_str()),
        ("fun", "new"),
        ("lang", "zh_CN"),
        ("_", now.as_str()),
    ];
    let mut url = join(&hosts.login, "/jslogin");
    if how == JsLogin::Usual {
        url.query_pairs_mut().extend_pairs(pairs);
        return get(mode, url, LOGIN_TIMEOUT);
    }
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = get(mode, url, LOGIN_TIMEOUT);
    request.method = Method::POST;
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.body = form.into();
    request
}

/// The text inside the QR code. The phone reads it, so it names the real service even on a stand-in endpoint.
pub fn qr_payload(uuid: &str) -> String {
    format!("https://login.weixin.qq.com/l/{uuid}")
}

/// Where the service offers the QR code as a picture.
pub fn qr_image(hosts: &Hosts, uuid: &str) -> Url {
    let base = if hosts.fixed { hosts.login.clone() } else { origin("login.weixin.qq.com") };
    join(&base, &format!("/qrcode/{uuid}"))
}

/// One login poll. `tip` is 1 while waiting for the scan and 0 once scanned.
pub fn login_poll(hosts: &Hosts, mode: &Mode, uuid: &str, tip: u8, now_ms: i64) -> HttpRequest {
    let (tip, r, now) = (tip.to_string(), not_timestamp(now_ms), now_ms.to_string());
    let url =
        cgi(&hosts.login, "login", &[("loginicon", "true"), ("uuid", uuid), ("tip", &tip), ("r", &r), ("_", &now)]);
    get(mode, url, POLL_TIMEOUT)
}

/// The confirmed redirect: trades the ticket for keys and cookies.
pub fn newloginpage(redirect: &Url, mode: &Mode) -> HttpRequest {
    let mut url = redirect.clone();
    url.query_pairs_mut().extend_pairs([("fun", "new"), ("version", "v2"), ("lang", "zh_CN")]);
    if mode.desktop && !url.query_pairs().any(|(k, _)| k == "mod") {
        url.query_pairs_mut().append_pair("mod", "desktop");
    }
    let mut request = get(mode, url, LOGIN_TIMEOUT);
    if mode.desktop {
        for (name, value) in [("client-version", &mode.client_version), ("extspam", &mode.extspam)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers.insert(HeaderName::from_static(name), value);
            }
        }
        request.headers.insert(REFERER, HeaderValue::from_static("https://wx.qq.com/?&lang=zh_CN&target=t"));
    }
    request
}

/// Asks the phone of a former session to confirm.
pub fn pushloginurl(hosts: &Hosts, mode: &Mode, uin: u64) -> HttpRequest {
    let uin = uin.to_string();
    let mut url = cgi(&hosts.api, "webwxpushloginurl", &[("uin", uin.as_str())]);
    if mode.desktop {
        url.query_pairs_mut().append_pair("mod", "desktop");
    }
    get(mode, url, LOGIN_TIMEOUT)
}

/// webwxlogout, type 0 (asked by us).
pub fn logout(hosts: &Hosts, mode: &Mode, skey: &str, sid: &str, uin: u64) -> HttpRequest {
    let url = cgi(&hosts.api, "webwxlogout", &[("redirect", "1"), ("type", "0"), ("skey", skey)]);
    let uin = uin.to_string();
    let mut request = get(mode, url, CALL_TIMEOUT);
    request.method = Method::POST;
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("sid", sid), ("uin", uin.as_str())])
        .finish()
        .into();
    request
}

#[cfg(test)]
mod tests {
    use super::super::testing::{query, web};
    use super::*;

    // cov: 1
    #[test]
    fn jslogin_is_asked_by_get_or_by_post_form() {
        let hosts = Hosts::before_login();
        let usual = jslogin(&hosts, &web(), JsLogin::Usual, 1_476_606_189_368);
        assert_eq!((usual.method, query(&usual.url, "appid").as_deref()), (Method::GET, Some(APP_ID)));
        assert_eq!(
            query(&usual.url, "redirect_uri").as_deref(),
            Some("https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage")
        );
        let second = jslogin(&hosts, &Mode { desktop: true, ..web() }, JsLogin::Second, 1);
        let form: Vec<_> = url::form_urlencoded::parse(&second.body).into_owned().collect();
        assert_eq!(second.method, Method::POST);
        assert!(form.contains(&("appid".into(), APP_ID_SECOND.into())));
        assert!(form.iter().any(|(k, v)| k == "redirect_uri" && v.ends_with("webwxnewloginpage?mod=desktop")));
    }

    // cov: 2, 3
    #[test]
    fn qr_addresses() {
        let hosts = Hosts::before_login();
        assert_eq!(qr_payload("gf5Gk61zEA=="), "https://login.weixin.qq.com/l/gf5Gk61zEA==");
        assert_eq!(qr_image(&hosts, "gf5Gk61zEA==").as_str(), "https://login.weixin.qq.com/qrcode/gf5Gk61zEA==");
        let fixed = Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap());
        assert_eq!(qr_image(&fixed, "x").as_str(), "http://127.0.0.1:4000/qrcode/x");
    }

    // cov: 7
    #[test]
    fn poll_parameters() {
        let poll = login_poll(&Hosts::before_login(), &web(), "gf5Gk61zEA==", 1, 1_476_606_189_368);
        assert_eq!(poll.url.host_str(), Some("login.wx.qq.com"));
        for (name, want) in
            [("loginicon", "true"), ("uuid", "gf5Gk61zEA=="), ("tip", "1"), ("r", "862560455"), ("_", "1476606189368")]
        {
            assert_eq!(query(&poll.url, name).as_deref(), Some(want), "{name}");
        }
    }

    #[test]
    fn the_desktop_variant_says_so() {
        let redirect =
            "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=T@qrticket_0&uuid=u&lang=zh_CN&scan=1"
                .parse()
                .unwrap();
        let request = newloginpage(&redirect, &Mode { desktop: true, ..web() });
        assert_eq!(query(&request.url, "mod").as_deref(), Some("desktop"));
        assert_eq!(query(&request.url, "version").as_deref(), Some("v2"));
        assert_eq!(request.headers.get("client-version").unwrap(), "2.0.0");
        assert_eq!(request.headers.get("extspam").unwrap(), "token");
        assert!(newloginpage(&redirect, &web()).headers.get("extspam").is_none());
    }

    #[test]
    fn a_logout_is_a_form() {
        let request = logout(&Hosts::before_login(), &web(), "@crypt_1", "2qui+CC4/", 566_148_615);
        assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/cgi-bin/mmwebwx-bin/webwxlogout"));
        assert_eq!(request.url.query(), Some("redirect=1&type=0&skey=%40crypt_1"));
        assert_eq!(request.headers.get(CONTENT_TYPE).unwrap(), "application/x-www-form-urlencoded");
        assert_eq!(request.body, "sid=2qui%2BCC4%2F&uin=566148615");
    }
}
