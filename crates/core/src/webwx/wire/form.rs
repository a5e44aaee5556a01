//! How do bytes look as a form? `multipart/form-data` as a browser writes it, around one chunk of a file.

use std::fmt::Write;

/// The fields of one chunk.
pub struct Form<'a> {
    /// `WU_FILE_0`, ….
    pub id: &'a str,
    /// File name.
    pub name: &'a str,
    /// MIME type.
    pub mime: &'a str,
    /// Milliseconds since 1970 at which the file was changed.
    pub modified_ms: i64,
    /// Bytes of the whole file.
    pub size: u64,
    /// How many chunks there are, and which one this is, from 0. Only said of more than one.
    pub chunks: u64,
    /// See `chunks`.
    pub chunk: u64,
    /// `pic`, `video` or `doc`.
    pub media_type: &'a str,
    /// JSON.
    pub request: &'a str,
    /// The cookie of that name.
    pub data_ticket: &'a str,
    /// Decoded, other than in queries.
    pub pass_ticket: &'a str,
}

impl std::fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Form({} of {}, {} bytes in all)", self.chunk, self.chunks, self.size)
    }
}

impl Form<'_> {
    /// What stands before the bytes and after them.
    pub fn around(&self, boundary: &str) -> (Vec<u8>, Vec<u8>) {
        let date = date(self.modified_ms);
        let (size, chunks, chunk) = (self.size.to_string(), self.chunks.to_string(), self.chunk.to_string());
        let mut parts = vec![
            ("id", self.id),
            ("name", self.name),
            ("type", self.mime),
            ("lastModifiedDate", &date),
            ("size", &size),
        ];
        if self.chunks > 1 {
            parts.extend([("chunks", chunks.as_str()), ("chunk", &chunk)]);
        }
        parts.extend([
            ("mediatype", self.media_type),
            ("uploadmediarequest", self.request),
            ("webwx_data_ticket", self.data_ticket),
            ("pass_ticket", self.pass_ticket),
        ]);
        let mut head = String::new();
        for (name, value) in parts {
            // Writing to a String cannot fail.
            write!(head, "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").ok();
        }
        let (name, mime) = (quoted(self.name), self.mime);
        write!(
            head,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"{name}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        )
        .ok();
        (head.into_bytes(), format!("\r\n--{boundary}--\r\n").into_bytes())
    }
}

/// The three characters that would end the name, as browsers write them.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// The header that goes with a boundary.
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

/// As a browser in China prints a date: `Mon Jan 02 2006 15:04:05 GMT+0800 (中国标准时间)`.
fn date(ms: i64) -> String {
    const EAST: i64 = 8 * 3_600;
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let local_s = ms.div_euclid(1_000).saturating_add(EAST);
    let (days, second) = (local_s.div_euclid(86_400), local_s.rem_euclid(86_400));
    // Years that begin in March have their odd day at the end (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let pick =
        |names: &[&'static str], at: i64| usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or("");
    let (weekday, month) = (pick(&DAYS, days.rem_euclid(7)), pick(&MONTHS, month));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday} {month} {day:02} {year:04} {hour:02}:{minute:02}:{second:02} GMT+0800 (中国标准时间)")
}

/// The MIME type that a browser would state, by the name's ending.
pub fn mime(name: &str) -> &'static str {
    match extension(name).to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "bmp" => "image/bmp",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "json" => "application/json",
        "xml" => "text/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        _ => "application/octet-stream",
    }
}

/// What follows the last dot of a name; empty when nothing does.
pub fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form<'_> = Form {
        id: "WU_FILE_3",
        name: "top\"10.csv",
        mime: "text/csv",
        modified_ms: 1_136_185_445_999,
        size: 1_760,
        chunks: 1,
        chunk: 0,
        media_type: "doc",
        request: r#"{"UploadType":2}"#,
        data_ticket: "gSeM+/",
        pass_ticket: "kUY4/wIB",
    };

    fn fields(form: &Form<'_>) -> Vec<(String, String)> {
        let (head, _) = form.around("XX");
        let head = String::from_utf8(head).unwrap();
        let parts = head.split("--XX\r\nContent-Disposition: form-data; name=\"").skip(1);
        parts
            .map(|part| {
                let (name, rest) = part.split_once('"').unwrap();
                let (head, value) = rest.split_once("\r\n\r\n").unwrap();
                let value = if value.is_empty() { head } else { value.strip_suffix("\r\n").unwrap() };
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }

    // cov: 51
    #[test]
    fn the_parts_of_an_upload() {
        let want = [
            ("id", "WU_FILE_3"),
            ("name", "top\"10.csv"),
            ("type", "text/csv"),
            ("lastModifiedDate", "Mon Jan 02 2006 15:04:05 GMT+0800 (中国标准时间)"),
            ("size", "1760"),
            ("mediatype", "doc"),
            ("uploadmediarequest", r#"{"UploadType":2}"#),
            ("webwx_data_ticket", "gSeM+/"),
            ("pass_ticket", "kUY4/wIB"),
            ("filename", "; filename=\"top%2210.csv\"\r\nContent-Type: text/csv"),
        ];
        assert_eq!(fields(&FORM), want.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let (_, tail) = FORM.around("XX");
        assert_eq!(tail, b"\r\n--XX--\r\n");
        assert_eq!(content_type("XX"), "multipart/form-data; boundary=XX");
    }

    #[test]
    fn chunks_are_counted_when_there_are_several() {
        let names = |form: &Form<'_>| fields(form).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(!names(&FORM).iter().any(|name| name.starts_with("chunk")));
        let several = fields(&Form { chunks: 3, chunk: 2, ..FORM });
        let at = several.iter().position(|(name, _)| name == "chunks").unwrap();
        assert_eq!(several[at..at + 2], [("chunks".into(), "3".into()), ("chunk".into(), "2".into())]);
    }

    #[test]
    fn dates() {
        for (ms, want) in [
            (0, "Thu Jan 01 1970 08:00:00"),
            (951_782_400_000, "Tue Feb 29 2000 08:00:00"),
            (1_709_222_400_000, "Fri Mar 01 2024 00:00:00"),
            (1_709_222_399_000, "Thu Feb 29 2024 23:59:59"),
            (1_767_196_799_000, "Wed Dec 31 2025 23:59:59"),
            (-1_000, "Thu Jan 01 1970 07:59:59"),
        ] {
            assert_eq!(date(ms), format!("{want} GMT+0800 (中国标准时间)"), "{ms}");
        }
        for ms in [i64::MIN, i64::MAX] {
            assert!(date(ms).ends_with("(中国标准时间)"));
        }
    }

    #[test]
    fn types_by_ending() {
        for (name, want) in
            [("a.PNG", "image/png"), ("a.tar.gz", "application/octet-stream"), ("a", "application/octet-stream")]
        {
            assert_eq!(mime(name), want, "{name}");
        }
        assert_eq!((extension("a.b.csv"), extension("a"), extension("a.")), ("csv", "", ""));
    }
}
