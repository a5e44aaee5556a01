//! Does each saved input do what it may? Every file of the corpus and of the fixtures, once, as `cargo xtask fuzz` begins.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]

use wxbot_fuzz::judge::judge;
use wxbot_fuzz::{TARGETS, Target, corpus};

/// Without these a target begins with nothing.
const FEWEST: usize = 3;

fn check(target: &Target) {
    let inputs = corpus::inputs(target).unwrap();
    assert!(inputs.len() >= FEWEST, "{}: only {} inputs; save some in fuzz/corpus/", target.name, inputs.len());
    let mut wrong = Vec::new();
    for one in &inputs {
        // Also cut off, which is what a broken connection does.
        for bytes in [&*one.bytes, &one.bytes[..one.bytes.len() / 2], &one.bytes[..one.bytes.len().saturating_sub(1)]] {
            if let Err(finding) = judge(target, bytes) {
                wrong.push(format!("{} ({} bytes of it): {finding}", one.path.display(), bytes.len()));
            }
        }
    }
    for word in target.words {
        if let Err(finding) = judge(target, word.as_bytes()) {
            wrong.push(format!("{word:?}: {finding}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes a test for each target, and one that none is forgotten.
macro_rules! each {
    ($($test:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check(TARGETS.iter().find(|target| target.name == $name).unwrap());
            }
        )*

        #[test]
        fn each_target_has_a_test_and_a_folder_is_of_a_target() {
            let mut tested = vec![$($name),*];
            let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            tested.sort_unstable();
            names.sort_unstable();
            assert_eq!(tested, names);
            for folder in std::fs::read_dir(corpus::root().join("fuzz/corpus")).unwrap() {
                let name = folder.unwrap().file_name().into_string().unwrap();
                assert!(names.contains(&&*name), "fuzz/corpus/{name} is of no target");
            }
        }
    };
}

each! {
    sec_r10_scripts_of_web_wechat "webwx-scripts",
    sec_r10_answers_of_web_wechat "webwx-answers",
    sec_r10_messages_of_web_wechat "webwx-message",
    sec_r10_answers_of_ilink "ilink-answers",
    sec_r10_words_of_ilink "ilink-words",
    sec_r10_xml "said-xml",
    sec_r10_texts_of_the_service "said-texts",
    sec_r10_careless_json "lenient-json",
    sec_r10_protobuf_without_a_schema "lenient-protobuf",
    sec_r10_pushes_of_a_hook "pchook-push",
    sec_r10_pushes_of_a_gateway "wecom-push",
    sec_r10_sealed_callbacks "wecom-sealed",
    sec_r10_opened_callbacks "wecom-opened",
    sec_r10_answers_to_tables "mapping-answer",
    sec_r10_tables_of_services "mapping-table",
    sec_r10_words_of_the_model "model-words",
    sec_r10_words_of_the_clock "clock-words",
    sec_r10_bot_toml "bot-toml",
    sec_r10_settings_of_plugins "plugin-settings",
    sec_r10_the_border_of_plugins "plugin-abi",
    sec_r10_patterns_and_templates "plugin-words",
    sec_r10_what_plugins_hear "plugins-hear",
    sec_r10_lists_of_keywords "keyword-lists",
    sec_r10_streams_of_models "llm-stream",
    sec_r10_the_server_and_the_socket "doors",
}

/// The corpus is read by everybody who clones the repository.
#[test]
fn the_corpus_is_small() {
    let mut bytes = 0;
    for target in TARGETS {
        for one in corpus::inputs(target).unwrap() {
            if one.path.starts_with(corpus::folder(target)) {
                bytes += one.bytes.len();
            }
        }
    }
    assert!(bytes < 2 << 20, "the saved corpus has {bytes} bytes");
}
