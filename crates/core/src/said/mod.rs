//! What do WeChat's own texts and XML say? The phone writes them; every protocol that carries them gets them alike.
//!
//! Reading order: [`xml`] how they are read → [`text`] what people see of them → [`username`] what an id tells →
//! [`parts`] small pieces of XML → [`app`] what apps share → [`notice`] what the service tells of friends and rooms.

pub mod app;
pub mod notice;
pub mod parts;
pub mod text;
pub mod username;
pub mod xml;

use wxbot_model::{Content, EventKind};

/// What a message turns out to be.
#[derive(Debug, PartialEq)]
pub enum Told {
    /// Something that is shown in the chat.
    Said(Content),
    /// Something that happened.
    Happened(EventKind),
}
