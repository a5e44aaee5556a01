//! Who is recommended, or wants to be a friend? Types 37, 40 and 42: `RecommendInfo`, and attributes on `<msg>`.

use wxbot_model::{Card, FriendRequest, Ticket};

use super::content::tree;
use super::{Place, sex};
use crate::said::text::{name, text};
use crate::said::username;
use crate::said::xml::Node;
use crate::webwx::wire::addmsg::AddMsg;

/// `RecommendInfo` first, as its ids count in this login; then what the phone's XML says.
struct Facts {
    tree: Option<Node>,
}

impl Facts {
    fn of(body: &str) -> Self {
        Self { tree: tree(body).filter(|root| root.name == "msg") }
    }

    fn attr(&self, attr: &str) -> &str {
        self.tree.as_ref().and_then(|root| root.attr(attr)).unwrap_or_default()
    }

    fn number(&self, stated: i64, attr: &str) -> i64 {
        if stated == 0 { self.attr(attr).parse().unwrap_or(0) } else { stated }
    }

    /// Envelope texts come escaped, XML texts were read.
    fn words(&self, stated: &str, attr: &str) -> String {
        if stated.is_empty() { self.attr(attr).to_owned() } else { name(stated) }
    }
}

/// A recommended contact; `None` when nobody is named.
pub(super) fn card(msg: &AddMsg, body: &str) -> Option<Card> {
    let (facts, info) = (Facts::of(body), &msg.recommend_info);
    let verify_flag = u32::try_from(facts.number(info.verify_flag, "certflag")).unwrap_or(0);
    let card = Card {
        user: facts.words(&info.user_name, "username").parse().ok(),
        nick_name: facts.words(&info.nick_name, "nickname"),
        alias: facts.words(&info.alias, "alias"),
        province: facts.words(&info.province, "province"),
        city: facts.words(&info.city, "city"),
        sex: sex(facts.number(info.sex, "sex")),
        signature: facts.words(&info.signature, "sign"),
        official: username::official_class(verify_flag).is_some(),
    };
    (card.user.is_some() || !card.nick_name.is_empty()).then_some(card)
}

/// A friend request or recommendation; `None` when nobody is named, and for our own requests, which come back to us.
pub(super) fn request(msg: &AddMsg, at: &Place<'_>) -> Option<FriendRequest> {
    let (facts, info) = (Facts::of(at.body), &msg.recommend_info);
    if info.user_name == at.me.as_str() {
        return None;
    }
    let words = |stated: &str, attr: &str| facts.words(stated, attr);
    let request = FriendRequest {
        user: words(&info.user_name, "encryptusername").parse().ok(),
        name: words(&info.nick_name, "fromnickname"),
        alias: words(&info.alias, "alias"),
        wxid: facts.attr("fromusername").to_owned(),
        greeting: if info.content.is_empty() { facts.attr("content").to_owned() } else { text(&info.content) },
        scene: facts.number(info.scene, "scene"),
        ticket: Ticket::new(words(&info.ticket, "ticket")),
        sex: sex(facts.number(info.sex, "sex")),
        province: words(&info.province, "province"),
        city: words(&info.city, "city"),
        signature: words(&info.signature, "sign"),
        room: facts.attr("chatroomusername").to_owned(),
        shared_by: words(facts.attr("sharecardnickname"), "sourcenickname"),
        suggested: msg.msg_type == 40,
    };
    (request.user.is_some() || !request.name.is_empty()).then_some(request)
}
