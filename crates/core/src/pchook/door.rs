//! How does a hook's push come in? Judged by which instance it says that it is from, and answered when it is kept.

use std::sync::{PoisonError, RwLock};

use wxbot_model::{PeerId, Secret};

use super::reader::{Settings, instance};
use crate::push::{Door, Knock, Knocked, Mailbox, Refused, Reply};

/// The door of one account.
#[derive(Debug)]
pub struct HookDoor {
    server_port: Option<u16>,
    /// Ourselves: as `bot.toml` says it, else as the first push of the account did.
    self_wxid: RwLock<Option<PeerId>>,
    mailbox: Mailbox,
    secrets: Vec<Secret<String>>,
    default_path: bool,
}

impl HookDoor {
    /// For pushes of this instance. `default_path`: the hook's address cannot be set.
    pub fn new(settings: &Settings, secrets: Vec<Secret<String>>, default_path: bool) -> Self {
        Self {
            server_port: settings.server_port,
            self_wxid: RwLock::new(settings.self_wxid.clone()),
            mailbox: Mailbox::new(),
            secrets,
            default_path,
        }
    }

    /// What the session knows of ourselves now. Pushes of another login are refused from here on, before anything waits
    /// for them. `None`: the session that knew it could not store it, and whoever comes next says it anew.
    pub(super) fn know(&self, me: Option<&PeerId>) {
        let mut known = self.self_wxid.write().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != me {
            *known = me.cloned();
        }
    }

    /// Ourselves, as far as anything said it.
    pub(super) fn myself(&self) -> Option<PeerId> {
        self.self_wxid.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a push says that it is of another instance, or of this one without doubt.
    fn of(&self, body: &[u8]) -> Claim {
        let Some(says) = instance(body) else { return Claim::Nothing };
        let differs = |ours: bool, theirs: bool, same: bool| ours && theirs && !same;
        let port =
            differs(self.server_port.is_some(), says.server_port.is_some(), self.server_port == says.server_port);
        let me = self.myself();
        let wxid = differs(me.is_some(), says.self_wxid.is_some(), me == says.self_wxid);
        let named = (self.server_port.is_some() && self.server_port == says.server_port)
            || (me.is_some() && me == says.self_wxid);
        match (port || wxid, named) {
            (true, _) => Claim::Another,
            (false, true) => Claim::This,
            (false, false) => Claim::Nothing,
        }
    }
}

/// Whose push it says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    This,
    Another,
    Nothing,
}

impl Door for HookDoor {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        if knock.method != "POST" {
            return Knocked::Refuse(Refused::Method);
        }
        match self.of(knock.body) {
            Claim::Another if knock.unproved => Knocked::NotOurs,
            Claim::Another => Knocked::Refuse(Refused::WrongAccount),
            // At an address without a secret only what names an instance is anybody's.
            Claim::Nothing if knock.unproved => Knocked::NotOurs,
            // What cannot be read is kept as it is: it came to this account's own address.
            Claim::This | Claim::Nothing => {
                Knocked::Keep { body: knock.body.clone(), answer: Reply::text("1"), mark: String::new() }
            }
        }
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn secrets(&self) -> &[Secret<String>] {
        &self.secrets
    }

    fn takes_default_path(&self) -> bool {
        self.default_path
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use bytes::Bytes;

    use super::*;

    #[test]
    fn sec_r03_a_push_of_another_instance_is_refused() {
        let door = |port: Option<u16>, wxid: Option<&str>| {
            let settings = Settings {
                server_port: port,
                self_wxid: wxid.map(|wxid| wxid.parse().unwrap()),
                ..Settings::default()
            };
            HookDoor::new(&settings, Vec::new(), true)
        };
        let refused = Knocked::Refuse(Refused::WrongAccount);
        let (both, port, free) = (door(Some(30001), Some("wxid_a")), door(Some(30001), None), door(None, None));
        for (name, door, body, proved, shared) in [
            ("this one", &both, r#"{"ServerPort":"30001","selfwxid":"wxid_a"}"#, None, None),
            ("its port as a number", &port, r#"{"ServerPort":30001,"selfwxid":"wxid_z"}"#, None, None),
            ("another port", &both, r#"{"ServerPort":"30002","selfwxid":"wxid_a"}"#, Some(&refused), Some(())),
            ("another login", &both, r#"{"ServerPort":"30001","selfwxid":"wxid_b"}"#, Some(&refused), Some(())),
            ("no instance", &both, r#"{"sendorrecv":"2"}"#, None, Some(())),
            ("an account that says nothing", &free, r#"{"ServerPort":"30009"}"#, None, Some(())),
            ("no JSON", &both, "\u{1}", None, Some(())),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            let knock = |unproved| Knock {
                method: "POST",
                query: "",
                body: &body,
                from: IpAddr::V4(Ipv4Addr::LOCALHOST),
                now_ms: 0,
                unproved,
            };
            let kept = Knocked::Keep { body: body.clone(), answer: Reply::text("1"), mark: String::new() };
            assert_eq!(door.knock(&knock(false)), proved.cloned().unwrap_or_else(|| kept.clone()), "{name}");
            let want = shared.map_or(kept, |()| Knocked::NotOurs);
            assert_eq!(door.knock(&knock(true)), want, "{name}, at the shared address");
            assert_eq!(
                door.knock(&Knock { method: "GET", ..knock(false) }),
                Knocked::Refuse(Refused::Method),
                "{name}, asked instead of told"
            );
        }
    }
}
