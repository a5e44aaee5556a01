use super::*;
use tokio::time::Instant;

#[tokio::test]
async fn bench() {
    for (what, chats, n) in [("one chat", 1usize, 5000usize), ("5000 chats", 5000, 5000), ("20 chats", 20, 5000)] {
        let rig = rig();
        for chunk in 0..n / 100 {
            let rows = (0..100)
                .map(|i| event(&format!("k{}", chunk * 100 + i), &format!("p{}", (chunk * 100 + i) % chats + 1)))
                .collect();
            let seqs = rig.store.accept(batch(rows)).await.unwrap();
            let all = seqs.seqs.into_iter().enumerate().map(|(i, seq)| {
                let k = chunk * 100 + i;
                rig.store.finish(end(
                    seq.unwrap(),
                    vec![send("a", 0, &format!("p{}", k % chats + 1), &format!("17{k:010}"))],
                ))
            });
            futures_util::future::try_join_all(all).await.unwrap();
        }
        let per_chat = (Rate::new(20, Duration::from_secs(60)), 1);
        for (name, paced, lim) in [("paced", true, 16), ("lifted", false, 1)] {
            let begun = Instant::now();
            let mut got = 0;
            for _ in 0..50 {
                let mut a = ask();
                a.limit = lim;
                if paced {
                    a.per_chat = per_chat;
                }
                let (sends, _) = rig.store.claim_sends(a).await.unwrap();
                got += sends.len();
                for s in sends {
                    rig.store.settle(s.id, Settlement::Sent { server_id: None }).await.unwrap();
                }
            }
            println!("{what} {name}: {:?} per claim(+settles), {got} sends", begun.elapsed() / 50);
        }
    }
    let rig = rig();
    let begun = Instant::now();
    let all = (0..4000).map(|k| rig.store.accept(batch(vec![event(&format!("k{k}"), &format!("p{}", k % 100 + 1))])));
    let seqs = futures_util::future::try_join_all(all).await.unwrap();
    println!("accept: {:?} each", begun.elapsed() / 4000);
    let begun = Instant::now();
    futures_util::future::try_join_all(seqs.iter().map(|s| rig.store.claim(s.seqs[0].unwrap()))).await.unwrap();
    println!("claim: {:?} each", begun.elapsed() / 4000);
    let begun = Instant::now();
    futures_util::future::try_join_all(seqs.iter().map(|s| {
        let q = s.seqs[0].unwrap();
        rig.store.finish(end(q, vec![send("a", 0, "p1", &format!("17{q:010}"))]))
    }))
    .await
    .unwrap();
    println!("finish: {:?} each", begun.elapsed() / 4000);
    let begun = Instant::now();
    for _ in 0..100 {
        rig.store.waiting(&shop(), 0, 256).await.unwrap();
    }
    println!("waiting (4000 done): {:?} each", begun.elapsed() / 100);
}
