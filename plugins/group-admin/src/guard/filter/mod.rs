//! What may a message not hold? Words, links, cards, texts that point to QR codes, ways to be reached elsewhere: each a
//! table of the settings with its own rung of the ladder.
//!
//! Looked at is what a member chose to post: texts, what was typed to a quote, titles and addresses of cards, the texts of
//! forwarded records. The quoted message itself is somebody else's. Pictures are not decoded.
//!
//! Files: [`wordset`] (words in a text, however they are written) → [`words`] → [`links`] → [`cards`] → [`qr`] → [`contacts`].

pub(crate) mod cards;
pub(crate) mod contacts;
pub(crate) mod links;
pub(crate) mod qr;
pub(crate) mod words;
pub(crate) mod wordset;

use wxbot_plugin::prelude::*;

use super::offence::Offence;
use crate::life::rules;
use crate::settings::Settings;
use wordset::{Folded, WordSet};

/// How much of one text is looked at (security R11). WeChat itself refuses texts of some kilobytes.
const HAYSTACK: usize = 16 * 1024;
/// How much of a message is looked at: a forwarded record has up to 100 texts.
const MESSAGE: usize = 64 * 1024;

/// The filters that the settings switch on, compiled.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    words: Option<WordSet>,
    qr: Option<WordSet>,
}

/// The parts of a message that people read, and the addresses in it.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) texts: Vec<&'a str>,
    pub(crate) urls: Vec<&'a str>,
}

/// What a newcomer may not post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restricted {
    Link,
    Card,
    Qr,
}

impl Filters {
    pub(crate) fn new(settings: &Settings) -> Result<Self, PluginError> {
        let words = settings.words.as_ref().map(|words| WordSet::new(words.all())).transpose()?;
        // Newcomers are kept from such texts also where the others are not.
        let qr = match (&settings.qr, &settings.probation) {
            (Some(qr), _) => Some(WordSet::new(qr.all())?),
            (None, Some(_)) => Some(WordSet::new(qr::USUAL.iter().copied())?),
            (None, None) => None,
        };
        Ok(Self { words, qr })
    }

    /// What is against the rules in a message; the gravest of it.
    pub(crate) fn judge(&self, settings: &Settings, content: &Content) -> Option<Offence> {
        if is_our_rules(settings, content) {
            return None;
        }
        let parts = Parts::of(content);
        let mut found = Vec::new();
        let folded: Vec<Folded> = parts.texts.iter().map(|text| Folded::of(text)).collect();
        if let (Some(rules), Some(set)) = (&settings.words, &self.words)
            && let Some(word) = folded.iter().find_map(|text| set.find(text))
        {
            found.push(rules.offence(word));
        }
        if let Some(rules) = &settings.links {
            found.extend(rules.judge(&parts));
        }
        if let Some(rules) = &settings.cards {
            found.extend(rules.judge(content));
        }
        if let (Some(rules), Some(set)) = (&settings.qr, &self.qr)
            && let Some(word) = folded.iter().find_map(|text| set.find(text))
        {
            found.push(rules.offence(word));
        }
        if let Some(rules) = &settings.contacts {
            found.extend(rules.judge(&folded));
        }
        // The first of the gravest: `max_by_key` answers the last.
        found.into_iter().rev().max_by_key(|offence| offence.rung)
    }

    /// Whether a message is of a kind that newcomers may not post.
    pub(crate) fn restricted(&self, settings: &Settings, content: &Content) -> Option<Restricted> {
        if is_our_rules(settings, content) {
            return None;
        }
        if cards::is_card(content) {
            return Some(Restricted::Card);
        }
        let parts = Parts::of(content);
        if !parts.urls.is_empty() || parts.texts.iter().any(|text| !links::hosts(text, true).is_empty()) {
            return Some(Restricted::Link);
        }
        let set = self.qr.as_ref()?;
        parts.texts.iter().any(|text| set.find(&Folded::of(text)).is_some()).then_some(Restricted::Qr)
    }
}

/// Whether somebody says the rules of the room, which may hold what they forbid.
fn is_our_rules(settings: &Settings, content: &Content) -> bool {
    if let Content::Quote(quote) = content {
        return rules::quotes(settings, &quote.text);
    }
    if let Content::Text { text } = content { rules::quotes(settings, text) } else { false }
}

impl<'a> Parts<'a> {
    pub(crate) fn of(content: &'a Content) -> Self {
        let (texts, urls): (Vec<&str>, Vec<&str>) = match content {
            Content::Text { text } | Content::RedPacket { note: text, .. } => (vec![text], Vec::new()),
            Content::Quote(quote) => (vec![&quote.text], Vec::new()),
            Content::Link(link) => (vec![&link.title, &link.description], vec![&link.url]),
            Content::Music(music) => (vec![&music.title, &music.description], vec![&music.url]),
            Content::App(app) => (vec![&app.title, &app.description], vec![&app.url]),
            Content::File(file) => (vec![&file.name], Vec::new()),
            Content::MiniProgram(program) => (vec![&program.title, &program.source], Vec::new()),
            Content::Card(card) => (vec![&card.nick_name, &card.signature], Vec::new()),
            Content::RoomInvitation(invitation) => (vec![&invitation.description], Vec::new()),
            Content::Location(place) => (vec![&place.label, &place.name], Vec::new()),
            Content::ChatRecord(record) => {
                let items = record.items.iter().map(|item| &*item.text);
                (std::iter::once(&*record.title).chain(items).collect(), Vec::new())
            }
            Content::Image { .. }
            | Content::Voice { .. }
            | Content::Video { .. }
            | Content::Sticker { .. }
            | Content::Transfer(_)
            | Content::Call(_)
            | Content::Notice { .. }
            | Content::System { .. }
            | Content::Unknown { .. }
            | _ => (Vec::new(), Vec::new()),
        };
        let mut left = MESSAGE;
        let texts = texts.into_iter().filter(|text| !text.is_empty()).map_while(|text| {
            let head = wxbot_plugin::text::head(text, HAYSTACK.min(left));
            left -= head.len();
            (!head.is_empty()).then_some(head)
        });
        Self { texts: texts.collect(), urls: urls.into_iter().filter(|url| !url.is_empty()).collect() }
    }
}
