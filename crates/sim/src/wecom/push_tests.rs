//! Are extensions those of the samples?

use super::*;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/wecom/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

#[test]
fn extensions_are_those_of_the_samples() {
    let operator = 1_688_855_440_457_534;
    let room = 10_820_914_206_954_126;
    for (name, local_id, seq, operation, what, time_s, opaque) in [
        (
            "event-room-topic",
            1_000_772,
            9_326_115,
            1_001,
            "测试群".as_bytes(),
            1_697_698_470,
            "AA0AAD50EC1E44C5BC960E6850BA3374",
        ),
        (
            "event-room-join",
            1_000_787,
            9_326_122,
            1_002,
            b"1688857997391344",
            1_697_701_029,
            "CAQQo7nDqQYYACC8pNC7CQ==",
        ),
        (
            "event-room-leave",
            1_000_797,
            9_326_127,
            1_003,
            b"1688855655434798",
            1_697_701_185,
            "CAQQwLrDqQYYACCNyfaQAg==",
        ),
    ] {
        let wanted = fixture(name)["event"]["payload"]["extension"].as_str().unwrap().to_owned();
        let made = Extension { local_id, seq, operator, room, operation, what, time_s, opaque }.hex();
        assert_eq!(made, wanted, "{name}");
    }
    let logout = fixture("event-logout");
    assert_eq!(logout_extension(operator, 65_538), logout["event"]["payload"]["extension"]);
}
