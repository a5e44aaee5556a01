//! Which parsers are there? All that read what wxbot did not write itself, in families: one function each over any bytes.
//!
//! [`webwx`] and [`ilink`] what the services answer → [`said`] texts and XML of messages → [`lenient`] what others write carelessly →
//! [`pushed`] what hooks and gateways push → [`sealed`] what WeCom signs → [`mapping`] tables of services, and their
//! answers → [`words`] what people write in settings → [`settings`] `bot.toml` as a whole → [`plugins`] what plugins are
//! told, and write → [`doors`] who asks the server and the control socket.
//!
//! Where a law holds (what is written is read as it was), the target asserts it.

use std::fmt;

mod doors;
mod ilink;
mod lenient;
mod mapping;
mod plugins;
mod pushed;
mod said;
mod sealed;
mod settings;
mod webwx;
mod words;

/// A family of parsers.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `fuzz/corpus/`.
    pub name: &'static str,
    /// Reads any bytes.
    pub run: fn(&[u8]),
    /// Which fixtures it begins with.
    pub seeds: Seeds,
    /// Words of its language.
    pub words: &'static [&'static str],
    /// Bytes of memory for each byte of an input. R10 says 10. Where a tree is built of it that is one too few: the
    /// shortest element of JSON or XML has two to four bytes, and its node 32 to 130.
    pub factor: u64,
    /// Bytes of memory besides, whatever the input: caches of patterns, tables that grow by doubling.
    pub slack: u64,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.name)
    }
}

/// Files that a target begins with.
#[derive(Debug, Clone, Copy)]
pub struct Seeds(pub &'static [Place]);

impl Seeds {
    /// None but its own corpus.
    pub const NONE: Self = Self(&[]);
}

/// A folder of the workspace, and how the names of the files end that are meant.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// From the root of the workspace.
    pub folder: &'static str,
    /// Ends of names.
    pub ends: &'static [&'static str],
}

const fn place(folder: &'static str, ends: &'static [&'static str]) -> Place {
    Place { folder, ends }
}

const WEBWX: &str = "tests/fixtures/webwx";
const HOOK: &str = "tests/fixtures/pc-hook";
const ILINK: &str = "tests/fixtures/ilink";
const WECOM: &str = "tests/fixtures/wecom";
const CONFIG: &str = "tests/fixtures/config";
const KIB: u64 = 1024;
/// What most targets may hold besides.
const SLACK: u64 = 256 * KIB;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "webwx-scripts",
        run: webwx::scripts,
        seeds: Seeds(&[place(WEBWX, &[".txt", ".resp.xml"])]),
        words: &[
            "window.QRLogin.code = 200;",
            "window.QRLogin.uuid = \"",
            "window.code=200;",
            "window.redirect_uri=\"https://wx.qq.com/",
            "window.userAvatar = 'data:img/jpg;base64,",
            "window.synccheck={retcode:\"0\",selector:\"2\"}",
            "<error><ret>0</ret>",
            "<redirecturl>",
            "%2F",
        ],
        factor: 10,
        slack: 2048 * KIB,
    },
    Target {
        name: "webwx-answers",
        run: webwx::answers,
        seeds: Seeds(&[place(WEBWX, &[".resp.json"])]),
        words: &[
            "\"BaseResponse\":{\"Ret\":0,\"ErrMsg\":\"\"}",
            "\"AddMsgList\":[",
            "\"ModContactList\":[",
            "\"DelContactList\":[",
            "\"MemberList\":[",
            "\"SyncKey\":{\"Count\":1,\"List\":[{\"Key\":1,\"Val\":2}]}",
            "\"UserName\":\"@@",
            "\"MsgType\":51",
            "\"HeadImgUrl\":\"/cgi-bin/mmwebwx-bin/webwxgeticon?seq=",
        ],
        factor: 64,
        slack: 2048 * KIB,
    },
    Target {
        name: "webwx-message",
        run: webwx::message,
        seeds: Seeds(&[place(WEBWX, &[".xml"]), place(WEBWX, &["-zh.json", "-en.json"])]),
        words: &[
            "@e5403f77c2193da671790c1a242d0b43:<br/>",
            "<msg><appmsg appid=\"\" sdkver=\"0\"><title>",
            "<type>57</type>",
            "<refermsg><type>49</type><content>",
            "<sysmsg type=\"revokemsg\">",
            "<op id='4'><username>",
            "&lt;msg&gt;",
            "<br/>",
        ],
        factor: 64,
        slack: 2048 * KIB,
    },
    Target {
        name: "ilink-answers",
        run: ilink::answers,
        seeds: Seeds(&[place(ILINK, &[".resp.json"])]),
        words: &[
            "{\"ret\":0,\"msgs\":[{\"message_id\":18446744073709551615,",
            "\"item_list\":[{\"type\":1,\"text_item\":{\"text\":\"",
            "\"ref_msg\":{\"svr_id\":7497484083968569001,",
            "\"partial_text\":{\"start\":\"a\",\"end\":\"b\",\"startindex\":0,\"endindex\":0}",
            "\"context_token\":\"",
            "\"status\":\"scaned_but_redirect\",\"redirect_host\":\"a.wechat.com@",
            "\"baseurl\":\"https://a.weixin.qq.com\\u0000",
            "\"errcode\":-14",
        ],
        factor: 96,
        slack: 2048 * KIB,
    },
    Target {
        name: "ilink-words",
        run: ilink::words,
        seeds: Seeds(&[place(ILINK, &[".req.json", "vectors-headers.json", "vectors-partial-quote.json"])]),
        words: &["wxbot/0.1.0 (a b)", "{\"start\":\"a\",\"end\":\"b\"}", "2.4.9", "(((", "a/1 "],
        factor: 64,
        slack: 2048 * KIB,
    },
    Target {
        name: "said-xml",
        run: said::xml,
        seeds: Seeds(&[place(WEBWX, &[".xml"])]),
        words: &[
            "<!DOCTYPE a [<!ENTITY x \"y\">]>",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?xml version=\"1.0\"?>",
            "</a>",
            "<a/>",
            " a=\"1\"",
            "&amp;",
            "&#x4f60;",
            "&x;",
        ],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "said-texts",
        run: said::texts,
        seeds: Seeds(&[place(WEBWX, &["-zh.json", "-en.json", ".xml"])]),
        words: &[
            "\"张三\"邀请你加入了群聊，群聊参与人还有：",
            " invited you and ",
            " to the group chat with ",
            "你将\"",
            "\"移出了群聊",
            "修改群名为“",
            "<span class=\"emoji emoji1f604\"></span>",
            "$username$",
            "<sysmsgtemplate><content_template type=\"tmpl_type_profile\"><template><![CDATA[",
            "<link name=\"username\" type=\"link_profile\"><memberlist><member><nickname>",
            "@所有人\u{2005}",
            "<a href=\"weixin://revoke",
        ],
        factor: 64,
        slack: 4096 * KIB,
    },
    Target {
        name: "lenient-json",
        run: lenient::json,
        seeds: Seeds(&[place(HOOK, &[".json"]), place(WECOM, &[".json"])]),
        words: &["{\"a\":", ",}", ",]", "C:\\Users\\", "\\u4f60", "\u{feff}", "[[[[", "1e5", "-0"],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "lenient-protobuf",
        run: lenient::protobuf,
        seeds: Seeds(&[place(HOOK, &["mode2-raw-pb.json"]), place(WECOM, &["event-room-topic.json"])]),
        words: &["\u{8}\u{1}", "\u{12}\u{5}hello", "\n\n", "0a0208010a020802", "2026-01-01 00:00:00"],
        factor: 160,
        slack: SLACK,
    },
    Target {
        name: "pchook-push",
        run: pushed::hook,
        seeds: Seeds(&[place(HOOK, &[".json"])]),
        words: &[
            "\u{1e}",
            "\"msglist\":[{",
            "\"msgtype\":\"49\"",
            "\"msgsvrid\":\"13430535177462202152\"",
            "\"sendorrecv\":\"1\"",
            "\"selfwxid\":\"wxid_",
            "\"ServerPort\":\"30001\"",
            "\"fromgid\":\"1@chatroom\"",
            "\"pb_data\":\"0a0208010a020802\"",
            "\"msg\":\"<msg>",
        ],
        factor: 160,
        slack: 2048 * KIB,
    },
    Target {
        name: "wecom-push",
        run: pushed::gateway,
        seeds: Seeds(&[place(WECOM, &[".json"])]),
        words: &[
            "\u{1e}",
            "\"token\":\"",
            "\"event_type\":\"ROOM_JOIN\"",
            "\"extension\":\"0a02",
            "\"msg_type\":\"",
            "\"content\":\"{\\\"",
            "\"invitee_id_list\":[",
            "R:1",
        ],
        factor: 64,
        slack: 2048 * KIB,
    },
    Target {
        name: "wecom-sealed",
        run: sealed::sealed,
        seeds: Seeds::NONE,
        words: &[
            "msg_signature=",
            "&timestamp=1409659813",
            "&nonce=1372623149",
            "&echostr=",
            "\n<xml><Encrypt><![CDATA[",
            "]]></Encrypt></xml>",
            "\n{\"encrypt\":\"",
            "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5",
        ],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "wecom-opened",
        run: sealed::opened,
        seeds: Seeds(&[place(WEBWX, &[".xml"])]),
        words: &[
            "<xml><ToUserName><![CDATA[",
            "<FromUserName>",
            "<MsgType><![CDATA[text]]></MsgType>",
            "<Event>subscribe</Event>",
            "{\"msgid\":\"",
            "\"msgtype\":\"mixed\"",
            "\"quote\":{\"msgtype\":\"text\"",
            "\"response_url\":\"https://qyapi.weixin.qq.com/",
            "\"chattype\":\"group\"",
        ],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "mapping-answer",
        run: mapping::answer,
        seeds: Seeds(&[place(HOOK, &[".resp.json"])]),
        words: &[
            "{\"ret\":0}",
            "{\"retmsg\":\"",
            "\"RevokeMsg\":\"已撤回\"",
            "\"MsgSvrID\":\"",
            "\"errcode\":0",
            "\"data\":[{\"wxid\":\"",
            "[{\"UserName\":\"",
            "\"next_cursor\":\"",
            "\"members\":\"a^b^c\"",
        ],
        factor: 96,
        slack: 1024 * KIB,
    },
    Target {
        name: "mapping-table",
        run: mapping::table,
        seeds: Seeds(&[place("crates/core/src/mapping/profile", &[".toml"])]),
        words: &[
            "[actions.send_text]\n",
            "path = \"/x\"\n",
            "body = { a = \"{{to}}\" }\n",
            "success = [{ ptr = \"/ret\", eq = 0 }]\n",
            "when = { to_suffix = \"@chatroom\" }\n",
            "{{secret.KEY}}",
            "{{text | json | xml}}",
            "regex = \"a+\"",
            "before = [\"login\"]\n",
            "save = { session_id = \"/id\" }\n",
        ],
        factor: 400,
        slack: 8192 * KIB,
    },
    Target {
        name: "model-words",
        run: words::model,
        seeds: Seeds::NONE,
        words: &[
            "15s",
            "20/min",
            "5/10s",
            "2MiB",
            "p12",
            "@@",
            "wxid_",
            "../",
            "CON",
            ".tar.gz",
            "\u{202e}gpj",
            "%PDF-1.7",
            "PK\u{3}\u{4}",
            "\u{89}PNG\r\n\u{1a}\n",
            "GIF89a",
            "RIFF",
            "ftypmp42",
        ],
        // A byte that is no text becomes three, and a name, like what is quoted of it, is copied a few times.
        factor: 24,
        slack: SLACK,
    },
    Target {
        name: "clock-words",
        run: words::clock,
        seeds: Seeds::NONE,
        words: &[
            "0 30 7 * * *",
            "*/5 9-17 * * MON-FRI",
            "0 0 29 2 *",
            "L",
            "22:00-07:00 Fri",
            "Sat,Sun",
            "Asia/Shanghai",
            "America/New_York",
        ],
        // A byte that is no text becomes three, and a name, like what is quoted of it, is copied a few times.
        factor: 24,
        slack: SLACK,
    },
    Target {
        name: "bot-toml",
        run: settings::bot_toml,
        seeds: Seeds(&[
            place(CONFIG, &[".toml"]),
            place("", &["bot.toml"]),
            place("crates/runtime/src/config/testdata", &[".toml"]),
        ]),
        words: &[
            "[[accounts]]\n",
            "name = \"a\"\n",
            "protocol = \"webwx\"\n",
            "use = [\"auto-reply\"]\n",
            "[plugins.keyword]\n",
            "[server]\nlisten = \"127.0.0.1:0\"\n",
            "[accounts.roles]\nowner = [\"p1\"]\n",
            "[accounts.actions.send_text]\n",
            "protocol = \"pc-hook\"\n",
            "protocol = \"wecom\"\n",
            "[pacing]\n",
            "\"\"\"",
            "0x",
            "1979-05-27T07:32:00Z",
        ],
        factor: 4000,
        slack: 16_384 * KIB,
    },
    Target {
        name: "plugin-settings",
        run: settings::of_plugins,
        seeds: Seeds(&[place("fuzz/corpus/bot-toml", &[".toml"])]),
        words: &[
            "[[rules]]\n",
            "exact = [\"hi\"]\n",
            "regex = '^(?P<a>.*)$'\n",
            "reply = \"{{ named.a }}\"\n",
            "any = [\"x\"]\n",
            "[links]\nallow = [\"example.com\"]\n",
            "[ladder]\nremove = 3\n",
            "[[join]]\nrooms = [\"r1\"]\n",
            "[llm]\nendpoint = \"http://127.0.0.1:1/v1\"\n",
            "cooldown = \"5s\"\n",
            "hours = \"22:00-07:00\"\n",
            "weight = 3\n",
        ],
        factor: 2000,
        slack: 16_384 * KIB,
    },
    Target {
        name: "plugin-abi",
        run: plugins::abi,
        seeds: Seeds::NONE,
        words: &["\u{81}\u{a7}effects", "\u{a4}kind", "\u{a7}message", "\u{90}", "\u{c0}"],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "plugin-words",
        run: plugins::words,
        seeds: Seeds::NONE,
        words: &[
            "{{ sender }}",
            "{% for a in range(9999) %}",
            "{% if x %}",
            "{{ groups[1] }}",
            "{{ named.a | upper }}",
            "(?P<a>.*)*",
            "(a|b){1000}",
            "\\p{Han}",
            "/away ",
            "／离开",
            "“a b”",
        ],
        factor: 1000,
        slack: 16_384 * KIB,
    },
    Target {
        name: "plugins-hear",
        run: plugins::hear,
        seeds: Seeds::NONE,
        words: &[
            "天气 北京\n",
            "加微信",
            "/加词 a => b\n",
            "/投票 周六 | 龙井 | 普洱 | 30min\n",
            "/踢 @小王\u{2005}\n",
            "https://bad.example.net/x",
            "hxxp://a[.]b",
            "微 信 号 a_b_c123",
            "/测词 ",
            "签到\n",
            "/away 明天\n",
            "群规\n",
            "撤销\n",
        ],
        factor: 1000,
        slack: 32_768 * KIB,
    },
    Target {
        name: "keyword-lists",
        run: plugins::lists,
        seeds: Seeds::NONE,
        words: &[
            "keyword,reply,tag\n",
            "[[entries]]\nkeyword = \"a\"\n",
            "a => b\n",
            "re:",
            "\u{feff}",
            "\"a\nb\",",
            "# ",
        ],
        factor: 400,
        slack: 4096 * KIB,
    },
    Target {
        name: "llm-stream",
        run: plugins::stream,
        seeds: Seeds::NONE,
        words: &[
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
            "\"}}]}\n\n",
            "data: [DONE]\n\n",
            "\"finish_reason\":\"stop\"",
            "\"usage\":{\"total_tokens\":7}",
            "<think>",
            "</think>",
            "[a](https://evil.example.net)",
            "\r\n",
            ": ping\n",
        ],
        factor: 64,
        slack: SLACK,
    },
    Target {
        name: "doors",
        run: doors::doors,
        seeds: Seeds(&[place(HOOK, &["recv-text-group-fromid.json"])]),
        words: &[
            "POST /push/hook/0123456789abcdef0123456789abcdef HTTP/1.1\r\nHost: 127.0.0.1\r\n",
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "POST /api/user/recive_msg HTTP/1.1\r\n",
            "Content-Length: 2\r\n\r\n{}",
            "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "Origin: null\r\n",
            "/../%2e%2e/",
            "{\"cmd\":\"accounts\"}",
            "{\"cmd\":\"explain\",\"accounts\":[\"a\"],\"event\":\"1\",\"lang\":\"",
            "{\"cmd\":\"contacts\",\"account\":\"a\",\"query\":{",
        ],
        factor: 64,
        slack: 1024 * KIB,
    },
];

/// The bytes behind the first, and what the first chooses of `n`.
fn choice(input: &[u8], n: u8) -> (u8, &[u8]) {
    match input.split_first() {
        Some((first, rest)) => (first % n.max(1), rest),
        None => (0, input),
    }
}
