//! What does a simulated WeChat consist of before anyone logs in: accounts, friends, rooms, rules?
//!
//! [`World`] is what `world.toml` holds. Everything in it is written by people, so unknown keys are errors.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::WorldError;
use crate::roomlife::RoomChange;

/// A whole simulated WeChat: rules of the service and its accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Where all random values come from: UserNames, keys, tickets. The same seed gives the same values per account.
    pub seed: u64,
    /// Scans and confirms every QR code by itself, for the account that is offline (or was heard of least recently).
    pub auto_confirm: bool,
    /// False: newloginpage answers 1203, unless the account says otherwise.
    pub web_allowed: bool,
    /// True: newloginpage answers 1203 without `mod=desktop` and an `extspam` header, unless the account says otherwise.
    pub desktop_only: bool,
    /// Whether webwxpushloginurl is allowed, unless the account says otherwise.
    pub push_login: bool,
    /// Whether the phone confirms a push login by itself, unless the account says otherwise.
    pub push_auto_confirm: bool,
    /// Entries per page of webwxgetcontact.
    pub page_size: usize,
    /// How long an idle login poll or synccheck is held.
    #[serde(with = "span")]
    pub hold: Duration,
    /// Log entries per webwxsync answer; more set `ContinueFlag`.
    pub sync_batch: usize,
    /// An old server sends no SyncCheckKey.
    pub old_server: bool,
    /// After this time an unused QR code answers 400.
    #[serde(with = "span")]
    pub qr_lifetime: Duration,
    /// Whether scripted people accept friend requests and invitations by themselves, unless they or the account say
    /// otherwise.
    pub auto_accept: bool,
    /// Bytes of uploads and of media in messages that are kept in memory, all together.
    pub media_limit: usize,
    /// The accounts that exist from the start.
    pub accounts: Vec<AccountSpec>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            seed: 1,
            auto_confirm: false,
            web_allowed: true,
            desktop_only: false,
            push_login: true,
            push_auto_confirm: false,
            page_size: 500,
            hold: Duration::from_secs(25),
            sync_batch: 50,
            old_server: false,
            qr_lifetime: Duration::from_secs(300),
            auto_accept: false,
            // Ten of the largest files that clients send, and far below what a test machine has.
            media_limit: 256 * 1024 * 1024,
            accounts: Vec::new(),
        }
    }
}

impl World {
    /// Reads a `world.toml`.
    pub fn load(path: &Path) -> Result<Self, WorldError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| WorldError::Read { path: path.to_owned(), source })?;
        Self::from_toml(&text)
    }

    /// Reads the text of a `world.toml`. An error of syntax shows line and column.
    pub fn from_toml(text: &str) -> Result<Self, WorldError> {
        let world: Self = toml::from_str(text)?;
        if world.page_size == 0 || world.sync_batch == 0 {
            return Err(WorldError::Meaning("`page_size` and `sync_batch` must be at least 1".to_owned()));
        }
        let mut names = HashSet::new();
        for account in &world.accounts {
            account.validate().map_err(WorldError::Meaning)?;
            if !names.insert(account.name.as_str()) {
                return Err(WorldError::Meaning(format!("account `{}` is there twice", account.name)));
            }
        }
        for account in &world.accounts {
            let links = account.friends.iter().map(|friend| friend.account.as_str());
            if let Some(unknown) = links.filter(|link| !link.is_empty()).find(|link| !names.contains(link)) {
                let name = &account.name;
                return Err(WorldError::Meaning(format!(
                    "a friend of account `{name}` is `{unknown}`, which is no account"
                )));
            }
        }
        Ok(world)
    }

    /// The same world with one account more.
    #[must_use]
    pub fn with(mut self, account: AccountSpec) -> Self {
        self.accounts.push(account);
        self
    }
}

/// One WeChat account of the world.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSpec {
    /// How scripts and control orders call the account.
    pub name: String,
    /// NickName; empty means the name.
    pub nick: String,
    /// Uin, drawn when absent.
    pub uin: Option<u64>,
    /// Alias.
    pub alias: String,
    /// 0 unknown, 1 male, 2 female.
    pub sex: u8,
    /// Signature.
    pub signature: String,
    /// Address book.
    pub friends: Vec<FriendSpec>,
    /// Rooms the account is in.
    pub rooms: Vec<RoomSpec>,
    /// What friends say by themselves after login.
    pub script: Vec<ScriptSpec>,
    /// In which language the service writes its own texts to the account.
    pub lang: Lang,
    /// Overrides [`World::auto_accept`].
    pub auto_accept: Option<bool>,
    /// Overrides [`World::web_allowed`].
    pub web_allowed: Option<bool>,
    /// Overrides [`World::desktop_only`].
    pub desktop_only: Option<bool>,
    /// Overrides [`World::push_login`].
    pub push_login: Option<bool>,
    /// Overrides [`World::push_auto_confirm`].
    pub push_auto_confirm: Option<bool>,
}

impl AccountSpec {
    /// An account without friends.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same account with one plain friend more.
    #[must_use]
    pub fn friend(mut self, nick: impl Into<String>) -> Self {
        self.friends.push(FriendSpec { nick: nick.into(), ..FriendSpec::default() });
        self
    }

    /// The same account in one room more; members are friends' nicks or strangers.
    #[must_use]
    pub fn room(mut self, topic: impl Into<String>, members: &[&str]) -> Self {
        let members = members.iter().map(|&nick| nick.to_owned()).collect();
        self.rooms.push(RoomSpec { topic: topic.into(), members, ..RoomSpec::default() });
        self
    }

    /// Says what is wrong with the account, for a person.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() {
            return Err("an account has no name".to_owned());
        }
        let mut nicks = HashSet::new();
        for friend in &self.friends {
            if friend.nick.is_empty() {
                return Err(format!("a friend of account `{name}` has no nick"));
            }
            if !nicks.insert(friend.nick.as_str()) {
                return Err(format!("account `{name}` has two friends called `{}`", friend.nick));
            }
        }
        let mut topics = HashSet::new();
        for room in &self.rooms {
            if room.topic.is_empty() || !topics.insert(room.topic.as_str()) {
                return Err(format!("account `{name}` has two rooms with topic `{}`, or one without", room.topic));
            }
        }
        for line in &self.script {
            if line.room.as_ref().is_some_and(|room| !topics.contains(room.as_str())) {
                return Err(format!("a script of account `{name}` speaks in a room it does not have"));
            }
            if line.change.is_some() && (line.room.is_none() || !line.text.is_empty() || !line.friend.is_empty()) {
                return Err(format!("a `change` in a script of account `{name}` has a `room`, and nobody speaks"));
            }
            // On iLink the account is a person, who writes to a bot of their own.
            let owner = line.friend == *name || line.friend == self.nick && !self.nick.is_empty();
            if line.change.is_none() && line.room.is_none() && !owner && !nicks.contains(line.friend.as_str()) {
                return Err(format!("a script of account `{name}` lets `{}` speak, who is no friend", line.friend));
            }
            if line.every.is_some_and(|every| every.is_zero()) {
                return Err(format!("a script of account `{name}` repeats every 0 s"));
            }
            if line.times.is_some() && line.every.is_none() {
                return Err(format!("a script of account `{name}` has `times` and no `every`"));
            }
        }
        Ok(())
    }
}

/// One entry of an address book.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FriendSpec {
    /// NickName, unique among the account's friends.
    pub nick: String,
    /// RemarkName the account gave.
    pub remark: String,
    /// Alias.
    pub alias: String,
    /// 0 unknown, 1 male, 2 female.
    pub sex: u8,
    /// Signature.
    pub signature: String,
    /// VerifyFlag: 8, 24, 56 … make an official account.
    pub official: u32,
    /// Name of another account of the world, when the friend is one: what is sent to it arrives there.
    pub account: String,
    /// Whether it accepts by itself; overrides the account's and the world's `auto_accept`.
    pub accepts: Option<bool>,
}

/// Language of the texts that the service writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// One room of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSpec {
    /// NickName of the room.
    pub topic: String,
    /// Everyone but the account itself: nicks of friends, or names of strangers.
    pub members: Vec<String>,
    /// Group nicknames (DisplayName) by member nick; the account's own under its account name.
    pub display_names: BTreeMap<String, String>,
    /// Nick of the owner; absent: the account itself.
    pub owner: Option<String>,
    /// Saved to the address book: also in webwxgetcontact.
    pub saved: bool,
    /// Where a client meets the room at login.
    pub met: RoomMet,
    /// Rooms of several accounts with the same id are one room. Empty: the account's own.
    pub id: String,
}

/// Where a client first hears of a room that is not saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomMet {
    /// In the ContactList of webwxinit (with some members), in its ChatSet and in the type 51 message.
    #[default]
    Init,
    /// In the ChatSet of webwxinit and in the type 51 message.
    Chatset,
    /// Only in the type 51 message.
    Notify,
    /// Only by a message from it.
    Message,
}

/// Something a friend says by itself, or something that happens to a room by itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptSpec {
    /// Nick of the speaker. The account's own nick or name is its owner, who writes to a bot of iLink; nowhere else.
    #[serde(default)]
    pub friend: String,
    /// Topic, when it is said in a room.
    #[serde(default)]
    pub room: Option<String>,
    /// What is said.
    #[serde(default)]
    pub text: String,
    /// What happens to the room, instead of a text.
    #[serde(default)]
    pub change: Option<RoomChange>,
    /// How long after login.
    #[serde(with = "span", default)]
    pub after: Duration,
    /// Again and again after this time.
    #[serde(with = "span::optional", default)]
    pub every: Option<Duration>,
    /// But no more often than this in all; without it, until the logout.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Durations as people write them: `250ms`, `2s`, `5m`, `1h`.
mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn parse(text: &str) -> Result<Duration, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number
            .parse()
            .map_err(|error| format!("`{text}` is no duration ({error}): write `2s`, `250ms` or `5m`"))?;
        let seconds = match unit.trim() {
            "ms" => number / 1000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(format!("`{text}` has no unit of `ms`, `s`, `m`, `h`")),
        };
        Duration::try_from_secs_f64(seconds).map_err(|source| format!("`{text}`: {source}"))
    }

    fn show(span: &Duration) -> String {
        format!("{}ms", span.as_millis())
    }

    pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show(span))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }

    pub(super) mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer, de};

        pub(in super::super) fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match span {
                Some(span) => to.serialize_str(&super::show(span)),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            let text: Option<String> = Option::deserialize(from)?;
            text.map(|text| super::parse(&text).map_err(de::Error::custom)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_world() {
        let world = World::from_toml(
            r#"
            seed = 7
            hold = "250ms"
            [[accounts]]
            name = "xiaoli"
            lang = "en"
            friends = [{ nick = "老王", remark = "王总", accepts = true }, { nick = "订阅号", official = 24 }]
            rooms = [{ topic = "群", members = ["老王", "路人"], saved = true, met = "message" }]
            [[accounts.script]]
            friend = "老王"
            text = "在吗"
            after = "2s"
            every = "20s"
            "#,
        )
        .unwrap();
        assert_eq!(world.hold, Duration::from_millis(250));
        let account = &world.accounts[0];
        assert_eq!((account.lang, account.friends[0].accepts), (Lang::En, Some(true)));
        assert_eq!(account.friends[1].official, 24);
        assert_eq!(account.rooms[0].met, RoomMet::Message);
        assert_eq!(account.script[0].every, Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_file_is_named_when_it_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("world.toml");
        assert!(World::load(&path).unwrap_err().to_string().contains("world.toml"));
        std::fs::write(&path, "seed = 9").unwrap();
        assert_eq!(World::load(&path).unwrap().seed, 9);
    }

    #[test]
    fn refuses_with_a_place() {
        for (name, text, want) in [
            ("unknown key", "seed = 1\nhodl = \"2s\"", "line 2"),
            ("no unit", "hold = \"2\"", "line 1"),
            ("not toml", "seed = = 1", "line 1"),
            ("twice", "[[accounts]]\nname = \"a\"\n[[accounts]]\nname = \"a\"", "`a` is there twice"),
            (
                "no such account",
                "[[accounts]]\nname = \"a\"\nfriends = [{ nick = \"x\", account = \"b\" }]",
                "`b`, which is no",
            ),
            ("stranger speaks", "[[accounts]]\nname = \"a\"\nscript = [{ friend = \"b\", text = \"\" }]", "no friend"),
            (
                "nowhere changed",
                "[[accounts]]\nname = \"a\"\nscript = [{ change = { join = \"b\" } }]",
                "has a `room`, and nobody speaks",
            ),
            (
                "times of what",
                "[[accounts]]\nname = \"a\"\nfriends = [{ nick = \"b\" }]\nscript = [{ friend = \"b\", text = \"x\", times = 2 }]",
                "no `every`",
            ),
        ] {
            let error = World::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(want), "{name}: {error}");
        }
    }
}
