//! What have the services that push in common, the PC hook and WeCom?
//!
//! | file | question |
//! |---|---|
//! | `town` | Who lives there, seen from one account, and which ids do they have? |
//! | `book` | What was asked, pushed and heard, and what was wrong with it? |
//! | `strict` | Which keys has a body, and which of them are wrong? |
//! | `poster` | How do requests leave the simulator? |
//! | `outbox` | When does a push leave, how often, and what goes wrong with it on purpose? |
//! | `running` | Who keeps a started service alive? |
//! | `orders` | What can both be ordered to do in the same way? |
//! | `proto` | How are protobuf messages written that have no schema here? |
//! | `when` | What time is it, in the zone that these services write? |

pub(crate) mod book;
pub(crate) mod orders;
pub(crate) mod outbox;
pub(crate) mod poster;
pub(crate) mod proto;
pub(crate) mod running;
pub(crate) mod strict;
pub(crate) mod town;
pub(crate) mod when;
