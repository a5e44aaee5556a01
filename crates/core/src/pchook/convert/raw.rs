//! What becomes of a message that the hook did not decode (mode 2)? An unknown message that holds all that came, and
//! what a reader without a schema can tell of it.

use serde_json::{Map, Value};
use wxbot_model::{Content, MsgId, PeerId};

use super::{Scene, fallback_msg_id, said};
use crate::lenient::{hash_key, hex, protobuf};
use crate::pchook::wire::Push;
use crate::protocol::Incoming;
use crate::said::username;

/// The push as an event. `outer` is the whole object; the decoding is put next to the digits as `decoded`, which is
/// `null` when they are none.
pub fn undecoded(push: &Push, digits: &str, outer: Map<String, Value>, scene: &Scene<'_>) -> Incoming {
    let bytes = hex::decode(digits);
    let decoded = bytes.as_deref().and_then(protobuf::pretty).unwrap_or(Value::Null);
    let key = hash_key(&["raw", scene.me.as_str(), &push.time, digits]);
    let hint = bytes.as_deref().and_then(|bytes| Hint::read(bytes, scene.me));
    let mut outer = outer;
    outer.insert("decoded".to_owned(), decoded);
    let raw = Value::Object(outer).to_string();
    let own_id = || key.as_str().parse().unwrap_or_else(|_| fallback_msg_id());
    let Some(hint) = hint else {
        let kind = said(own_id(), false, Content::Unknown { msg_type: -1, raw });
        return scene.about_me(key, scene.at_s(&push.time), kind);
    };
    let from_self = hint.from == *scene.me;
    let chat = if from_self || username::is_room(hint.to.as_str()) { hint.to } else { hint.from.clone() };
    let id = hint.id.unwrap_or_else(own_id);
    Incoming {
        kind: said(id, from_self, Content::Unknown { msg_type: hint.msg_type, raw }),
        // A room writes under its own name, and who in it did is inside the content.
        sender: Some(hint.from).filter(|from| !username::is_room(from.as_str())),
        chat,
        at_s: hint.at_s,
        key,
    }
}

/// The layout that messages of the service are said to have. Nobody confirmed it: it counts only where every field that
/// is used fits, and we are one of the ends.
struct Hint {
    from: PeerId,
    to: PeerId,
    msg_type: i64,
    at_s: i64,
    id: Option<MsgId>,
}

impl Hint {
    fn read(bytes: &[u8], me: &PeerId) -> Option<Self> {
        let fields = protobuf::fields(bytes)?;
        let peer = |number| {
            let inner = protobuf::fields(protobuf::bytes(&fields, number)?)?;
            protobuf::text(&inner, 1)?.parse::<PeerId>().ok()
        };
        let (from, to) = (peer(2)?, peer(3)?);
        protobuf::number(&fields, 1)?;
        let at_s = i64::try_from(protobuf::number(&fields, 9)?).ok().filter(|at| (1_000_000_000..1 << 32).contains(at));
        let id = protobuf::number(&fields, 12).filter(|id| *id != 0);
        let fits = from == *me || to == *me;
        fits.then_some(Self {
            from,
            to,
            msg_type: i64::try_from(protobuf::number(&fields, 4)?).ok()?,
            at_s: at_s?,
            id: id.and_then(|id| id.to_string().parse().ok()),
        })
    }
}
