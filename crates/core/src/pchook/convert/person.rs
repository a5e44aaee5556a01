//! Who is recommended, or wants to be a friend? Types 37, 40 and 42: attributes on `<msg>`.

use wxbot_model::{Card, FriendRequest, PeerId, Sex, Ticket};

use super::content::tree;
use crate::mapping::FriendTicket;
use crate::said::username;
use crate::said::xml::Node;

fn words(node: &Node, attr: &str) -> String {
    node.attr(attr).unwrap_or_default().to_owned()
}

fn sex(node: &Node) -> Sex {
    match node.attr("sex") {
        Some("1") => Sex::Male,
        Some("2") => Sex::Female,
        Some(_) | None => Sex::Unknown,
    }
}

fn msg(body: &str) -> Option<Node> {
    tree(body).filter(|root| root.name == "msg")
}

/// A recommended contact; `None` when nobody is named.
pub(super) fn card(body: &str) -> Option<Card> {
    let node = msg(body)?;
    let verify_flag = node.attr("certflag").and_then(|flag| flag.trim().parse().ok()).unwrap_or(0);
    let card = Card {
        user: node.attr("username").and_then(|user| user.parse().ok()),
        nick_name: words(&node, "nickname"),
        alias: words(&node, "alias"),
        province: words(&node, "province"),
        city: words(&node, "city"),
        sex: sex(&node),
        signature: words(&node, "sign"),
        official: username::official_class(verify_flag).is_some(),
    };
    (card.user.is_some() || !card.nick_name.is_empty()).then_some(card)
}

/// A friend request or recommendation; `None` when nobody is named, and for our own requests, which come back to us.
pub(super) fn request(body: &str, me: &PeerId, suggested: bool) -> Option<FriendRequest> {
    let node = msg(body)?;
    let first = |names: [&str; 2]| names.into_iter().map(|name| words(&node, name)).find(|text| !text.is_empty());
    let wxid = words(&node, "fromusername");
    if wxid == me.as_str() {
        return None;
    }
    let scene = node.attr("scene").and_then(|scene| scene.trim().parse().ok());
    let request = FriendRequest {
        user: first(["encryptusername", "fromusername"]).and_then(|user| user.parse().ok()),
        name: words(&node, "fromnickname"),
        alias: words(&node, "alias"),
        wxid,
        greeting: words(&node, "content"),
        scene: scene.unwrap_or(0),
        // Accepting needs both, and an action holds one text.
        ticket: FriendTicket { v4: Ticket::new(words(&node, "ticket")), scene }.pack(),
        sex: sex(&node),
        province: words(&node, "province"),
        city: words(&node, "city"),
        signature: words(&node, "sign"),
        room: words(&node, "chatroomusername"),
        shared_by: first(["sharecardnickname", "sourcenickname"]).unwrap_or_default(),
        suggested,
    };
    (request.user.is_some() || !request.name.is_empty()).then_some(request)
}
