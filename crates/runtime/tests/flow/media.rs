//! Do pictures and files go all the way: from a phone to a plugin, and from a plugin to a phone?

use wxbot_plugin::prelude::*;
use wxbot_sim::{Deliver, Said};

use crate::rig::Rig;

/// Reads every picture and file, says what it is, and sends it back as a file.
pub(crate) struct Mirror;

impl Plugin for Mirror {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("mirror", "Sends back what it gets.").needs(&[Capability::FetchMedia, Capability::SendFile])
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(message) = event.message() else { return Ok(Effects::none()) };
        match (event.text(), message.content.media()) {
            (Some("recall"), _) => Ok(Effects::none().recall_last(event.chat.id.clone())),
            (Some("face"), _) => {
                let face = cx.avatar(&event.chat.id).await?;
                Ok(Effects::reply(face.file_type().mime()))
            }
            (_, Some(handle)) => {
                let file = cx.media(handle).await?;
                let text = format!("{} of {}", file.file_type().mime(), file.len());
                Ok(Effects::reply(text).and_reply_image(&file).and_reply_file(&file))
            }
            (_, None) => Ok(Effects::none()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_picture_comes_in_and_goes_out_and_is_taken_back() {
    let mut rig = Rig::new("use = [\"mirror\"]").await;
    rig.log_in().await;
    rig.sim.deliver("shop", Deliver::said("Alice", Said::Image { data: None })).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 3).await;
    let sends = rig.sends();
    assert!(sends[0].1.starts_with("image/png of "), "{sends:?}");
    rig.sim.deliver("shop", Deliver::text("Alice", "face")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 4).await;
    assert!(rig.sends()[3].1.starts_with("image/"), "{:?}", rig.sends());
    rig.sim.deliver("shop", Deliver::text("Alice", "recall")).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.sent == 5).await;
    let counts = rig.counts().await;
    assert_eq!((counts.outbox.failed, counts.outbox.uncertain, counts.inbox.dead), (0, 0, 0), "{counts:?}");
    assert!(rig.sim.violations().is_empty(), "{:?}", rig.sim.violations());
    rig.stop().await;
}
