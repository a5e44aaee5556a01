//! What does webwxnewloginpage say? An `<error>` page, also when all is well.

use crate::said::xml;
use crate::webwx::ret::Ret;

/// The page. Texts that it does not hold are empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LoginPage {
    /// 0 when logged in.
    pub ret: i64,
    /// Words for the user.
    pub message: String,
    /// A key.
    pub skey: String,
    /// A key.
    pub wxsid: String,
    /// The account's number.
    pub wxuin: String,
    /// A key, already percent-encoded once.
    pub pass_ticket: String,
    /// 1 when the account is on the new service.
    pub isgrayscale: bool,
    /// The login has to begin again at this host.
    pub redirecturl: Option<String>,
}

impl LoginPage {
    /// `None` when the text is no such page (an HTML page asks for a browser, which we are not).
    pub fn parse(body: &str) -> Option<Self> {
        let root = xml::parse(body).ok()?;
        if root.name != "error" {
            return None;
        }
        let field = |name: &str| root.child(name).map(|n| n.text.trim().to_owned()).unwrap_or_default();
        Some(Self {
            ret: field("ret").parse().ok()?,
            message: field("message"),
            skey: field("skey"),
            wxsid: field("wxsid"),
            wxuin: field("wxuin"),
            pass_ticket: field("pass_ticket"),
            isgrayscale: field("isgrayscale") == "1",
            redirecturl: Some(field("redirecturl")).filter(|u| !u.is_empty()),
        })
    }

    /// The code as such.
    pub fn ret(&self) -> Ret {
        Ret(self.ret)
    }
}

impl std::fmt::Debug for LoginPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoginPage(ret {}, {:?})", self.ret, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testdata::fixture;
    use super::*;

    // cov: 8
    #[test]
    fn keys_of_a_login() {
        let page = LoginPage::parse(&fixture("webwxnewloginpage.resp.xml")).unwrap();
        assert_eq!(page.ret(), Ret::OK);
        assert_eq!(page.skey, "@crypt_14ae1b12_b73ba2673448154847d7007a2de3c53b");
        assert_eq!((page.wxsid.as_str(), page.wxuin.as_str()), ("jSsRlGGPyY7U8det", "566148615"));
        assert_eq!(page.pass_ticket, "kUY4PSgKNy4eOlWI%2FwIBMVULe3KHPVyvDqw1%2B4DVVu9McVvE2d5fL7LFOfa4iYnk");
        assert!(page.isgrayscale);
        let shown = format!("{page:?}");
        assert!(!shown.contains("crypt"), "{shown}");
    }

    // cov: 10
    #[test]
    fn a_refusal_keeps_the_words_of_the_service() {
        let page = LoginPage::parse(&fixture("x-webwxnewloginpage-1203.resp.xml")).unwrap();
        assert_eq!(page.ret(), Ret(1203));
        assert!(page.message.starts_with("为了你的帐号安全"));
    }

    #[test]
    fn a_redirect_leads_to_another_host() {
        let page = LoginPage::parse(&fixture("x-webwxnewloginpage-redirect.resp.xml")).unwrap();
        assert_eq!(page.redirecturl.as_deref(), Some("https://wx2.qq.com/"));
        assert_eq!(LoginPage::parse("<html><body/></html>"), None);
    }
}
