//! What is said about bytes that we send: before them, with each chunk, and in answer?

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::answer::BaseResponse;
use super::request::BaseRequest;
use crate::lenient::scalar::text;

/// `uploadmediarequest`, a JSON text in the form of each chunk.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UploadRequest<'a> {
    /// 2.
    pub upload_type: u8,
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// The same for all chunks of one upload, and for no other upload of the login.
    pub client_media_id: i64,
    /// Bytes of the whole file.
    pub total_len: u64,
    /// 0 in every chunk.
    pub start_pos: u64,
    /// Bytes of the whole file once more.
    pub data_len: u64,
    /// 4, whatever it is.
    pub media_type: u8,
    /// Ourselves.
    pub from_user_name: &'a str,
    /// Whom it is sent to first; others may get the same `MediaId`.
    pub to_user_name: &'a str,
    /// Of the whole file, 32 hexadecimal digits.
    pub file_md5: &'a str,
    /// Of a large file, from webwxcheckupload.
    #[serde(rename = "AESKey", skip_serializing_if = "Option::is_none")]
    pub aes_key: Option<&'a str>,
    /// Of a large file, from webwxcheckupload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'a str>,
}

impl fmt::Debug for UploadRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadRequest").field("total_len", &self.total_len).finish_non_exhaustive()
    }
}

impl UploadRequest<'_> {
    /// `UploadType`, in every sample.
    pub const UPLOAD_TYPE: u8 = 2;
    /// `MediaType`: all clients say "attachment", of pictures too.
    pub const ATTACHMENT: u8 = 4;
}

/// webwxuploadmedia.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UploadAnswer {
    /// Code.
    pub base_response: BaseResponse,
    /// Empty until the last chunk.
    #[serde(default, deserialize_with = "text")]
    pub media_id: String,
    /// How many bytes of the file the service has; `None` when it does not say.
    #[serde(default, deserialize_with = "position")]
    pub start_pos: Option<u64>,
}

/// A number that tells something by being 0: what is none is not taken for it.
fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(text(deserializer)?.trim().parse().ok())
}

/// webwxcheckupload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckUpload<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// Of the whole file.
    pub file_md5: &'a str,
    /// Its name.
    pub file_name: &'a str,
    /// Its bytes.
    pub file_size: u64,
    /// 7; demanded.
    pub file_type: u8,
    /// Ourselves.
    pub from_user_name: &'a str,
    /// The peer.
    pub to_user_name: &'a str,
}

impl CheckUpload<'_> {
    /// `FileType`.
    pub const ATTACHMENT: u8 = 7;
}

/// Answer of webwxcheckupload.
#[derive(Clone, Deserialize)]
pub struct CheckAnswer {
    /// Code.
    #[serde(rename = "BaseResponse")]
    pub base_response: BaseResponse,
    /// Not empty: the service has the file already.
    #[serde(default, rename = "MediaId", deserialize_with = "text")]
    pub media_id: String,
    /// For the upload. A key.
    #[serde(default, rename = "AESKey", deserialize_with = "text")]
    pub aes_key: String,
    /// For the upload and for the message. A key.
    #[serde(default, rename = "Signature", deserialize_with = "text")]
    pub signature: String,
}

impl fmt::Debug for CheckAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckAnswer").field("known", &!self.media_id.is_empty()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::super::testdata::{base, fixture, ok, same};
    use super::*;

    const ME: &str = "@595d9f44c64e2f480baa0d6430ca58ef053a768daa6d7b3fcc4bece244bcbce3";
    const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";
    const MD5: &str = "44682e637b75a3f5d6747d61dbd23a15";

    // cov: 52
    #[test]
    fn the_request_within_the_form() {
        let keys = base("NO0RlTCXvpBGaag7", "@crypt_14ae1b12_3bdec7023595f68f9900b5d9d7d30b75", "e984332143788024");
        let request = UploadRequest {
            upload_type: UploadRequest::UPLOAD_TYPE,
            base_request: keys,
            client_media_id: 1_476_761_460_420,
            total_len: 25_929,
            start_pos: 0,
            data_len: 25_929,
            media_type: UploadRequest::ATTACHMENT,
            from_user_name: ME,
            to_user_name: PEER,
            file_md5: MD5,
            aes_key: None,
            signature: None,
        };
        same("webwxuploadmedia-uploadmediarequest.json", &request);
        let large = UploadRequest { aes_key: Some("4d41"), signature: Some("v1_s"), ..request };
        let large = serde_json::to_value(&large).unwrap();
        assert_eq!((&large["AESKey"], &large["Signature"]), (&"4d41".into(), &"v1_s".into()));
    }

    // cov: 53
    #[test]
    fn answers_to_chunks() {
        let last: UploadAnswer = json("webwxuploadmedia", &ok(fixture("webwxuploadmedia.resp.json"))).unwrap();
        assert!(last.media_id.starts_with("@crypt_6084141c_") && last.start_pos == Some(25_929));
        let name = "x-webwxuploadmedia-intermediate.resp.json";
        let between: UploadAnswer = json("webwxuploadmedia", &ok(fixture(name))).unwrap();
        assert_eq!((between.media_id.as_str(), between.start_pos), ("", Some(524_288)));
        for (body, want) in [
            (r#"{"BaseResponse":{"Ret":0},"StartPos":"7"}"#, Some(7)),
            (r#"{"BaseResponse":{"Ret":0},"StartPos":0}"#, Some(0)),
            (r#"{"BaseResponse":{"Ret":0},"StartPos":null}"#, None),
            (r#"{"BaseResponse":{"Ret":0}}"#, None),
        ] {
            assert_eq!(json::<UploadAnswer>("x", &ok(body)).unwrap().start_pos, want, "{body}");
        }
    }

    #[test]
    fn a_large_file_is_announced() {
        let body = CheckUpload {
            base_request: base(
                "2qui+CC4YTiiI2zk",
                "@crypt_14ae1b12_1bb5e370393b8cd502919825fe9dbfc0",
                "e374531581999650",
            ),
            file_md5: MD5,
            file_name: "big.zip",
            file_size: 26_843_545,
            file_type: CheckUpload::ATTACHMENT,
            from_user_name: ME,
            to_user_name: PEER,
        };
        same("x-webwxcheckupload.req.json", &body);
        let read = |name| json::<CheckAnswer>("webwxcheckupload", &ok(fixture(name))).unwrap();
        let fresh = read("x-webwxcheckupload.resp.json");
        assert_eq!((fresh.media_id.as_str(), fresh.signature.as_str()), ("", "v1_signature"));
        assert_eq!(fresh.aes_key, "4d41c1a5a1e24d4a9b3a0f9b6e2c7f11");
        let known = read("x-webwxcheckupload-exists.resp.json");
        assert_eq!((known.media_id.as_str(), known.aes_key.as_str()), ("@crypt_existing", ""));
        assert_eq!(format!("{fresh:?}"), "CheckAnswer { known: false, .. }");
    }
}
