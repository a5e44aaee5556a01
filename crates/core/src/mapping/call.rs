//! What may an account be asked, and with which values? One door per question, so that none forgets a value.

use super::value::Values;

/// An action by name, with its values.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name in the mapping.
    pub name: &'static str,
    /// What fills it.
    pub values: Values,
}

/// Why a query is not put to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only a single `SELECT` may be asked, without a semicolon behind it")]
pub struct NotOneQuestion;

impl Call {
    fn new(name: &'static str, values: Values) -> Self {
        Self { name, values }
    }

    fn room(name: &'static str, room: &str) -> Self {
        Self::new(name, Values::new().with("to", room).with("is_room", true).with("room_id", room))
    }

    /// Everybody the account knows.
    pub fn list_contacts() -> Self {
        Self::new("list_contacts", Values::new())
    }

    /// Every room the account is in.
    pub fn list_rooms() -> Self {
        Self::new("list_rooms", Values::new())
    }

    /// Who this is, or what this room.
    pub fn contact_info(peer: &str) -> Self {
        Self::new("contact_info", Values::new().with("user_id", peer).with("user_ids", vec![peer.to_owned()]))
    }

    /// Who is in a room.
    pub fn room_members(room: &str) -> Self {
        Self::room("room_members", room)
    }

    /// A room's own facts.
    pub fn room_info(room: &str) -> Self {
        Self::room("room_info", room)
    }

    /// What a member calls itself in a room.
    pub fn member_nickname(room: &str, member: &str) -> Self {
        let call = Self::room("member_nickname", room);
        Self { values: call.values.with("user_id", member), ..call }
    }

    /// Who the account itself is.
    pub fn self_info() -> Self {
        Self::new("self_info", Values::new())
    }

    /// Whether it is logged in.
    pub fn login_status() -> Self {
        Self::new("login_status", Values::new())
    }

    /// The QR code of a login.
    pub fn login_qr() -> Self {
        Self::new("login_qr", Values::new())
    }

    /// Where pushes go from now on. `mode`: what the hook calls `isEnable`.
    pub fn set_callback(url: &str, mode: &str) -> Self {
        Self::new("set_callback", Values::new().with("callback_url", url).with("callback_mode", mode))
    }

    /// Asks for the picture of a message, by its XML, to be put at a path of the service's machine.
    pub fn download_image(xml: &str, save_path: &str) -> Self {
        Self::new("download_image", Values::new().with("media.xml", xml).with("media.save_path", save_path))
    }

    /// The same by the numbers in its XML.
    pub fn download_image_by_id(aes_key: &str, file_id: &str, save_path: &str) -> Self {
        let values = Values::new().with("media.aeskey", aes_key).with("media.fileid", file_id);
        Self::new("download_image", values.with("media.save_path", save_path))
    }

    /// A film, likewise.
    pub fn download_video_by_id(aes_key: &str, file_id: &str, save_path: &str) -> Self {
        Self { name: "download_video", ..Self::download_image_by_id(aes_key, file_id, save_path) }
    }

    /// Asks for the file of a message to be fetched; it appears in the client's own folder.
    pub fn download_file(msg_id: &str) -> Self {
        Self::new("download_file", Values::new().with("msg_id", msg_id))
    }

    /// Asks for the speech of a message. `client_id`: `clientmsgid` of its XML; `room` where it was said in one.
    pub fn download_voice(msg_id: &str, client_id: &str, len: u64, room: Option<&str>) -> Self {
        let values = Values::new().with("msg_id", msg_id).with("media.fileid", client_id).with("media.len", len);
        Self::new("download_voice", values.maybe("room_id", room))
    }

    /// Asks for a picture of the client's cache to be written as one that can be opened.
    pub fn decode_image(path: &str, save_path: &str) -> Self {
        Self::new("decode_image", Values::new().with("path", path).with("media.save_path", save_path))
    }

    /// One question to a database of the client.
    ///
    /// # Errors
    /// When it is anything but one SELECT.
    pub fn query_db(db: &str, sql: &str) -> Result<Self, NotOneQuestion> {
        if !is_one_select(sql) {
            return Err(NotOneQuestion);
        }
        Ok(Self::new("query_db", Values::new().with("db", db).with("sql", sql)))
    }

    /// The names of those databases.
    pub fn list_dbs() -> Self {
        Self::new("list_dbs", Values::new())
    }
}

/// True for one SELECT, and nothing behind it. What cannot be told apart with certainty is none.
fn is_one_select(sql: &str) -> bool {
    /// Words that change something, or open another file, wherever they stand outside of texts.
    const NOT_HERE: [&str; 13] = [
        "insert",
        "update",
        "delete",
        "replace",
        "drop",
        "alter",
        "create",
        "attach",
        "detach",
        "pragma",
        "vacuum",
        "reindex",
        "load_extension",
    ];
    let Some(bare) = without_texts(sql) else { return false };
    let bare = bare.trim().to_ascii_lowercase();
    let mut words = bare.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    sql.len() <= 64 * 1024
        && bare.starts_with("select")
        && words.next() == Some("select")
        && words.all(|word| !NOT_HERE.contains(&word))
        && !bare.contains([';', '\0'])
        && !bare.contains("--")
        && !bare.contains("/*")
}

/// The statement without what stands in quotes; `None` when a quote is never closed.
fn without_texts(sql: &str) -> Option<String> {
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars();
    while let Some(c) = chars.next() {
        let end = match c {
            '\'' | '"' | '`' => c,
            '[' => ']',
            c => {
                out.push(c);
                continue;
            }
        };
        // A doubled quote ends one text and begins another: nothing is between them, so it comes to the same.
        chars.by_ref().find(|c| *c == end)?;
        out.push(' ');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_select_is_asked() {
        for sql in [
            "SELECT * FROM Contact",
            "  select UserName from Contact where Alias = 'it''s; DROP TABLE x -- no'",
            "SELECT \"delete\", [update], `drop` FROM t WHERE a = ';'",
            "SELECT updated_at FROM t",
        ] {
            assert!(is_one_select(sql), "{sql}");
        }
        for sql in [
            "",
            "DELETE FROM Contact",
            "SELECT 1; DROP TABLE Contact",
            "SELECT 1;",
            "SELECT 1 -- '\n; DROP TABLE x",
            "SELECT 1 /* ' */ ; DELETE FROM x",
            "SELECT 'open",
            "selection",
            "WITH x AS (SELECT 1) DELETE FROM y",
            "SELECT load_extension('x')",
            "EXPLAIN SELECT 1",
            "PRAGMA key",
            "select 1\0",
        ] {
            assert!(!is_one_select(sql), "{sql}");
        }
        assert_eq!(Call::query_db("MicroMsg.db", "DROP TABLE x").unwrap_err(), NotOneQuestion);
    }
}
