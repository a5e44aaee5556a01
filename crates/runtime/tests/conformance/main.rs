//! Does a plugin behave the same wherever it runs? One list of scenes, played in the test kit, linked, and from a file.
//!
//! `scenes` says what is played, `stage` where.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod scenes;
mod stage;

#[path = "../dylib/making.rs"]
#[expect(dead_code, reason = "the tests of the boundary need more of it")]
mod making;

use scenes::SCENES;
use stage::{InKit, InRuntime, Stage};
use stress_plugin::Stress;
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::config::Libraries;
use wxbot_runtime::plugin::dylib::Shelf;

async fn play(stage: &mut impl Stage) {
    for (name, lines) in SCENES {
        stage.begin().await;
        for (said, want) in *lines {
            let heard = stage.say(said).await;
            assert_eq!(
                heard.as_deref(),
                want.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{name}: {said}"
            );
        }
    }
}

#[tokio::test]
async fn in_the_test_kit() {
    play(&mut InKit::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linked_into_the_host() {
    play(&mut InRuntime::of(PluginFactory::of::<Stress>())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loaded_from_a_file() {
    let file = making::rust("stress-plugin", making::Build::default());
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(folder.path().join("copies"));
    let plugin = tokio::task::spawn_blocking(move || shelf.open(&file, None)).await.unwrap().unwrap();
    play(&mut InRuntime::of(plugin)).await;
}
