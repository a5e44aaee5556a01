//! What is wrong with a message that a client sends, and what is in it?

use crate::Sim;
use crate::account::State;
use crate::appmsg::Element;
use crate::check::Checker;
use crate::media::Named;
use crate::relay::Parcel;
use crate::request::Endpoint;
use crate::upload::{LARGE, is_md5};
use crate::wire::{OutMsg, SendBody};

const PARAMETER_ERROR: i64 = 1;
const LOGIC_ERROR: i64 = -2;

const TEXT: i64 = 1;
const IMAGE: i64 = 3;
const VIDEO: i64 = 43;
const STICKER: i64 = 47;
const LOCATION: i64 = 48;
const SHORT_VIDEO: i64 = 62;
const FILE: i64 = 6;
/// `Scene` of a forwarded message.
const FORWARD: i64 = 2;
/// `EmojiFlag` of every sticker.
const GIF: i64 = 2;

impl Sim {
    /// Reads a message as its endpoint wants it, or answers the Ret to refuse with.
    pub(crate) fn parcel<'a>(
        &self,
        state: &State,
        body: &'a SendBody<'_>,
        checker: &Checker<'_>,
    ) -> Result<Parcel<'a>, i64> {
        let msg = &body.msg;
        let only = |types: &[i64]| {
            if types.contains(&msg.msg_type) {
                return Ok(());
            }
            checker.hard("Type does not belong to the endpoint");
            Err(PARAMETER_ERROR)
        };
        let endpoint = checker.endpoint;
        if endpoint == Endpoint::SendMsg {
            only(&[TEXT, LOCATION])?;
            if msg.msg_type == LOCATION {
                return location(body, checker);
            }
            return Ok(Parcel::Text(&msg.content));
        }
        if endpoint == Endpoint::SendEmoticon {
            only(&[STICKER])?;
            return self.sticker(state, msg, checker);
        }
        if endpoint == Endpoint::SendMsgImg {
            only(&[IMAGE])?;
            return Ok(self.uploaded(state, body, "img", checker)?.map_or_else(|| forward(msg), Parcel::Image));
        }
        if endpoint == Endpoint::SendVideoMsg {
            only(&[VIDEO, SHORT_VIDEO])?;
            let short = msg.msg_type == SHORT_VIDEO;
            let inner = if short { "img" } else { "videomsg" };
            let item = self.uploaded(state, body, inner, checker)?;
            return Ok(item.map_or_else(|| forward(msg), |item| Parcel::Video { item, short }));
        }
        // webwxsendappmsg: whatever AppMsgType it has.
        app(state, msg, checker)
    }

    fn sticker(&self, state: &State, msg: &OutMsg<'_>, checker: &Checker<'_>) -> Result<Parcel<'static>, i64> {
        if msg.emoji_flag != GIF {
            checker.hard("EmojiFlag is not 2");
            return Err(PARAMETER_ERROR);
        }
        match (&*msg.emoticon_md5, &*msg.media_id) {
            ("", media_id) if !media_id.is_empty() => {
                let item = given(state, media_id, checker)?;
                if item.blob.kind != "image/gif" {
                    checker.soft("a sticker that is no GIF");
                }
                Ok(Parcel::Sticker { md5: item.blob.md5.clone(), item: Some(item) })
            }
            (md5, "") if is_md5(md5) => {
                let blob = self.shelf().find(md5);
                let item = blob.map(|blob| Named { blob, name: "sticker.gif".to_owned() });
                Ok(Parcel::Sticker { md5: md5.to_owned(), item })
            }
            ("", _) => {
                checker.hard("neither EMoticonMd5 nor MediaId");
                Err(PARAMETER_ERROR)
            }
            (_, "") => {
                checker.hard("EMoticonMd5 is not 32 hex digits");
                Err(PARAMETER_ERROR)
            }
            _ => {
                checker.hard("both EMoticonMd5 and MediaId");
                Err(PARAMETER_ERROR)
            }
        }
    }

    /// What was uploaded, or what a forward's XML names. `None`: a forward of something this server does not have.
    fn uploaded(
        &self,
        state: &State,
        body: &SendBody<'_>,
        inner: &str,
        checker: &Checker<'_>,
    ) -> Result<Option<Named>, i64> {
        let msg = &body.msg;
        if !msg.media_id.is_empty() {
            return given(state, &msg.media_id, checker).map(Some);
        }
        if msg.content.is_empty() {
            checker.hard("neither MediaId nor Content");
            return Err(PARAMETER_ERROR);
        }
        let Some(xml) = Element::read(&msg.content).filter(|xml| xml.name == "msg") else {
            checker.hard("Content of a forward is not the XML of the message");
            return Err(PARAMETER_ERROR);
        };
        if body.scene != FORWARD {
            checker.soft("a forward without Scene 2");
        }
        let md5 = xml.child(inner).or_else(|| xml.child("img")).and_then(|inner| inner.attribute("md5"));
        let blob = md5.and_then(|md5| self.shelf().find(md5));
        Ok(blob.map(|blob| Named { blob, name: String::new() }))
    }
}

fn given(state: &State, media_id: &str, checker: &Checker<'_>) -> Result<Named, i64> {
    state.given(media_id).ok_or_else(|| {
        checker.hard("MediaId was not given to this login");
        LOGIC_ERROR
    })
}

fn forward(msg: &OutMsg<'_>) -> Parcel<'static> {
    Parcel::Forward { msg_type: msg.msg_type, xml: msg.content.to_string() }
}

fn location(body: &SendBody<'_>, checker: &Checker<'_>) -> Result<Parcel<'static>, i64> {
    let xml = Element::read(&body.msg.content);
    let Some(place) = xml.as_ref().and_then(|xml| xml.child("location")) else {
        checker.hard("Content of a location is not its XML");
        return Err(PARAMETER_ERROR);
    };
    if body.scene != FORWARD {
        checker.soft("a forward without Scene 2");
    }
    let of = |name| place.attribute(name).unwrap_or_default().to_owned();
    Ok(Parcel::Location { lat: of("x"), lng: of("y"), label: of("label") })
}

fn app(state: &State, msg: &OutMsg<'_>, checker: &Checker<'_>) -> Result<Parcel<'static>, i64> {
    let refuse = |what| {
        checker.hard(what);
        PARAMETER_ERROR
    };
    let xml = Element::read(&msg.content).ok_or_else(|| refuse("the appmsg is not well-formed XML"))?;
    if xml.name != "appmsg" {
        return Err(refuse("the root of Content is not appmsg"));
    }
    if xml.text_of("type") != msg.msg_type.to_string() {
        checker.soft("Type is not that of the appmsg");
    }
    if xml.text_of("title").is_empty() {
        checker.soft("an appmsg without a title");
    }
    if msg.msg_type == FILE {
        return file(state, msg, &xml, checker);
    }
    Ok(Parcel::App {
        app_type: msg.msg_type,
        title: xml.text_of("title").to_owned(),
        url: xml.text_of("url").to_owned(),
        appmsg: msg.content.to_string(),
    })
}

fn file(state: &State, msg: &OutMsg<'_>, xml: &Element, checker: &Checker<'_>) -> Result<Parcel<'static>, i64> {
    let attach = xml.child("appattach").ok_or_else(|| {
        checker.hard("a file without appattach");
        PARAMETER_ERROR
    })?;
    let item = given(state, attach.text_of("attachid"), checker)?;
    if attach.text_of("totallen") != item.blob.len().to_string() {
        checker.hard("totallen is not the length of what was uploaded");
        return Err(PARAMETER_ERROR);
    }
    let title = xml.text_of("title");
    let extension = title.rsplit_once('.').map_or("", |(_, extension)| extension);
    if !attach.text_of("fileext").eq_ignore_ascii_case(extension) {
        checker.soft("fileext is not that of the title");
    }
    if item.blob.len() > LARGE {
        let uploads = state.session.as_ref().map(|session| &session.uploads);
        if !uploads.is_some_and(|uploads| uploads.is_signed(&item.blob.md5, &msg.signature)) {
            checker.hard("a file over 25 MiB without the Signature of webwxcheckupload");
            return Err(LOGIC_ERROR);
        }
    }
    Ok(Parcel::File(Named { blob: item.blob, name: title.to_owned() }))
}
