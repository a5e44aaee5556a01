//! Does a number in a message ever decide how much memory is asked for (security R09)?

use wxbot_core::lenient::protobuf;
use wxbot_core::pchook::{Reader, Settings};
use wxbot_fuzz::TARGETS;

/// More than any of these inputs needs, and less than any of the lengths that they state.
const PLENTY: u64 = 1 << 20;
const STATED: [&str; 4] = ["4294967295", "9223372036854775807", "18446744073709551615", "99999999999999999999999"];

fn held(work: impl Fn()) -> u64 {
    // Patterns are compiled once; that is not the message's doing.
    work();
    allocation_counter::measure(work).bytes_max
}

#[test]
fn sec_r09_a_stated_length_sizes_no_allocation() {
    let message = TARGETS.iter().find(|target| target.name == "webwx-message").unwrap();
    for stated in STATED {
        for xml in [
            format!(r#"<msg><img length="{stated}" hdlength="{stated}" md5="a"/></msg>"#),
            format!(r#"<msg><voicemsg voicelength="{stated}" length="{stated}"/></msg>"#),
            format!(r#"<msg><videomsg length="{stated}" playlength="{stated}"/></msg>"#),
            format!(r#"<msg><emoji len="{stated}" md5="a" width="{stated}"/></msg>"#),
            format!(
                "<msg><appmsg><type>6</type><title>a</title><appattach><totallen>{stated}</totallen></appattach></appmsg></msg>"
            ),
        ] {
            // Every type of message, in private and in a room.
            for kind in 0..64 {
                let input = [&[kind], xml.as_bytes()].concat();
                let held = held(|| (message.run)(&input));
                assert!(held < PLENTY, "type {kind}: {held} bytes for {xml}");
            }
        }
        let body = format!(
            r#"{{"selfwxid":"wxid_a","msgnumber":"{stated}","msglist":[{{"msgtype":"3","fromid":"wxid_b","msgsvrid":"{stated}","msg":"<msg><img length=\"{stated}\"/></msg>"}}]}}"#
        );
        let held = held(|| drop(Reader::resume(&[], Settings::default()).read(body.as_bytes(), 7)));
        assert!(held < PLENTY, "{held} bytes for {body}");
    }
}

#[test]
fn sec_r09_a_length_on_the_wire_sizes_no_allocation() {
    // Field 1, as long as varints can say; with and without something behind it.
    for len in [[0xff; 4].to_vec(), [&[0xff; 9][..], &[1]].concat(), vec![0xff, 0xff, 0xff, 0x7f]] {
        let bytes = [&[0x0a][..], &len, &[0; 16]].concat();
        let held = held(|| assert!(protobuf::pretty(&bytes).is_none()));
        assert!(held < 4096, "{held} bytes for {bytes:x?}");
    }
    // MessagePack states lengths of texts, lists and maps.
    for head in [
        &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xc6, 0x7f, 0xff, 0xff, 0xff],
    ] {
        let abi = TARGETS.iter().find(|target| target.name == "plugin-abi").unwrap();
        for kind in 0..8 {
            let input = [&[kind], head].concat();
            let held = held(|| (abi.run)(&input));
            // serde takes up to a MiB on trust, and no more.
            assert!(held < 4 * PLENTY, "kind {kind}: {held} bytes for {head:x?}");
        }
    }
}
