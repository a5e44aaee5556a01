//! What came back, and was it what the test expects? With a failure that says what was said, what came and why.

use std::fmt;

use wxbot_model::{Action, ContactId, Media, MediaShape};

use super::SentMedia;
use crate::host::Note;
use crate::media::MediaSource;
use crate::plugin::PluginError;

/// One thing that a plugin sent into a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The conversation.
    pub to: ContactId,
    /// What it was.
    pub what: What,
    /// Whether it answers in the conversation of the event, as [`Effects::reply`](crate::Effects::reply) does.
    pub(super) reply: bool,
}

/// What a plugin sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A text.
    Text {
        /// What it says.
        text: String,
        /// Whether it mentions somebody.
        mentions: bool,
    },
    /// A picture, film, file or sticker.
    Media(SentMedia),
    /// A link, a mini program, or the like.
    Other(Action),
}

impl Sent {
    pub(super) fn reply(to: &ContactId, text: String, mentions: bool) -> Self {
        Self { to: to.clone(), what: What::Text { text, mentions }, reply: true }
    }

    pub(super) fn of_media(media: SentMedia) -> Self {
        Self { to: media.to.clone(), what: What::Media(media), reply: false }
    }

    /// What an action sends into a conversation; most send nothing.
    pub(super) fn of_action(action: &Action) -> Option<Self> {
        let what = match action {
            Action::SendText { text, mention, .. } => What::Text { text: text.clone(), mentions: !mention.is_empty() },
            Action::SendMedia { to, shape, media } => {
                let source = match media.clone() {
                    Media::Stored(stored) => MediaSource::Stored(stored),
                    Media::Received { media, name } => MediaSource::Received { media, name },
                    _ => return None,
                };
                What::Media(SentMedia { to: to.clone(), shape: *shape, source })
            }
            Action::SendSticker { .. } | Action::SendLink { .. } | Action::SendApp { .. } => {
                What::Other(action.clone())
            }
            Action::Recall { .. }
            | Action::MarkRead { .. }
            | Action::AddFriend { .. }
            | Action::AcceptFriend { .. }
            | Action::SetRemark { .. }
            | Action::Pin { .. }
            | Action::CreateRoom { .. }
            | Action::AddMembers { .. }
            | Action::RemoveMembers { .. }
            | Action::SetTopic { .. }
            | Action::LeaveRoom { .. }
            | _ => return None,
        };
        Some(Self { to: action.to()?.clone(), what, reply: false })
    }

    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let What::Text { text, .. } = &self.what { Some(text) } else { None }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Text { text, mentions } => write!(f, "{}「{text}」", if *mentions { "@ " } else { "" }),
            What::Media(media) => write!(f, "{} {:?}", shape(media.shape), media.source),
            What::Other(action) => write!(f, "what {} sends", action.word()),
        }
    }
}

fn shape(shape: MediaShape) -> &'static str {
    match shape {
        MediaShape::Image => "a picture",
        MediaShape::Video => "a film",
        MediaShape::File => "a file",
        MediaShape::Sticker => "a sticker",
        _ => "media",
    }
}

/// What came back in a conversation. Each `gets…` wants exactly that and nothing besides; a failure says what was said,
/// what came, and what the plugin's matchers thought of it. Actions that send nothing are not heard: see
/// [`Kit::acted`](super::Kit::acted).
pub struct Heard {
    /// What was said, for people.
    pub(super) after: String,
    pub(super) ended: Result<Vec<Sent>, PluginError>,
    pub(super) notes: Vec<Note>,
    pub(super) block: bool,
}

impl Heard {
    /// One text came, this one.
    #[track_caller]
    pub fn gets(self, text: &str) -> Self {
        self.gets_each([text])
    }

    /// These texts came, in this order.
    #[track_caller]
    pub fn gets_each<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let wanted: Vec<&str> = texts.into_iter().collect();
        let got: Vec<Option<&str>> = self.sent().iter().map(Sent::text).collect();
        if got != wanted.iter().copied().map(Some).collect::<Vec<_>>() {
            self.fail(&quoted(&wanted));
        }
        self
    }

    /// One text came, with this in it.
    #[track_caller]
    pub fn gets_containing(self, part: &str) -> Self {
        let fits = matches!(self.sent(), [one] if one.text().is_some_and(|text| text.contains(part)));
        if !fits {
            self.fail(&format!("a text with 「{part}」 in it"));
        }
        self
    }

    /// Nothing came.
    #[track_caller]
    pub fn gets_nothing(self) -> Self {
        if !self.sent().is_empty() {
            self.fail("nothing");
        }
        self
    }

    /// One picture came. Answers where its bytes are.
    #[track_caller]
    pub fn gets_image(self) -> MediaSource {
        self.gets_media(MediaShape::Image)
    }

    /// One file came. Answers where its bytes are.
    #[track_caller]
    pub fn gets_file(self) -> MediaSource {
        self.gets_media(MediaShape::File)
    }

    /// One film, sticker, picture or file came. Answers where its bytes are.
    #[track_caller]
    pub fn gets_media(self, wanted: MediaShape) -> MediaSource {
        if let [Sent { what: What::Media(SentMedia { shape, source, .. }), .. }] = self.sent()
            && *shape == wanted
        {
            return source.clone();
        }
        self.fail(shape(wanted))
    }

    /// The handler failed, with this in its error. A running wxbot would try again later.
    #[track_caller]
    pub fn fails(self, part: &str) -> Self {
        if !matches!(&self.ended, Err(error) if error.to_string().contains(part)) {
            self.fail(&format!("an error with 「{part}」 in it"));
        }
        self
    }

    /// Whether plugins behind this one do not see the event.
    pub fn is_blocked(&self) -> bool {
        self.block
    }

    /// All texts that came.
    #[track_caller]
    pub fn replies(&self) -> Vec<String> {
        self.sent().iter().filter_map(|sent| sent.text().map(str::to_owned)).collect()
    }

    /// All that came.
    #[track_caller]
    pub fn sent(&self) -> &[Sent] {
        match &self.ended {
            Ok(sent) => sent,
            Err(error) => panic!("{}\n  the plugin failed: {error}{}", self.after, self.why()),
        }
    }

    /// What looked at the event and why it did or did not take it, a line each: what `wxbot explain` shows.
    pub fn explained(&self) -> String {
        self.why()
    }

    #[track_caller]
    fn fail(&self, wanted: &str) -> ! {
        let came = match &self.ended {
            Ok(sent) if sent.is_empty() => "nothing".to_owned(),
            Ok(sent) => sent.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Err(error) => format!("an error: {error}"),
        };
        panic!("{}\n  expected: {wanted}\n  came:     {came}{}", self.after, self.why())
    }

    fn why(&self) -> String {
        let note = |note: &Note| format!("\n  {} {}: {}", if note.took { "took" } else { "left" }, note.what, note.why);
        self.notes.iter().map(note).collect()
    }
}

fn quoted(texts: &[&str]) -> String {
    match texts {
        [] => "nothing".to_owned(),
        texts => texts.iter().map(|text| format!("「{text}」")).collect::<Vec<_>>().join(", "),
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("after", &self.after).field("ended", &self.ended).finish_non_exhaustive()
    }
}
