//! Whom does `[accounts.roles]` name? Contact ids only: a name is anybody's to take (security R26).

use wxbot_model::ContactId;
use wxbot_plugin::Role;

use super::diagnostic::{Diagnostic, Report, codes, quote};
use super::tree::{Node, Table};
use crate::roles::Roles;

const CURE: &str = "`wxbot contacts ACCOUNT NAME` shows ids; names change, and anybody can take one";

/// Checks the table.
pub(super) fn check(table: &Table, report: &mut Report) {
    for entry in &table.entries {
        let role = match entry.key.parse::<Role>() {
            Ok(Role::User) => {
                report.mistake(
                    Diagnostic::new(codes::BAD_ROLE, &entry.key_span, "everybody has the role `user`")
                        .label("goes without saying")
                        .help("remove the line"),
                );
                continue;
            }
            Ok(role) => role,
            Err(error) => {
                report.mistake(Diagnostic::new(codes::BAD_ROLE, &entry.key_span, error.to_string()).label("no role"));
                continue;
            }
        };
        // What is no list, or holds no texts, was said where the types are checked.
        for node in entry.node.as_list().unwrap_or_default() {
            let Some(text) = node.as_text() else { continue };
            let wrong = match role {
                Role::GroupAdmin => member(text).err(),
                Role::Owner | Role::Admin | Role::User | Role::Custom(_) => person(text).err(),
            };
            if let Some(why) = wrong {
                report.mistake(told(node, text, &why));
            }
        }
    }
}

fn told(node: &Node, text: &str, why: &str) -> Diagnostic {
    Diagnostic::new(codes::BAD_CONTACT_ID, &node.span, format!("{} {why}", quote(text)))
        .label("not a contact id")
        .help(CURE)
}

/// What the table says, once it is checked.
pub(super) fn build(table: Option<&Table>, own_terminal: bool) -> Roles {
    let mut roles = if own_terminal { Roles::of_terminal() } else { Roles::default() };
    for entry in table.map_or([].as_slice(), |table| &table.entries) {
        let Ok(role) = entry.key.parse::<Role>() else { continue };
        for text in entry.node.as_list().unwrap_or_default().iter().filter_map(Node::as_text) {
            match (&role, member(text), person(text)) {
                (Role::GroupAdmin, Ok((room, person)), _) => roles.give_room(room, person),
                (Role::Owner | Role::Admin | Role::Custom(_), _, Ok(person)) => roles.give(role.clone(), person),
                (_, _, _) => {}
            }
        }
    }
    roles
}

fn person(text: &str) -> Result<ContactId, String> {
    let id: ContactId = text.parse().map_err(|_error| "is not the contact id of a person, like `p12`".to_owned())?;
    if id.as_str().starts_with('p') { Ok(id) } else { Err("is not a person; ids of people begin with `p`".to_owned()) }
}

fn member(text: &str) -> Result<(ContactId, ContactId), String> {
    let (room, who) = text.split_once('/').ok_or("is not a room's id and a person's, like `r3/p12`")?;
    let room: ContactId =
        room.parse().map_err(|_error| "does not begin with the contact id of a room, like `r3/p12`")?;
    if !room.as_str().starts_with('r') {
        return Err("does not begin with a room; ids of rooms begin with `r`".to_owned());
    }
    Ok((room, person(who)?))
}
