//! What may a person ask of a bot? Roles, bound to contact ids in `bot.toml` and never to names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role that a handler demands or a person has.
///
/// From the highest: [`Owner`](Self::Owner), [`Admin`](Self::Admin), [`GroupAdmin`](Self::GroupAdmin) (in one room),
/// [`User`](Self::User) (everybody). [`Custom`](Self::Custom) ones stand beside them: whoever is listed has it, and so
/// have admins and the owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Role {
    /// Whom the bot belongs to.
    Owner,
    /// Whom the owner trusts in every chat of the account.
    Admin,
    /// An admin of the room where the message came from.
    GroupAdmin,
    /// Everybody.
    User,
    /// A role of your own: a word of lower-case letters, digits and `-`.
    Custom(String),
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no role: use `owner`, `admin`, `group-admin`, `user`, or a word of lower-case letters, digits and `-`"
)]
pub struct NoRole(String);

impl Role {
    /// A role of your own. The word is checked where the manifest is read; that of a role above is that role.
    pub fn custom(word: impl Into<String>) -> Self {
        let word = word.into();
        word.parse().unwrap_or(Self::Custom(word))
    }

    /// The word that `bot.toml` uses.
    pub fn word(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::GroupAdmin => "group-admin",
            Self::User => "user",
            Self::Custom(word) => word,
        }
    }

    /// Whether somebody with these roles may do what demands this one.
    pub fn is_met_by(&self, roles: &[Self]) -> bool {
        let has = |wanted: &Self| roles.contains(wanted);
        match self {
            Self::User => true,
            Self::Owner => has(&Self::Owner),
            Self::Admin => has(&Self::Owner) || has(&Self::Admin),
            Self::GroupAdmin | Self::Custom(_) => has(&Self::Owner) || has(&Self::Admin) || has(self),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(word: &str) -> Result<Self, NoRole> {
        Ok(match word {
            "owner" => Self::Owner,
            "admin" => Self::Admin,
            "group-admin" => Self::GroupAdmin,
            "user" => Self::User,
            _ if !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') =>
            {
                Self::Custom(word.to_owned())
            }
            _ => return Err(NoRole(word.to_owned())),
        })
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        match role {
            Role::Custom(word) => word,
            Role::Owner | Role::Admin | Role::GroupAdmin | Role::User => role.word().to_owned(),
        }
    }
}

impl TryFrom<String> for Role {
    type Error = NoRole;

    fn try_from(word: String) -> Result<Self, NoRole> {
        word.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        let vip = || Role::custom("vip");
        for (demanded, roles, may) in [
            (Role::User, vec![], true),
            (Role::Owner, vec![Role::Admin], false),
            (Role::Admin, vec![Role::Owner], true),
            (Role::Admin, vec![Role::GroupAdmin], false),
            (Role::GroupAdmin, vec![Role::Admin], true),
            (Role::GroupAdmin, vec![Role::GroupAdmin], true),
            (Role::GroupAdmin, vec![vip()], false),
            (vip(), vec![vip()], true),
            (vip(), vec![Role::Owner], true),
            (Role::custom("owner"), vec![Role::Admin], false),
            (vip(), vec![Role::custom("vi")], false),
        ] {
            assert_eq!(demanded.is_met_by(&roles), may, "{demanded} by {roles:?}");
        }
    }

    #[test]
    fn words_go_both_ways() {
        for word in ["owner", "admin", "group-admin", "user", "vip-2"] {
            assert_eq!(word.parse::<Role>().unwrap().to_string(), word);
        }
        for word in ["", "VIP", "v i p", "店长"] {
            assert!(word.parse::<Role>().is_err(), "{word}");
        }
    }
}
