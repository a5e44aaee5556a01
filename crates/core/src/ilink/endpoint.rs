//! Where is each thing asked, how long may that take, and which hosts may be told anything at all?

use std::time::Duration;

use url::Url;

use crate::error::Error;

/// Where QR codes are asked for, always; and everything else, unless a login says otherwise.
pub const OFFICIAL: &str = "https://ilinkai.weixin.qq.com";
/// Where bytes are, when the service gives no whole address.
pub const OFFICIAL_CDN: &str = "https://novac2c.cdn.weixin.qq.com/c2c";
/// Hosts of the service end in one of these.
const SUFFIXES: [&str; 2] = [".weixin.qq.com", ".wechat.com"];

/// One thing to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its name on the wire, for errors.
    pub name: &'static str,
    /// Below the base.
    path: &'static str,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub limit: usize,
}

const KIB: usize = 1024;

const fn call(name: &'static str, path: &'static str, secs: u64, limit: usize) -> Call {
    Call { name, path, timeout: Duration::from_secs(secs), limit }
}

/// A QR code. The official client waits for ever: 5 s and 10 s were too short.
pub const GET_BOT_QRCODE: Call = call("get_bot_qrcode", "ilink/bot/get_bot_qrcode", 60, 64 * KIB);
/// What became of it; held by the service.
pub const GET_QRCODE_STATUS: Call = call("get_qrcode_status", "ilink/bot/get_qrcode_status", 35, 64 * KIB);
/// What came in; held by the service, so that the time is another one each time. Nobody knows how large a batch may be.
pub const GETUPDATES: Call = call("getupdates", "ilink/bot/getupdates", 45, 8 * KIB * KIB);
/// We listen.
pub const NOTIFYSTART: Call = call("notifystart", "ilink/bot/msg/notifystart", 10, 64 * KIB);
/// We no longer listen.
pub const NOTIFYSTOP: Call = call("notifystop", "ilink/bot/msg/notifystop", 10, 64 * KIB);
/// Sends one item.
pub const SENDMESSAGE: Call = call("sendmessage", "ilink/bot/sendmessage", 15, 64 * KIB);
/// A ticket to show that we are typing.
pub const GETCONFIG: Call = call("getconfig", "ilink/bot/getconfig", 10, 64 * KIB);
/// Shows that we are typing.
pub const SENDTYPING: Call = call("sendtyping", "ilink/bot/sendtyping", 10, 64 * KIB);
/// Where bytes may be put.
pub const GETUPLOADURL: Call = call("getuploadurl", "ilink/bot/getuploadurl", 15, 64 * KIB);

/// The service as one account is set to reach it: the real one, or another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    fixed: Url,
    cdn: Url,
    /// The settings name another service: its hosts are its own affair.
    other: bool,
    /// They name another place for bytes.
    other_cdn: bool,
}

impl Place {
    /// By the settings: `endpoint` in the place of [`OFFICIAL`], `cdn` in that of [`OFFICIAL_CDN`]. Another service has its
    /// bytes below itself where nothing else is said: what it handed out is nothing for the real one.
    #[expect(clippy::expect_used, reason = "constant addresses")]
    pub fn new(endpoint: Option<&Url>, cdn: Option<&Url>) -> Self {
        let real = || Url::parse(OFFICIAL).expect("constant");
        let cdn_of = |endpoint: &Url| below(endpoint, "c2c");
        Self {
            fixed: endpoint.cloned().unwrap_or_else(real),
            cdn: cdn
                .cloned()
                .unwrap_or_else(|| endpoint.map_or_else(|| Url::parse(OFFICIAL_CDN).expect("constant"), cdn_of)),
            other: endpoint.is_some(),
            other_cdn: cdn.is_some() || endpoint.is_some(),
        }
    }

    /// Where QR codes are asked for.
    pub fn fixed(&self) -> &Url {
        &self.fixed
    }

    /// Where bytes are, when the service gives no whole address.
    pub fn cdn(&self) -> &Url {
        &self.cdn
    }

    /// Where bytes are put that the service gives no whole address for.
    pub fn upload(&self, param: &str, filekey: &str) -> Url {
        let mut url = below(&self.cdn, "upload");
        url.set_query(Some(&format!("encrypted_query_param={}&filekey={}", encoded(param), encoded(filekey))));
        url
    }

    /// Where bytes are fetched that came without a whole address.
    pub fn download(&self, param: &str) -> Url {
        let mut url = below(&self.cdn, "download");
        url.set_query(Some(&format!("encrypted_query_param={}", encoded(param))));
        url
    }

    /// Which service it is, for saved sessions and people: those of one service are nothing for another.
    pub fn name(&self) -> String {
        if self.other { self.fixed.origin().ascii_serialization() } else { "the real service".to_owned() }
    }

    /// `redirect_host` of a login: a bare host.
    ///
    /// # Errors
    /// When it is no host, or not one of the service.
    pub fn redirected(&self, host: &str) -> Result<Url, Error> {
        let url = Url::parse(&format!("{}://{host}", self.fixed.scheme())).ok();
        let bare = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let url = url.filter(|url| bare(url) && !host.contains(['/', '@', '\\']));
        self.allowed(url, "redirect_host", host)
    }

    /// `baseurl` of a login; empty means the fixed one.
    ///
    /// # Errors
    /// When it is no address, or not one of the service.
    pub fn base(&self, baseurl: &str) -> Result<Url, Error> {
        match baseurl.trim() {
            "" => Ok(self.fixed.clone()),
            text => self.allowed(Url::parse(text).ok(), "baseurl", text),
        }
    }

    fn allowed(&self, url: Option<Url>, field: &str, said: &str) -> Result<Url, Error> {
        // Another service that names a host of the real one, as recorded answers do, means itself.
        let stands_in = self.other && !is_real_host(&self.fixed);
        if stands_in && url.as_ref().is_some_and(|url| is_plain(url) && is_real_host(url)) {
            return Ok(self.fixed.clone());
        }
        url.filter(|url| is_plain(url) && if self.other { self.speaks(url) } else { is_real(url) }).ok_or_else(|| {
            let said: String = said.chars().filter(|c| !c.is_control()).take(100).collect();
            Error::Settings(format!(
                "the service sends this login to `{said}` ({field}), which is not one of its hosts (*.weixin.qq.com, \
                 *.wechat.com over https); nothing is sent there. If it is right, set `endpoint` of the account to it"
            ))
        })
    }

    /// Whether bytes may be fetched from this address, or put there.
    pub fn may_carry_bytes(&self, url: &Url) -> bool {
        is_plain(url) && if self.other_cdn { ["http", "https"].contains(&url.scheme()) } else { is_real(url) }
    }

    /// A service that was set to https is left for nothing else.
    fn speaks(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && self.fixed.scheme() == "http")
    }
}

/// Names a host and no user.
fn is_plain(url: &Url) -> bool {
    url.has_host() && url.username().is_empty() && url.password().is_none()
}

fn is_real(url: &Url) -> bool {
    url.scheme() == "https" && url.port().is_none() && is_real_host(url)
}

fn is_real_host(url: &Url) -> bool {
    url.host_str().is_some_and(|host| SUFFIXES.iter().any(|suffix| host.ends_with(suffix)))
}

/// An address below a base that ends in a slash or does not.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

impl Call {
    /// Its address at this base.
    pub fn at(&self, base: &Url) -> Url {
        below(base, self.path)
    }
}

/// Where a QR code is asked for.
pub fn get_bot_qrcode(base: &Url) -> Url {
    let mut url = GET_BOT_QRCODE.at(base);
    url.set_query(Some("bot_type=3"));
    url
}

/// Where it is asked what became of a QR code; with the digits of the phone once it showed some.
pub fn get_qrcode_status(base: &Url, qrcode: &str, code: Option<&str>) -> Url {
    let mut url = GET_QRCODE_STATUS.at(base);
    let mut query = format!("qrcode={}", encoded(qrcode));
    if let Some(code) = code {
        query.push_str("&verify_code=");
        query.push_str(&encoded(code));
    }
    url.set_query(Some(&query));
    url
}

/// Percent-encoded, blanks as `%20`: as a browser's `encodeURIComponent` has it, give or take marks that need none.
pub fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn addresses() {
        for (base, want) in [
            ("https://ilinkai.weixin.qq.com", "https://ilinkai.weixin.qq.com/ilink/bot/getupdates"),
            ("https://ilinkai.weixin.qq.com/", "https://ilinkai.weixin.qq.com/ilink/bot/getupdates"),
            ("http://127.0.0.1:7/wx", "http://127.0.0.1:7/wx/ilink/bot/getupdates"),
            ("http://127.0.0.1:7/wx/?a=b#c", "http://127.0.0.1:7/wx/ilink/bot/getupdates"),
        ] {
            assert_eq!(GETUPDATES.at(&url(base)).as_str(), want);
        }
        let base = url(OFFICIAL);
        assert_eq!(get_bot_qrcode(&base).as_str(), "https://ilinkai.weixin.qq.com/ilink/bot/get_bot_qrcode?bot_type=3");
        let polled = get_qrcode_status(&base, "a b&c=", Some("1&2"));
        assert_eq!(polled.query(), Some("qrcode=a%20b%26c%3D&verify_code=1%262"));
        assert_eq!(NOTIFYSTART.at(&base).path(), "/ilink/bot/msg/notifystart");
    }

    #[test]
    fn the_token_goes_to_hosts_of_the_service_only() {
        let real = Place::new(None, None);
        for (host, good) in [
            ("ilinkai.wechat.com", true),
            ("a.b.weixin.qq.com", true),
            ("ILINKAI.WECHAT.COM", true),
            ("wechat.com", false),
            ("evilwechat.com", false),
            ("ilinkai.wechat.com.evil.example", false),
            ("evil.example/.wechat.com", false),
            ("evil.example#.wechat.com", false),
            ("evil.example?.wechat.com", false),
            ("x@ilinkai.wechat.com", false),
            ("ilinkai.wechat.com:8443", false),
            ("ilinkai.wechat.com/a", false),
            ("", false),
        ] {
            assert_eq!(real.redirected(host).is_ok(), good, "{host}");
        }
        for (base, want) in [
            ("", Some("https://ilinkai.weixin.qq.com/")),
            (" ", Some("https://ilinkai.weixin.qq.com/")),
            ("https://ilinkai.wechat.com", Some("https://ilinkai.wechat.com/")),
            ("http://ilinkai.wechat.com", None),
            ("https://ilinkai.wechat.com@evil.example", None),
            ("https://evil.example", None),
            ("ilinkai.wechat.com", None),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(real.base(base).ok().map(String::from), want.map(str::to_owned), "{base}");
        }
        let bytes = "https://novac2c.cdn.weixin.qq.com/c2c/download?encrypted_query_param=a&taskid=1";
        assert!(real.may_carry_bytes(&url(bytes)));
        assert!(!real.may_carry_bytes(&url("https://evil.example/c2c")));
        assert!(!real.may_carry_bytes(&url("http://novac2c.cdn.weixin.qq.com/c2c")));
    }

    #[test]
    fn another_service_has_its_own_hosts() {
        let sim = Place::new(Some(&url("http://127.0.0.1:4711")), None);
        assert_eq!(sim.redirected("127.0.0.1:4712").unwrap().as_str(), "http://127.0.0.1:4712/");
        assert_eq!(sim.base("").unwrap().as_str(), "http://127.0.0.1:4711/");
        assert_eq!(sim.base("http://localhost:1/x").unwrap().as_str(), "http://localhost:1/x");
        assert_eq!(sim.cdn().as_str(), "http://127.0.0.1:4711/c2c");
        assert_eq!(sim.name(), "http://127.0.0.1:4711");
        assert!(sim.may_carry_bytes(&url("http://127.0.0.1:9/x")) && !sim.may_carry_bytes(&url("ftp://127.0.0.1/x")));

        let safe = Place::new(Some(&url("https://relay.example")), None);
        assert_eq!(safe.redirected("two.example").unwrap().as_str(), "https://two.example/");
        assert!(safe.base("http://two.example").is_err(), "https is not left");
        assert_eq!(Place::new(None, None).cdn().as_str(), OFFICIAL_CDN);
        assert_eq!(Place::new(None, Some(&url("http://127.0.0.1:1/c"))).cdn().as_str(), "http://127.0.0.1:1/c");
    }
}
