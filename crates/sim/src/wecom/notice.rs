//! What does an application's encrypted callback look like?

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::SimError;
use crate::service::outbox::Push;
use crate::wecom::WecomSim;
use crate::wecom::crypto::CallbackKey;

/// The receiver has to say back what it decrypted within this time.
const ECHO_LIMIT: Duration = Duration::from_secs(1);
/// A message that is not answered with 200 is repeated so often.
const REPEATS: u32 = 3;

/// Around what the message is wrapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// XML, of a self-built application; the receiver is the company.
    #[default]
    Xml,
    /// JSON, of a smart robot; the receiver is nobody.
    Json,
}

/// A message of a member to the application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// Name of the member.
    pub from: String,
    /// `text`, `image`, `event` …
    pub msg_type: String,
    /// Elements of the inner XML (or keys of the inner JSON) beside the common ones: `Content`, `MediaId`, `Event`.
    pub fields: Vec<(String, String)>,
    /// Wrapped in this.
    pub envelope: Envelope,
    /// The signature is wrong.
    pub forged: bool,
    /// The message is addressed to another company.
    pub misdirected: bool,
    /// With the id of an earlier message: the same one again.
    pub msg_id: Option<u64>,
}

impl Notice {
    /// A member's text.
    pub fn text(from: &str, text: &str) -> Self {
        Self {
            from: from.to_owned(),
            msg_type: "text".to_owned(),
            fields: vec![("Content".to_owned(), text.to_owned())],
            ..Self::default()
        }
    }
}

impl WecomSim {
    /// A member says something to the application. Answers the `MsgId`.
    pub fn notify(&self, notice: &Notice) -> Result<String, SimError> {
        let app = &self.shared.setup.app;
        let user = self
            .user_id(&notice.from)
            .ok_or_else(|| SimError::UnknownPerson { account: "app".to_owned(), name: notice.from.clone() })?;
        let id = notice.msg_id.unwrap_or_else(|| 4_561_255_354_000_000_000 + self.next_id());
        let time_s = self.shared.book.now_ms() / 1_000;
        let inner = match notice.envelope {
            Envelope::Xml => inner_xml(notice, &app.corp_id, &user, app.agent_id, id, time_s),
            Envelope::Json => inner_json(notice, &user, id),
        };
        let receive_id = match (notice.misdirected, notice.envelope) {
            (true, _) => "wx0000000000000000",
            (false, Envelope::Xml) => app.corp_id.as_str(),
            (false, Envelope::Json) => "",
        };
        let (url, key) = self.callback()?;
        let (random, nonce) = self.random();
        let encrypted = key.encrypt(random, &inner, receive_id);
        let timestamp = time_s.to_string();
        let mut signature = key.sign(&timestamp, &nonce, &encrypted);
        if notice.forged {
            signature = signature.chars().rev().collect();
        }
        let body = match notice.envelope {
            Envelope::Xml => format!(
                "<xml><ToUserName><![CDATA[{}]]></ToUserName><AgentID><![CDATA[{}]]></AgentID>\
                 <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>",
                app.corp_id, app.agent_id
            ),
            Envelope::Json => json!({"encrypt": encrypted}).to_string(),
        };
        let joint = if url.contains('?') { '&' } else { '?' };
        self.shared.notices.put(Push {
            url: format!("{url}{joint}msg_signature={signature}&timestamp={timestamp}&nonce={nonce}"),
            kind: match notice.envelope {
                Envelope::Xml => "text/xml",
                Envelope::Json => "application/json",
            },
            body: body.into(),
            plain: inner,
            not_before: None,
            repeats: REPEATS,
            pause: self.shared.setup.repeat_pause,
            limit: self.shared.setup.callback_limit,
        })?;
        Ok(id.to_string())
    }

    /// The settings page is saved: the receiver has to decrypt and say back a text within a second.
    pub async fn verify_callback(&self) -> Result<(), String> {
        let (url, key) = self.callback().map_err(|error| error.to_string())?;
        let (random, nonce) = self.random();
        let wanted = format!("16161403175551{}", self.next_id());
        let encrypted = key.encrypt(random, &wanted, &self.shared.setup.app.corp_id);
        let timestamp = (self.shared.book.now_ms() / 1_000).to_string();
        let signature = key.sign(&timestamp, &nonce, &encrypted);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("msg_signature", &signature)
            .append_pair("timestamp", &timestamp)
            .append_pair("nonce", &nonce)
            .append_pair("echostr", &encrypted)
            .finish();
        let joint = if url.contains('?') { '&' } else { '?' };
        match self.shared.poster.get(&format!("{url}{joint}{query}"), ECHO_LIMIT).await {
            Ok((200, body)) if body == wanted.as_bytes() => Ok(()),
            Ok((200, _)) => Err("the answer is not the decrypted text alone".to_owned()),
            Ok((status, _)) => Err(format!("the receiver answers {status}")),
            Err(error) => Err(format!("the receiver cannot be reached: {}", error.name())),
        }
    }

    /// Decrypts what a receiver answers to a callback: text and receiver id.
    pub fn decrypt(&self, encrypted: &str) -> Result<(String, String), String> {
        let (_, key) = self.callback().map_err(|error| error.to_string())?;
        key.decrypt(encrypted).map_err(str::to_owned)
    }

    fn callback(&self) -> Result<(String, CallbackKey), SimError> {
        let app = &self.shared.setup.app;
        let url =
            self.office_callback().ok_or_else(|| SimError::Invalid("the application has no callback".to_owned()))?;
        let key = CallbackKey::new(&app.token, &app.aes_key);
        let key = key.ok_or_else(|| SimError::Invalid("EncodingAESKey has not 43 characters".to_owned()))?;
        Ok((url, key))
    }

    fn office_callback(&self) -> Option<String> {
        let set = self.office().callback.clone();
        set.or_else(|| self.shared.setup.app.callback.clone())
    }

    /// Where the application's callback goes from now on.
    pub fn set_app_callback(&self, url: &str) {
        self.office().callback = Some(url.to_owned());
    }

    fn random(&self) -> ([u8; 16], String) {
        let text = self.office().next("nonce");
        let random = text.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        let digits: String = text.bytes().rev().take(10).map(|byte| char::from(b'0' + byte % 10)).collect();
        (random, digits)
    }
}

fn inner_xml(notice: &Notice, corp: &str, user: &str, agent: u64, id: u64, time_s: u64) -> String {
    let fields: String = notice
        .fields
        .iter()
        .map(|(name, value)| format!("<{name}><![CDATA[{}]]></{name}>\n", value.replace("]]>", "]]]]><![CDATA[>")))
        .collect();
    let msg_id = if notice.msg_type == "event" { String::new() } else { format!("<MsgId>{id}</MsgId>\n") };
    format!(
        "<xml><ToUserName><![CDATA[{corp}]]></ToUserName>\n<FromUserName><![CDATA[{user}]]></FromUserName>\n\
         <CreateTime>{time_s}</CreateTime>\n<MsgType><![CDATA[{}]]></MsgType>\n{fields}{msg_id}<AgentID>{agent}</AgentID>\n</xml>",
        notice.msg_type
    )
}

fn inner_json(notice: &Notice, user: &str, id: u64) -> String {
    let field = |name: &str| notice.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mut inner = json!({
        "msgid": id.to_string(), "aibotid": "AIBOTID", "from": {"userid": user},
        "chattype": if field("chatid").is_some() { "group" } else { "single" },
        "response_url": "https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=1", "msgtype": notice.msg_type
    });
    if let Value::Object(inner) = &mut inner {
        inner.extend(field("Content").map(|text| ("text".to_owned(), json!({"content": text}))));
        inner.extend(field("chatid").map(|chat| ("chatid".to_owned(), json!(chat))));
    }
    inner.to_string()
}
