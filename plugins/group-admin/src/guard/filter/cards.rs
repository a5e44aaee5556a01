//! Which cards may not be posted? Of people, of official accounts, mini programs, invitations into other rooms.

use wxbot_plugin::prelude::*;

use crate::guard::offence::Offence;
use crate::ladder::Rung;

/// Cards that may not be posted: each sort by its own switch.
#[derive(Debug, PluginConfig)]
pub struct Cards {
    /// Cards of people.
    #[config(default = true)]
    pub people: bool,
    /// Cards of official accounts.
    #[config(default = true)]
    pub official: bool,
    /// Mini programs.
    #[config(default = true)]
    pub mini_programs: bool,
    /// Invitations into other rooms.
    #[config(default = true)]
    pub invitations: bool,
    /// Forwarded records of other chats. Their texts go through the other filters either way.
    #[config(default = false)]
    pub records: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// A card that brings people elsewhere.
pub(crate) fn is_card(content: &Content) -> bool {
    matches!(content, Content::Card(_) | Content::MiniProgram(_) | Content::RoomInvitation(_))
}

impl Cards {
    pub(crate) fn judge(&self, content: &Content) -> Option<Offence> {
        let (denied, why) = match content {
            Content::Card(card) if card.official => (self.official, "公众号名片"),
            Content::Card(_) => (self.people, "名片"),
            Content::MiniProgram(_) => (self.mini_programs, "小程序"),
            Content::RoomInvitation(_) => (self.invitations, "群邀请"),
            Content::ChatRecord(_) => (self.records, "转发的聊天记录"),
            Content::Text { .. }
            | Content::Quote(_)
            | Content::Link(_)
            | Content::Image { .. }
            | Content::Voice { .. }
            | Content::Video { .. }
            | Content::Sticker { .. }
            | Content::Location(_)
            | Content::Music(_)
            | Content::File(_)
            | Content::RedPacket { .. }
            | Content::Transfer(_)
            | Content::App(_)
            | Content::Call(_)
            | Content::Notice { .. }
            | Content::System { .. }
            | Content::Unknown { .. }
            | _ => return None,
        };
        denied.then(|| Offence::new("cards", why, self.rung))
    }
}
