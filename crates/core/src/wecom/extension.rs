//! What does `extension` say? The event once more as protobuf. Nobody published its layout; it was read off samples, so
//! it only fills what the JSON leaves empty, and where the two differ the JSON counts.

use super::wire::{Payload, room, seconds};
use crate::lenient::{hex, protobuf};

/// Operations of field 7, and of field 1 at a logout.
const TOPIC: u64 = 1001;
const JOIN: u64 = 1002;
const LEAVE: u64 = 1003;
const LOGOUT: u64 = 1008;

/// What was found in it. Ids are decimal text like everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extension {
    /// `seq` of the envelope.
    pub seq: Option<String>,
    /// Who did it.
    pub operator: Option<String>,
    /// Where, without `R:`.
    pub room: Option<String>,
    /// Seconds since 1970.
    pub at_s: Option<i64>,
    /// Which event it is.
    pub event_type: Option<&'static str>,
    /// The new topic, or the member.
    pub subject: Option<String>,
    /// Of a logout: our own id.
    pub self_id: Option<String>,
    /// Of a logout: the code that is in the words too.
    pub code: Option<i64>,
}

impl Extension {
    /// Reads the digits; `None` when they are none, or no protobuf.
    pub fn read(digits: &str) -> Option<Self> {
        let bytes = hex::decode(digits).filter(|bytes| !bytes.is_empty())?;
        let fields = protobuf::fields(&bytes)?;
        let id = |number| protobuf::number(&fields, number).filter(|id| *id != 0).map(|id| id.to_string());
        if let (Some(LOGOUT), Some(inner)) = (protobuf::number(&fields, 1), protobuf::bytes(&fields, 1008)) {
            let code = protobuf::fields(inner).and_then(|inner| protobuf::number(&inner, 1));
            return Some(Self {
                event_type: Some("LOGOUT"),
                self_id: id(2),
                code: code.and_then(|code| i64::try_from(code).ok()),
                ..Self::default()
            });
        }
        Some(Self {
            seq: id(2),
            operator: id(4),
            room: id(6),
            at_s: protobuf::number(&fields, 12).and_then(|at| i64::try_from(at).ok()).filter(|at| *at > 0),
            event_type: match protobuf::number(&fields, 7) {
                Some(TOPIC) => Some("ROOM_TOPIC"),
                Some(JOIN) => Some("ROOM_JOIN"),
                Some(LEAVE) => Some("ROOM_LEAVE"),
                Some(_) | None => None,
            },
            subject: protobuf::text(&fields, 8).map(str::to_owned),
            ..Self::default()
        })
    }

    /// How many facts are stated here and in the JSON, and differently. What either leaves empty, or hides behind `*`,
    /// is no difference.
    pub fn mismatches(&self, seq: Option<&str>, event_type: &str, payload: &Payload) -> u32 {
        let operators = [&payload.changer_id, &payload.inviter_id, &payload.remover_id];
        let operator = operators.into_iter().find(|id| !id.is_empty()).map(String::as_str).unwrap_or_default();
        let members = payload.invitee_id_list.iter().chain(&payload.removee_id_list);
        let members: Vec<&str> = members.map(|id| id.0.as_str()).collect();
        let differs = |own: Option<&str>, json: &str| {
            own.is_some_and(|own| !json.is_empty() && !json.contains('*') && own != json)
        };
        let subject = match event_type {
            "ROOM_TOPIC" => differs(self.subject.as_deref(), &payload.new_topic),
            _ => self.subject.as_deref().is_some_and(|own| !members.is_empty() && !members.contains(&own)),
        };
        let at = (self.at_s, seconds(&payload.timestamp));
        [
            differs(self.seq.as_deref(), seq.unwrap_or_default()),
            differs(self.operator.as_deref(), operator),
            differs(self.room.as_deref(), room(&payload.room_id)),
            differs(self.event_type, event_type),
            subject,
            matches!(at, (Some(own), Some(json)) if own != json),
        ]
        .into_iter()
        .map(u32::from)
        .sum()
    }
}
