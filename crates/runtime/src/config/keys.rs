//! Which keys may stand in `bot.toml`, and what does each take?
//!
//! The checker, the defaults and the JSON Schema all come from these tables, so they cannot disagree.

use serde_json::{Map, Value, json};

/// One key of a table. Tables of keys are constants: `const OPTIONS: &[Key] = &[Key::new(…).preset(…)];`
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// One sentence for editors and the guide.
    pub doc: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is not given.
    pub preset: Preset,
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, doc: &'static str, kind: Kind) -> Self {
        Self { name, doc, kind, required: false, preset: Preset::None }
    }

    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// What holds when it is not given.
    #[must_use]
    pub const fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Anything.
    Any,
    /// Any text.
    Text,
    /// A path: a text that is not empty.
    Path,
    /// `true` or `false`.
    Bool,
    /// A whole number within limits.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A duration like `"15s"`.
    Duration,
    /// A rate like `"20/min"`.
    Rate,
    /// A number of bytes like `"512MiB"`, at least so many.
    Size {
        /// The least.
        min: u64,
    },
    /// Hours of the day like `"23:00-07:00"`, or `"off"`.
    Hours,
    /// A time zone like `"Asia/Shanghai"`.
    Zone,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A URL with one of these schemes and a host. Its text never appears in a message: it may hold a password.
    Url {
        /// Allowed schemes.
        schemes: &'static [&'static str],
    },
    /// A contact id like `"p12"`.
    ContactId,
    /// The name of an account.
    AccountName,
    /// `"sim"` or `"http://host:port"`.
    Endpoint,
    /// An address to listen on: `"127.0.0.1:8460"`.
    Listen,
    /// An IP address, or a network of them: `"10.0.0.0/8"`.
    Network,
    /// `{ env = "…" }` or `{ file = "…" }`. Its text never appears in a message.
    Secret,
    /// A list of such values.
    List(&'static Self),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table with keys of the user's choice.
    Map(&'static Self),
    /// A table of plugin id → settings, which the plugins check.
    Plugins,
    /// A table that whoever it belongs to checks.
    Settings,
    /// A table of role → contact ids.
    Roles,
    /// The list of accounts, whose keys depend on their protocol.
    Accounts,
}

impl Kind {
    /// What to write, with its article.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::Text | Self::Path | Self::Choice(_) | Self::AccountName => "a text".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Integer { .. } => "a whole number".to_owned(),
            Self::Duration => "a duration like \"15s\"".to_owned(),
            Self::Size { .. } => "a size like \"512MiB\"".to_owned(),
            Self::Hours => "hours like \"23:00-07:00\"".to_owned(),
            Self::Zone => "a time zone like \"Asia/Shanghai\"".to_owned(),
            Self::Rate => "a rate like \"20/min\"".to_owned(),
            Self::Url { .. } => "a URL".to_owned(),
            Self::ContactId => "a contact id like \"p12\"".to_owned(),
            Self::Endpoint => "\"sim\" or \"http://host:port\"".to_owned(),
            Self::Listen => "an address like \"127.0.0.1:8460\"".to_owned(),
            Self::Network => "an address or network like \"10.0.0.0/8\"".to_owned(),
            Self::Secret => "{ env = \"…\" } or { file = \"…\" }".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) | Self::Map(_) | Self::Plugins | Self::Settings | Self::Roles => "a table".to_owned(),
            Self::Accounts => "a list of tables, each headed [[accounts]],".to_owned(),
        }
    }
}

/// What holds when a key is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Preset {
    /// Nothing; or what the protocol says.
    None,
    /// This text.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// This.
    Bool(bool),
    /// A list of these texts.
    Texts(&'static [&'static str]),
}

impl Preset {
    pub(super) fn json(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(json!(text)),
            Self::Integer(number) => Some(json!(number)),
            Self::Bool(yes) => Some(json!(yes)),
            Self::Texts(list) => Some(json!(list)),
        }
    }
}

/// The presets of these keys.
pub(super) fn presets(keys: &[Key]) -> Map<String, Value> {
    keys.iter().filter_map(|key| Some((key.name.to_owned(), key.preset.json()?))).collect()
}

/// The middleware that runs when nobody says otherwise, in this order.
pub const DEFAULT_MIDDLEWARE: &[&str] = &["ignore-self", "old-message", "access", "loop-guard", "rate-limit", "trace"];

/// What may stand before the word of a command when nobody says otherwise.
pub(super) const DEFAULT_PREFIXES: &[&str] = &["/", ""];

const LIST_OF_TEXT: Kind = Kind::List(&Kind::Text);
const CONTACTS: Kind = Kind::List(&Kind::ContactId);

/// `[pacing]`.
pub(super) const PACING: &[Key] = &[
    Key::new("per_account", "How fast one account sends over all its chats.", Kind::Rate),
    Key::new(
        "burst",
        "How many messages may go out at once before the pace applies.",
        Kind::Integer { min: 1, max: 10_000 },
    ),
    Key::new("per_chat", "How fast one account sends into one chat.", Kind::Rate),
    Key::new("max_age", "How old an unsent answer may become before it is given up.", Kind::Duration),
    Key::new("texts", "How fast texts go out over all chats.", Kind::Rate),
    Key::new("media", "How fast pictures, films, files and shared things go out over all chats.", Kind::Rate),
    Key::new("friend_requests", "How often it asks people to become friends; one at a time.", Kind::Rate),
    Key::new("friend_accepts", "How often it accepts people who ask; up to three at once.", Kind::Rate),
    Key::new(
        "room_changes",
        "How often it changes rooms; each person brought in or put out counts, up to three at once.",
        Kind::Rate,
    ),
    Key::new("recalls", "How often it takes messages back.", Kind::Rate),
    Key::new(
        "jitter",
        "Each message is followed by a random time of up to so many percent of the account's interval.",
        Kind::Integer { min: 0, max: 1_000 },
    ),
    Key::new(
        "quiet",
        "Hours in which nothing goes out by itself: `23:00-07:00`, perhaps of weekdays; `off`: none.",
        Kind::Hours,
    ),
    Key::new("tz", "The time zone of the quiet hours.", Kind::Zone).preset(Preset::Text("Asia/Shanghai")),
    Key::new(
        "quiet_for",
        "What waits in quiet hours: `pushes`, which answer nobody who writes just now, or `all`.",
        Kind::Choice(&["pushes", "all"]),
    )
    .preset(Preset::Text("pushes")),
    Key::new("warm_up", "For how long an account sends more slowly after a new login; `0s`: not at all.", Kind::Duration),
    Key::new(
        "warm_up_from",
        "Which percent of each pace holds right after a new login.",
        Kind::Integer { min: 1, max: 100 },
    ),
    Key::new(
        "same_text",
        "What becomes of a text that too many chats have got: `refuse`, `wait` or `allow`.",
        Kind::Choice(&["refuse", "wait", "allow"]),
    ),
    Key::new("same_text_chats", "How many chats may get one text within `same_text_per`.", Kind::Integer { min: 1, max: 10_000 })
        .preset(Preset::Integer(5)),
    Key::new("same_text_per", "Within which time a text to many chats is too much; at most a day.", Kind::Duration).preset(Preset::Text("10min")),
    Key::new(
        "same_text_for",
        "Which texts count: `pushes`, which answer nobody who writes just now, or `all`.",
        Kind::Choice(&["pushes", "all"]),
    )
    .preset(Preset::Text("pushes")),
    Key::new(
        "repeat",
        "What becomes of a text that its chat has just got: `space`, `drop` or `allow`.",
        Kind::Choice(&["space", "drop", "allow"]),
    ),
    Key::new("repeat_after", "How soon the same text in one chat is too soon, at most a day.", Kind::Duration)
        .preset(Preset::Text("3s")),
    Key::new(
        "pushes",
        "What becomes of pushes that had to wait: `wait`, `merge` into one text for each chat, or `expire` as answers do.",
        Kind::Choice(&["wait", "merge", "expire"]),
    )
    .preset(Preset::Text("wait")),
];

/// `[media]`.
pub(super) const MEDIA: &[Key] = &[
    Key::new(
        "max_size",
        "How much the media folder may hold; what was not used for the longest time goes first.",
        Kind::Size { min: 1 << 20 },
    )
    .preset(Preset::Text("1GiB")),
    Key::new("keep", "How long a media file stays after it was last used.", Kind::Duration).preset(Preset::Text("30d")),
];

/// `[archive]`.
pub(super) const ARCHIVE: &[Key] = &[
    Key::new("policy", "What is remembered of conversations, where an account does not say otherwise.", POLICY)
        .preset(Preset::Text("off")),
    Key::new("keep", "How long it is remembered.", Kind::Duration).preset(Preset::Text("365d")),
];

/// Nothing; who, where and when; the texts too.
const POLICY: Kind = Kind::Choice(&["off", "metadata", "full"]);

/// `[store]`.
pub(super) const STORE: &[Key] = &[
    Key::new(
        "reserve",
        "How much of the disk stays free: below it handling and sending stop, and at an eighth of it taking.",
        Kind::Size { min: 0 },
    )
    .preset(Preset::Text("256MiB")),
    Key::new("keep_done", "How long stays what events said that are done, and sends that were sent.", Kind::Duration)
        .preset(Preset::Text("7d")),
    Key::new("keep_dead", "How long events stay that were given up.", Kind::Duration).preset(Preset::Text("90d")),
    Key::new("keep_keys", "How long an event that comes again is known.", Kind::Duration).preset(Preset::Text("30d")),
    Key::new("keep_sends", "How long sends stay that have ended.", Kind::Duration).preset(Preset::Text("30d")),
];

/// `[alerts]`.
pub(super) const ALERTS: &[Key] = &[
    Key::new(
        "after",
        "How long an account may be out of work before somebody is told; one that needs a login is told at once.",
        Kind::Duration,
    )
    .preset(Preset::Text("1min")),
    Key::new("repeat", "How often a trouble that goes on is told again.", Kind::Duration).preset(Preset::Text("6h")),
    Key::new("all_clear", "Whether its end is told too.", Kind::Bool).preset(Preset::Bool(false)),
    Key::new(
        "uncertain",
        "More held replies of one account than this are told.",
        Kind::Integer { min: 0, max: 1_000_000 },
    )
    .preset(Preset::Integer(10)),
    Key::new(
        "qr",
        "Whether a QR code is made when a login is needed, and told: whoever gets it can log in, and so can who reads along.",
        Kind::Bool,
    )
    .preset(Preset::Bool(false)),
    Key::new("webhook", "Where the address is that alerts are posted to.", Kind::Secret),
    Key::new("format", "What the address understands.", Kind::Choice(&["json", "wecom", "dingtalk", "feishu"]))
        .preset(Preset::Text("json")),
    Key::new(
        "sign_secret",
        "Where the secret is that a robot of DingTalk or Feishu has its posts signed with.",
        Kind::Secret,
    ),
    Key::new("command", "A program and its arguments that is run for each alert, without a shell.", LIST_OF_TEXT)
        .preset(Preset::Texts(&[])),
    Key::new("via", "The account through which alerts are sent.", Kind::AccountName),
    Key::new("to", "To whom that account sends them.", Kind::ContactId),
];

/// `[server]`.
pub(super) const SERVER: &[Key] = &[
    Key::new("listen", "Where it listens for what services push, for health and for figures.", Kind::Listen)
        .preset(Preset::Text("127.0.0.1:8460")),
    Key::new(
        "default_path_listen",
        "Where it listens besides, for hooks whose address cannot be set: `127.0.0.1:30000`.",
        Kind::Listen,
    ),
    Key::new(
        "i_know_this_is_plain",
        "Lets it listen in plain HTTP where others can reach it; a reverse proxy with TLS is better.",
        Kind::Bool,
    )
    .preset(Preset::Bool(false)),
    Key::new("hosts", "Names by which it may be asked besides `localhost` and addresses: the proxy's.", LIST_OF_TEXT)
        .preset(Preset::Texts(&[])),
    Key::new("allow", "From where pushes may come; from everywhere when empty.", Kind::List(&Kind::Network))
        .preset(Preset::Texts(&[])),
    Key::new(
        "spool_max",
        "How much may wait on disk under `wxbot run --keeper` while the core is down; beyond it pushes are refused.",
        Kind::Size { min: 1 << 20 },
    )
    .preset(Preset::Text("1GiB")),
];

/// The tables of middleware, at the top level and in an account.
pub(super) const MIDDLEWARE: &[Key] = &[
    Key::new("ignore-self", "Stops messages that the account itself sent; it has no settings.", Kind::Table(&[])),
    Key::new(
        "old-message",
        "Marks messages that arrive long after they were written; only plugins that ask for late ones see them.",
        Kind::Table(OLD_MESSAGE),
    ),
    Key::new("access", "Says whose messages reach the plugins.", Kind::Table(ACCESS)),
    Key::new("loop-guard", "Mutes a chat where two bots answer each other.", Kind::Table(LOOP_GUARD)),
    Key::new("rate-limit", "Limits how many messages reach the plugins.", Kind::Table(RATE_LIMIT)),
    Key::new("trace", "Writes one log line per event; it has no settings.", Kind::Table(&[])),
];

const OLD_MESSAGE: &[Key] =
    &[Key::new("after", "The age from which a message is old.", Kind::Duration).preset(Preset::Text("10min"))];

const ACCESS: &[Key] = &[
    Key::new("allow_chats", "If not empty, only these chats are heard.", CONTACTS).preset(Preset::Texts(&[])),
    Key::new("deny_chats", "These chats are never heard.", CONTACTS).preset(Preset::Texts(&[])),
    Key::new("allow_senders", "If not empty, only these senders are heard.", CONTACTS).preset(Preset::Texts(&[])),
    Key::new("deny_senders", "These senders are never heard.", CONTACTS).preset(Preset::Texts(&[])),
    Key::new("private", "Whether private chats are heard.", Kind::Bool).preset(Preset::Bool(true)),
    Key::new("groups", "Whether group chats are heard.", Kind::Bool).preset(Preset::Bool(true)),
];

const LOOP_GUARD: &[Key] = &[
    Key::new(
        "replies",
        "So many replies in one chat within `per` look like a loop.",
        Kind::Integer { min: 1, max: 10_000 },
    )
    .preset(Preset::Integer(5)),
    Key::new("per", "The time in which replies are counted.", Kind::Duration).preset(Preset::Text("10s")),
    Key::new("mute", "How long the chat stays muted.", Kind::Duration).preset(Preset::Text("60s")),
];

const RATE_LIMIT: &[Key] = &[
    Key::new("per_sender", "How many messages of one sender are heard.", Kind::Rate).preset(Preset::Text("30/min")),
    Key::new("per_chat", "How many messages of one chat are heard.", Kind::Rate).preset(Preset::Text("60/min")),
];

/// The top level, without the tables of middleware.
const TOP: &[Key] = &[
    Key::new("data_dir", "The folder for everything wxbot remembers, relative to this file.", Kind::Path)
        .preset(Preset::Text("data")),
    Key::new("middleware", "What every event passes on its way to the plugins, in this order.", LIST_OF_TEXT)
        .preset(Preset::Texts(DEFAULT_MIDDLEWARE)),
    Key::new(
        "builtin",
        "Whether wxbot answers `帮助`/`help`, and its owner `/plugin` and `/why`, before any plugin does.",
        Kind::Bool,
    )
    .preset(Preset::Bool(true)),
    Key::new(
        "command_prefix",
        "What may stand before the word of a command; an empty text: nothing need to.",
        LIST_OF_TEXT,
    )
    .preset(Preset::Texts(DEFAULT_PREFIXES)),
    Key::new("pacing", "How fast accounts send; the protocol's own pace where absent.", Kind::Table(PACING)),
    Key::new("media", "The folder for pictures, films and files, both received and to be sent.", Kind::Table(MEDIA)),
    Key::new("archive", "The history of conversations, for `wxbot messages`.", Kind::Table(ARCHIVE)),
    Key::new("store", "How what wxbot remembers is kept, and for how long.", Kind::Table(STORE)),
    Key::new("server", "Where services push to, and where health and figures are asked.", Kind::Table(SERVER)),
    Key::new("alerts", "Who is told when something is wrong, and how.", Kind::Table(ALERTS)),
    Key::new("plugins", "The settings of plugins, common to all accounts.", Kind::Plugins),
    Key::new("accounts", "The WeChat identities that wxbot operates.", Kind::Accounts).required(),
];

/// One account, without the tables of middleware and the options of its protocol.
const ACCOUNT: &[Key] = &[
    Key::new("name", "What this account is called everywhere.", Kind::AccountName).required(),
    Key::new("protocol", "How the account is reached.", Kind::Text).required(),
    Key::new("profile", "Which service, where the protocol has several.", Kind::Text),
    Key::new(
        "endpoint",
        "`sim` for the built-in simulator, or the address of another server; absent: the real service.",
        Kind::Endpoint,
    ),
    Key::new(
        "proxy",
        "The proxy that all connections of the account go through.",
        Kind::Url { schemes: &["socks5", "socks5h", "http", "https"] },
    ),
    Key::new("enabled", "Whether the account runs.", Kind::Bool).preset(Preset::Bool(true)),
    Key::new("use", "Its plugins, in this order; absent: all of `[plugins.*]`.", LIST_OF_TEXT),
    Key::new("middleware", "Its middleware instead of the common list.", LIST_OF_TEXT),
    Key::new(
        "on_uncertain",
        "What to do with a message of which nobody knows whether it was sent.",
        Kind::Choice(&["hold", "resend", "drop"]),
    )
    .preset(Preset::Text("hold")),
    Key::new(
        "typing",
        "Whether who writes sees that an answer is being written, where the service can show it and it takes over a second.",
        Kind::Bool,
    )
    .preset(Preset::Bool(true)),
    Key::new("archive", "What is remembered of this account's conversations, instead of `archive.policy`.", POLICY),
    Key::new("plugins", "Settings of plugins for this account, over the common ones key by key.", Kind::Plugins),
    Key::new("pacing", "How fast this account sends, over the common pace key by key.", Kind::Table(PACING)),
    Key::new(
        "roles",
        "Who may do what, by contact id: `owner`, `admin`, words of your own, and `group-admin` as \"room/person\".",
        Kind::Roles,
    ),
    Key::new("secrets", "Secrets by name, each from the environment or a file.", Kind::Map(&Kind::Secret)),
];

/// The keys of the top level.
pub(super) fn top() -> impl Iterator<Item = &'static Key> + Clone {
    TOP.iter().chain(MIDDLEWARE)
}

/// The keys that every account has.
pub(super) fn account() -> impl Iterator<Item = &'static Key> + Clone {
    ACCOUNT.iter().chain(MIDDLEWARE)
}

/// The settings of this middleware; none for one that has no table.
pub(super) fn middleware(name: &str) -> &'static [Key] {
    match MIDDLEWARE.iter().find(|key| key.name == name).map(|key| key.kind) {
        Some(Kind::Table(keys)) => keys,
        Some(_) | None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sound() {
        for keys in [
            top().collect::<Vec<_>>(),
            account().collect(),
            PACING.iter().collect(),
            MEDIA.iter().collect(),
            STORE.iter().collect(),
            SERVER.iter().collect(),
            ALERTS.iter().collect(),
            ACCESS.iter().collect(),
        ] {
            for (n, key) in keys.iter().enumerate() {
                assert!(key.doc.ends_with('.'), "{}", key.name);
                assert!(keys[..n].iter().all(|k| k.name != key.name), "{} twice", key.name);
                assert!(!(key.required && key.preset != Preset::None), "{}", key.name);
            }
        }
        assert!(DEFAULT_MIDDLEWARE.iter().all(|name| MIDDLEWARE.iter().any(|key| key.name == *name)));
    }

    #[test]
    fn presets_become_settings() {
        assert_eq!(
            Value::Object(presets(middleware("loop-guard"))),
            json!({ "replies": 5, "per": "10s", "mute": "60s" })
        );
        assert!(presets(middleware("unheard-of")).is_empty());
    }
}
