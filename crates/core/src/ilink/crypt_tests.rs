//! Vectors of the official functions, and what is no key and no file.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ilink::testdata::fixture;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

fn key() -> MediaKey {
    MediaKey::of_hex(KEY).unwrap()
}

fn sealed(plain: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = Sealer::new(&key());
    let mut out: Vec<u8> = plain.chunks(piece).flat_map(|piece| sealer.seal(piece)).collect();
    out.extend(sealer.end());
    out
}

fn opened(sealed: &[u8], piece: usize, key: &MediaKey) -> Result<Vec<u8>, OpenError> {
    let mut opener = Opener::new(key);
    let mut out: Vec<u8> = sealed.chunks(piece).flat_map(|piece| opener.open(piece)).collect();
    out.extend(opener.end()?);
    Ok(out)
}

// cov: vectors-media
#[test]
fn vectors_of_the_official_functions() {
    let vectors = fixture("vectors-media");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &Value| STANDARD.decode(text(value)).unwrap();
    assert_eq!(
        (key().hex().expose(), key().outbound().expose()),
        (&text(&vectors["key_hex"]), &text(&vectors["key_outbound_aes_key"]))
    );
    let keys = vectors["inbound_aes_keys"].as_array().unwrap();
    for row in keys {
        let key = MediaKey::of_base64(&text(&row["aes_key"])).unwrap();
        assert_eq!(key.hex().expose(), &text(&row["key_hex"]));
    }
    let bad = vectors["bad_aes_keys"].as_array().unwrap();
    let why: Vec<_> = bad.iter().map(|key| MediaKey::of_base64(&text(key)).unwrap_err()).collect();
    assert_eq!(
        why,
        [KeyError::Length { len: 0 }, KeyError::Length { len: 3 }, KeyError::Length { len: 24 }, KeyError::Digits]
    );
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let (plain, cipher) = (bytes(&case["plain_b64"]), bytes(&case["cipher_b64"]));
        let rawsize = u64::try_from(plain.len()).unwrap();
        assert_eq!((case["rawsize"].as_u64(), case["filesize"].as_u64()), (Some(rawsize), Some(sealed_len(rawsize))));
        for piece in [1, 5, 16, 17, 100] {
            assert_eq!(sealed(&plain, piece), cipher, "{rawsize} bytes by {piece}");
            assert_eq!(opened(&cipher, piece, &key()).unwrap(), plain, "{rawsize} bytes by {piece}");
        }
    }
    assert_eq!((keys.len(), bad.len(), cases.len()), (3, 4, 6));
}

#[test]
fn keys() {
    for (text, want) in [
        (" 000102030405060708090A0B0C0D0E0F\n", Ok(())),
        ("", Err(KeyError::Length { len: 0 })),
        ("00010203", Err(KeyError::Length { len: 8 })),
        ("zz0102030405060708090a0b0c0d0e0f", Err(KeyError::Digits)),
    ] {
        assert_eq!(MediaKey::of_hex(text).map(|_| ()), want, "{text}");
    }
    assert_eq!(MediaKey::of_base64("AAECAwQFBgcICQoLDA0ODw").unwrap().hex().expose(), KEY, "without its padding");
    assert_eq!(MediaKey::of_base64("!").unwrap_err(), KeyError::Base64);
    let shown = format!("{:?} {:?} {:?}", key(), key().hex(), KeyError::Digits);
    assert!(!shown.contains("0102"), "{shown}");
}

#[test]
fn what_was_cut_or_sealed_with_another_key_is_told() {
    let cipher = sealed(b"forty bytes that fill two blocks and half", 7);
    assert_eq!(cipher.len(), 48);
    for (name, bytes, want) in [
        ("nothing", &cipher[..0], OpenError::Cut),
        ("cut in a block", &cipher[..47], OpenError::Cut),
        ("the last block is missing", &cipher[..32], OpenError::Padding),
    ] {
        assert_eq!(opened(bytes, 16, &key()), Err(want), "{name}");
    }
    let other = MediaKey::new([7; 16]);
    assert_eq!(opened(&cipher, 16, &other), Err(OpenError::Padding));
    // A padding of 0, of 17, and one that is not all the same.
    for tail in [[0_u8; 16], [17; 16], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 2]] {
        let mut block = tail;
        key().cipher().encrypt_block((&mut block).into());
        assert_eq!(opened(&block, 16, &key()), Err(OpenError::Padding), "{tail:?}");
    }
}

proptest! {
    #[test]
    fn bytes_come_back(plain: Vec<u8>, up in 1_usize..50, down in 1_usize..50) {
        let cipher = sealed(&plain, up);
        prop_assert_eq!(u64::try_from(cipher.len()).unwrap(), sealed_len(u64::try_from(plain.len()).unwrap()));
        prop_assert_eq!(opened(&cipher, down, &key()).unwrap(), plain);
    }

    #[test]
    fn any_bytes_open_or_not(bytes: Vec<u8>, text in ".{0,60}") {
        drop(opened(&bytes, 16, &key()));
        drop((MediaKey::of_hex(&text), MediaKey::of_base64(&text)));
    }
}
