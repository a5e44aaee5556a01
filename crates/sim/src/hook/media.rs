//! How do bytes of received messages get to where the client wants them?

use bytes::Bytes;
use serde_json::{Value, json};

use crate::hook::call::Call;
use crate::hook::people::Received;
use crate::hook::send::SentKind;
use crate::hook::xml::{between, file_id};
use crate::hook::{HookSim, Instance};
use crate::request::{Answer, Request};
use crate::service::proto::hex;
use md5::{Digest as _, Md5};

impl HookSim {
    /// Where a sticker can be fetched: of the shape of the sample, with its bare `&`.
    pub(super) fn sticker_url(&self, instance: &Instance, md5: &str) -> String {
        let port = instance.port.load(std::sync::atomic::Ordering::Acquire);
        format!(
            "http://127.0.0.1:{port}/110/20401/stodownload?m={md5}&filekey={}&hy=SZ&storeid=32303&ef=1&bizid=1022",
            file_id(md5)
        )
    }

    /// The bytes of a sticker.
    pub(super) fn sticker(&self, instance: &Instance, request: &Request) -> Answer {
        let query = request.query();
        let state = instance.state();
        let wanted = query.get("m").unwrap_or_default();
        let found =
            state.received.iter().filter_map(|got| got.file.as_ref()).find(|(bytes, _)| md5_of(bytes) == wanted);
        match found {
            Some((bytes, _)) => Answer::new(200, "image/gif", bytes.clone()),
            None => Answer::new(404, "text/plain", ""),
        }
    }
}

fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The file of a message that fits.
fn file_of(call: &Call<'_>, fits: impl Fn(&Received) -> bool) -> Option<Bytes> {
    let state = call.state();
    let found = state.received.iter().find(|got| fits(got));
    found.and_then(|got| got.file.as_ref()).map(|(bytes, _)| bytes.clone())
}

/// Puts a file where the client wants it on the hook's machine. The answer only says that it began.
fn put(call: &Call<'_>, path: &str, bytes: Option<Bytes>) -> Value {
    let Some(bytes) = bytes else {
        call.wrong("asked for the file of a message that was never received");
        return call.no();
    };
    let Some(place) = call.hook.local(path) else {
        call.wrong("the path is outside of the folder of the hook's machine");
        return call.no();
    };
    let written = place.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&place, bytes));
    call.taken(written.is_ok())
}

pub(super) fn down_pic(call: &Call<'_>) -> Value {
    let md5 = between(call.text("msg_xml"), " md5=\"", "\"").unwrap_or_default().to_owned();
    let file = file_of(call, |got| got.file.as_ref().is_some_and(|(bytes, _)| md5_of(bytes) == md5));
    put(call, call.text("topath"), file)
}

pub(super) fn down_by_id(call: &Call<'_>) -> Value {
    let wanted = call.text("fileid");
    let file = file_of(call, |got| got.file.as_ref().is_some_and(|(bytes, _)| file_id(&md5_of(bytes)) == wanted));
    put(call, call.text("topath"), file)
}

/// The file appears in the cache folder of WeChat.
pub(super) fn down_file(call: &Call<'_>) -> Value {
    let id = call.text("msg_id");
    let state = call.state();
    let found = state.received.iter().find(|got| got.id.to_string() == id);
    let Some((bytes, name)) = found.and_then(|got| got.file.clone()) else {
        call.wrong("`msg_id` is of no message with a file");
        return call.no();
    };
    let inner = format!("WeChat Files/{}/FileStorage/File/{}_{name}", state.town.me, md5_of(&bytes));
    drop(state);
    let place = call.hook.named(&inner);
    put(call, &place, Some(bytes))
}

pub(super) fn down_voice(call: &Call<'_>) -> Value {
    let id = call.text("msgsvrid");
    match file_of(call, |got| got.kind == SentKind::Voice && got.id.to_string() == id) {
        Some(bytes) => json!({"voice_len": bytes.len().to_string(), "voice_hex": hex(&bytes)}),
        None => {
            call.wrong("`msgsvrid` is of no voice message");
            call.no()
        }
    }
}

pub(super) fn voice_text(_call: &Call<'_>) -> Value {
    json!({"text": "你好"})
}

pub(super) fn gif_url(call: &Call<'_>) -> Value {
    let url = between(call.text("msg_xml"), "cdnurl = \"", "\"").unwrap_or_default();
    json!({"GetGIFURL": url})
}

/// Decodes a `.dat` on the hook's machine: one byte over all of it, which the first byte of a picture betrays.
pub(super) fn decode(call: &Call<'_>) -> Value {
    let read = |path: &str| call.hook.local(path).and_then(|path| std::fs::read(path).ok());
    let Some(hidden) = read(call.first(&["oripath", "src_path"])) else {
        call.wrong("the picture to decode is not on the hook's machine");
        return call.no();
    };
    let first = hidden.first().copied().unwrap_or_default();
    let second = hidden.get(1).copied().unwrap_or_default();
    let heads: [(u8, u8); 4] = [(0xff, 0xd8), (0x89, 0x50), (0x47, 0x49), (0x42, 0x4d)];
    let key = heads.iter().find(|(a, b)| first ^ a == second ^ b).map(|(a, _)| first ^ a).unwrap_or_default();
    let shown: Bytes = hidden.iter().map(|byte| byte ^ key).collect();
    put(call, call.first(&["savepath", "dst_path"]), Some(shown))
}

pub(super) fn crc32(call: &Call<'_>) -> Value {
    let bytes = call.file.as_ref().map(|file| file.bytes.clone()).unwrap_or_default();
    let crc = bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    json!({"Get_File_crc32": (!crc).to_string()})
}
