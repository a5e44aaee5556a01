//! Does the load generator count what it should?

use std::time::Duration;

use wxbot_sim::{AccountSpec, LoadPlan, LoadReport, Sim, SimError, World};

use crate::client::Client;

fn crowd(name: &str, friends: usize) -> AccountSpec {
    (0..friends).fold(AccountSpec::new(name), |account, number| account.friend(format!("f{number}")))
}

/// Answers every message `copies` times, each after a thinking time.
async fn echo(mut client: Client, copies: usize) {
    loop {
        if client.check().await.1 == "0" {
            continue;
        }
        let sync = client.sync().await;
        for message in sync["AddMsgList"].as_array().unwrap() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let text = format!("echo: {}", message["Content"].as_str().unwrap());
            for _ in 0..copies {
                client.send(message["FromUserName"].as_str().unwrap(), &text).await;
            }
        }
    }
}

async fn run(sim: &Sim, clients: Vec<Client>, copies: usize, plan: LoadPlan) -> LoadReport {
    let echoes = futures_util::future::join_all(clients.into_iter().map(|client| echo(client, copies)));
    tokio::select! {
        _ = echoes => unreachable!(),
        report = sim.load(plan) => report.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_is_answered() {
    let sim = Sim::new(World::default().with(crowd("a", 8)).with(crowd("b", 8)).with(crowd("offline", 8)));
    let clients = vec![Client::online(&sim, "a").await, Client::online(&sim, "b").await];
    let plan = LoadPlan { per_account: 100, open: 4, ..LoadPlan::default() };
    let report = run(&sim, clients, 1, plan).await;
    assert_eq!((report.messages, report.answered), (200, 200));
    assert_eq!((report.duplicates, report.unexpected), (0, 0));
    assert!(report.p50_ms >= 1.0 && report.p99_ms >= report.p50_ms, "{report:?}");
    assert!(report.per_second > 0.0);
    assert_eq!(sim.violations(), []);
    // Each message has a conversation of its own while it is open: the friends take turns.
    assert_eq!(
        sim.journal().delivered_to("a").take(8).map(|told| told.from.clone()).collect::<Vec<_>>(),
        ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"]
    );
}

#[tokio::test(start_paused = true)]
async fn answers_too_many_are_counted() {
    let sim = Sim::new(World::default().with(crowd("a", 4)));
    let clients = vec![Client::online(&sim, "a").await];
    let plan = LoadPlan { per_account: 10, open: 1, ..LoadPlan::default() };
    let report = run(&sim, clients, 2, plan).await;
    assert_eq!((report.answered, report.duplicates, report.unexpected), (10, 10, 0));
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_keeps_its_rate() {
    let sim = Sim::new(World::default().with(crowd("a", 2)));
    let clients = vec![Client::online(&sim, "a").await];
    let plan = LoadPlan { per_account: 50, rate_per_second: Some(10.0), ..LoadPlan::default() };
    let report = run(&sim, clients, 1, plan).await;
    assert_eq!(report.answered, 50);
    assert!((4.8..5.2).contains(&report.seconds), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_answers() {
    let sim = Sim::new(World::default().with(crowd("a", 4)));
    let plan = LoadPlan { open: 2, timeout_ms: 1_000, ..LoadPlan::default() };
    assert!(matches!(sim.load(plan.clone()).await, Err(SimError::Invalid(_))), "nobody is online");
    let _client = Client::online(&sim, "a").await;
    let report = sim.load(plan.clone()).await.unwrap();
    assert_eq!((report.messages, report.answered), (2, 0));
    assert!(matches!(sim.load(LoadPlan { open: 5, ..plan }).await, Err(SimError::Invalid(_))), "4 friends");
}
