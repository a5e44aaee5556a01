//! What if a service pushes to a wxbot whose disk is full? It is told at once, and what it pushes again is kept.

use std::fs;
use std::time::Duration;

use wxbot_sim::{AccountSpec, HookSay, HookSetup, HookSim, World};

use crate::disk::SmallDisk;
use crate::support::wxbot::{self, Running};
use crate::support::{skip, wait};

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn pushes_get_503_while_the_disk_is_full_and_are_kept_again_afterwards() {
    let folder = tempfile::Builder::new().prefix("wxbot-faults-").tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("data")).unwrap() else {
        return skip::note("faults: pushes to a full disk", "nothing may be mounted here").unwrap();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World { accounts: vec![AccountSpec::new("shop").friend("小红")], ..World::default() };
    let hook = runtime.block_on(HookSim::start(&world, HookSetup::new(folder.path().join("windows")))).unwrap();
    let (port, wxid) = (hook.port("shop").unwrap(), hook.wxid("shop").unwrap());
    let config = format!(
        "middleware = []\n\n[store]\nreserve = \"16MiB\"\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[pacing]\nper_account = \"100/s\"\n\
         burst = 100\nper_chat = \"1000/min\"\n\n[[plugins.auto-reply.rules]]\nregex = '^q(?P<n>\\d+)$'\nreply = \"a{{{{ named.n }}}}\"\n\n\
         [[accounts]]\nname = \"shop\"\nprotocol = \"pc-hook\"\nprofile = \"v3\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         server_port = {port}\nself_wxid = \"{wxid}\"\n"
    );
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    let running = Running::start(folder.path(), &["run"]).unwrap();
    let log = || running.err().unwrap();
    let pushing = || Ok((hook.journal().asked_at("/ConfigureMsgRecive").count() > 0).then_some(()));
    wait::until("the hook to be told where to push to", WITHIN, pushing).unwrap_or_else(|e| panic!("{e}\n{}", log()));
    let say = |number: u32| {
        let _entered = runtime.enter();
        hook.say("shop", HookSay::text("小红", &format!("q{number}"))).unwrap();
        runtime.block_on(hook.settled());
        hook.journal().pushes.iter().filter_map(|push| push.status).next_back().unwrap()
    };
    let state = |what: &str, part: &str| {
        wait::until(what, WITHIN, || {
            let one = wxbot::account(folder.path(), "shop")?;
            let there = one["why"]
                .as_str()
                .is_some_and(|why| if part.is_empty() { why.is_empty() } else { why.contains(part) });
            if there { Ok(Some(one)) } else { Err(std::io::Error::other(one.to_string())) }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", log()))
    };
    let heard = |count: usize| {
        let texts = || hook.journal().texts_to("小红").map(str::to_owned).collect::<Vec<_>>();
        wait::until("the answers", WITHIN, || Ok(Some(texts()).filter(|texts| texts.len() >= count)))
            .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", texts(), log()))
    };
    assert_eq!(say(1), 200);
    assert_eq!(heard(1), ["a1"]);

    disk.leave(10);
    state("the reserve to be noticed", "handled and answered later");
    assert_eq!(say(2), 200, "what is pushed is taken last of all");

    disk.leave(1);
    let spent = state("taking to stop", "nothing is taken");
    assert_eq!(spent["state"], "reconnecting", "{spent}");
    let begun = tokio::time::Instant::now();
    assert_eq!(say(3), 503);
    assert!(begun.elapsed() < Duration::from_secs(5), "at once: nobody waits for the limit of ten seconds");
    assert_eq!(heard(1), ["a1"], "nothing was handled meanwhile");

    disk.clear();
    state("it to go on by itself", "");
    // The hook of this profile says a thing once; whoever pushes again after a 503 is heard.
    assert_eq!(say(4), 200);
    assert_eq!(heard(3), ["a1", "a2", "a4"]);
    assert!(running.stop("TERM", WITHIN).unwrap().success());
}
