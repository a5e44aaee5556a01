//! Which room does somebody come into who asks for one? The first that has a place.

use wxbot_plugin::model::ContactId;

/// A room as the account knows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: ContactId,
    pub(crate) name: String,
    /// How many members it has; 0 when the account does not know the room.
    pub(crate) members: usize,
    /// Whether the person is one of them.
    pub(crate) is_member: bool,
}

/// Where somebody goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'c> {
    /// Into this room.
    Room(&'c Candidate),
    /// Nowhere: the person is in this one already.
    Already(&'c Candidate),
    /// Nowhere: all are full.
    Full,
    /// Nowhere: the account is in none of the rooms.
    Unknown,
}

/// Picks the room.
pub(crate) fn pick(rooms: &[Candidate], full: usize) -> Place<'_> {
    if let Some(room) = rooms.iter().find(|room| room.is_member) {
        return Place::Already(room);
    }
    let mut known = rooms.iter().filter(|room| room.members > 0).peekable();
    if known.peek().is_none() {
        return Place::Unknown;
    }
    known.find(|room| room.members < full).map_or(Place::Full, Place::Room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_room_with_a_place() {
        let room = |n: usize, members, is_member| Candidate {
            id: format!("r{n}").parse().unwrap(),
            name: format!("room {n}"),
            members,
            is_member,
        };
        let name = |place: Place<'_>| match place {
            Place::Room(room) => format!("into {}", room.id),
            Place::Already(room) => format!("in {}", room.id),
            Place::Full => "full".to_owned(),
            Place::Unknown => "unknown".to_owned(),
        };
        for (rooms, want) in [
            (vec![room(1, 10, false), room(2, 3, false)], "into r1"),
            (vec![room(1, 500, false), room(2, 3, false)], "into r2"),
            (vec![room(1, 500, false), room(2, 501, false)], "full"),
            (vec![room(1, 10, false), room(2, 500, true)], "in r2"),
            (vec![room(1, 0, false), room(2, 3, false)], "into r2"),
            (vec![room(1, 0, false)], "unknown"),
            (vec![], "unknown"),
        ] {
            assert_eq!(name(pick(&rooms, 500)), want);
        }
    }
}
