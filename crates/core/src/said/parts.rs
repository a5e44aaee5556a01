//! What do the small pieces of message XML say? Games, places, calls.

use wxbot_model::{Call, CallState, Gesture, Point};

use super::xml::Node;

/// A number in an attribute.
pub fn number<T: std::str::FromStr>(node: Option<&Node>, attr: &str) -> Option<T> {
    node?.attr(attr)?.trim().parse().ok()
}

/// Which game, and what it shows: 1–3 are hands, 4–9 are the points of dice plus three.
pub fn gesture(game: &Node) -> Option<Gesture> {
    match (game.attr("type")?, number::<u8>(Some(game), "content")?) {
        ("1", 1) => Some(Gesture::Scissors),
        ("1", 2) => Some(Gesture::Rock),
        ("1", 3) => Some(Gesture::Paper),
        ("2", shown @ 4..=9) => Some(Gesture::Dice(shown - 3)),
        _ => None,
    }
}

/// `<msg><location x= y= label= poiname= /></msg>`, as far as it is there.
#[derive(Debug, Default)]
pub struct LocationXml {
    /// Where.
    pub point: Option<Point>,
    /// The address.
    pub label: String,
    /// What the place is called.
    pub name: String,
}

impl LocationXml {
    /// What is there of it.
    pub fn read(tree: Option<&Node>) -> Self {
        let Some(node) = tree.and_then(|root| root.child("location")) else { return Self::default() };
        let words = |attr| node.attr(attr).unwrap_or_default().trim();
        Self {
            point: number(Some(node), "x").and_then(|lat| number(Some(node), "y").and_then(|lon| Point::new(lat, lon))),
            label: words("label").to_owned(),
            // The phone writes this where a place has no name.
            name: Some(words("poiname")).filter(|name| *name != "[位置]").unwrap_or_default().to_owned(),
        }
    }
}

/// 53 invites, 52 ends, 50 says it in words, if at all.
pub fn call(msg_type: i64, tree: Option<&Node>, raw: String) -> Call {
    let bubble = tree.and_then(|root| root.child("VoIPBubbleMsg").or(Some(root)));
    let words = bubble.map(|node| node.words("msg")).unwrap_or_default();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let state = match msg_type {
        52 => CallState::Ended,
        53 => CallState::Invited,
        _ if says(&["时长", "Duration"]) => CallState::Ended,
        _ if says(&["取消", "拒绝", "未接", "应答", "忙", "ancel", "eclined", "answer", "issed", "usy"]) => {
            CallState::Missed
        }
        _ if tree.is_some_and(|root| root.name == "voipinvitemsg") => CallState::Invited,
        _ => CallState::Unstated,
    };
    Call { state, text: words.to_owned(), raw }
}
