//! Do bytes arrive as they were sent over iLink, in both directions? On the in-memory simulator, on a paused clock.

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::StreamExt;
    use wxbot_core::ilink::{ILink, Settings};
    use wxbot_core::protocol::{
        Fetch, LoginEvent, LoginWatcher, MediaFile, Outgoing, Progress, Protocol, Receipt, Session,
    };
    use wxbot_core::source::Source;
    use wxbot_core::{FetchError, ReplyWindow, SendError};
    use wxbot_model::{Action, EventKind, Media, MediaHandle, MediaKind, MediaShape, PeerId};
    use wxbot_sim::{
        AccountSpec, Fault, FaultKind, IlinkFile, IlinkKey, IlinkMessage, IlinkOutcome, IlinkSay, IlinkSetup, IlinkSim,
        UploadUrls, World,
    };

    struct Nobody;

    impl LoginWatcher for Nobody {
        fn tell(&self, _event: LoginEvent) {}

        fn still_wanted(&self) -> bool {
            true
        }
    }

    struct Rig {
        sim: IlinkSim,
        protocol: ILink,
        session: Box<dyn Session>,
        folder: tempfile::TempDir,
    }

    impl Rig {
        async fn new() -> Self {
            let setup = IlinkSetup { auto_confirm: true, ..IlinkSetup::default() };
            let sim = IlinkSim::new(&World::default().with(AccountSpec::new("shop")), setup);
            let settings = Settings {
                endpoint: None,
                cdn: None,
                version: "2.4.9".into(),
                agent: "wxbot/0.1.0".into(),
                route_tag: None,
                hold: Duration::from_secs(35),
                window: ReplyWindow { sends: 10, open_for: Duration::from_secs(86_400) },
                text_limit: 2000,
                experimental_voice: false,
            };
            let protocol = ILink::new(settings, sim.transport(), Source::system());
            let session = protocol.login(&Nobody).await.unwrap();
            Self { sim, protocol, session, folder: tempfile::tempdir().unwrap() }
        }

        /// What the owner says, as it comes: who, and the bytes that it names.
        async fn hears(&mut self, say: IlinkSay) -> (PeerId, Option<MediaHandle>) {
            self.sim.say("shop", &IlinkMessage::say(say)).unwrap();
            loop {
                let batch = self.session.next_batch().await.unwrap();
                let Some(event) = batch.events.into_iter().next() else { continue };
                let EventKind::Message(message) = event.kind else { panic!("{event:?}") };
                return (event.chat, message.content.media().cloned());
            }
        }

        fn file(&self, name: &str, bytes: &[u8]) -> MediaFile {
            let path = self.folder.path().join("bytes");
            std::fs::write(&path, bytes).unwrap();
            MediaFile { path, len: bytes.len().try_into().unwrap(), name: name.into(), progress: Progress::default() }
        }

        async fn give(&self, to: &PeerId, shape: MediaShape, file: &MediaFile) -> Result<Receipt, SendError> {
            let media = Media::Received { media: MediaHandle::new(MediaKind::File, "1", None), name: String::new() };
            let action = Action::SendMedia { to: "p1".parse().unwrap(), shape, media };
            let (client_id, media) = (self.protocol.draw_client_msg_id(), Some(file.clone()));
            let outgoing = Outgoing { action, to: Some(to.clone()), others: Vec::new(), media, client_id };
            self.session.sender().perform(outgoing).await
        }

        async fn fetch(&self, media: MediaHandle) -> Result<Vec<u8>, FetchError> {
            let mut body = self.session.sender().fetch(Fetch::Media(media)).await?.body;
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        }

        fn clean(&self) {
            assert_eq!(
                self.sim.violations().into_iter().map(|violation| violation.what).collect::<Vec<_>>(),
                Vec::<String>::new()
            );
        }
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..=250).cycle().take(len).collect()
    }

    fn said(file: IlinkFile) -> Vec<IlinkSay> {
        vec![
            IlinkSay::Image(file.clone()),
            IlinkSay::Voice { file: file.clone(), ms: 1_000, encode_type: 6, text: None },
            IlinkSay::File(file.clone()),
            IlinkSay::Video { file, seconds: 3 },
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn every_shape_arrives_as_it_was_sent() {
        for urls in [UploadUrls::Both, UploadUrls::Full, UploadUrls::Param] {
            let mut rig = Rig::new().await;
            rig.sim.change(|setup| setup.upload_urls = urls);
            let (owner, _) = rig.hears(IlinkSay::Text("hi".into())).await;
            for (shape, kind, name) in [
                (MediaShape::Image, "image", "a.png"),
                (MediaShape::Video, "video", "a.mp4"),
                (MediaShape::File, "file", "价目 <表> & \"x\".csv"),
            ] {
                let content = bytes(300_000 + kind.len());
                let file = rig.file(name, &content);
                let receipt = rig.give(&owner, shape, &file).await.unwrap();
                let journal = rig.sim.journal();
                let sent = journal.sends.last().unwrap();
                assert_eq!((sent.kind.as_str(), sent.outcome, &sent.grey), (kind, IlinkOutcome::Shown, &Vec::new()));
                assert_eq!(receipt.server_id.as_deref(), Some(sent.message_id.as_str()));
                let media = sent.media.clone().unwrap();
                let md5: String =
                    <md5::Md5 as md5::Digest>::digest(&content).iter().map(|b| format!("{b:02x}")).collect();
                assert_eq!((media.md5, media.len), (md5, file.len));
                if shape == MediaShape::File {
                    assert_eq!(media.file_name, name);
                }
                let upload = journal.uploads.last().unwrap();
                assert_eq!((upload.flaw.as_str(), upload.full_url), ("", urls != UploadUrls::Param));
                assert_eq!(file.progress.get(), file.len);
            }
            rig.clean();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_people_send_is_fetched_and_opened() {
        let mut rig = Rig::new().await;
        let content = Bytes::from(bytes(70_001));
        for full_url in [true, false] {
            for key in [IlinkKey::Raw, IlinkKey::Hex] {
                let (data, key, full_url) = (Some(content.clone()), Some(key), Some(full_url));
                let file = IlinkFile { data, key, full_url, name: "../../etc/x.txt".into(), ..IlinkFile::default() };
                for say in said(file) {
                    let (_, media) = rig.hears(say.clone()).await;
                    assert!(rig.fetch(media.unwrap()).await.unwrap() == content, "{say:?}");
                }
            }
        }
        // A picture that nobody sealed.
        let file = IlinkFile { data: Some(content.clone()), key: Some(IlinkKey::None), ..IlinkFile::default() };
        let (_, media) = rig.hears(IlinkSay::Image(file)).await;
        assert!(rig.fetch(media.unwrap()).await.unwrap() == content);
        rig.clean();
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_opened_or_is_gone_is_refused_with_a_reason() {
        let mut rig = Rig::new().await;
        let file = |key| IlinkFile { data: Some(Bytes::from_static(b"1234")), key, ..IlinkFile::default() };
        for (name, file, want) in [
            ("another key", file(Some(IlinkKey::Wrong)), "padding"),
            ("no key", file(Some(IlinkKey::Short)), "key"),
            ("gone", IlinkFile { gone: true, ..file(None) }, "HTTP 4"),
        ] {
            let (_, media) = rig.hears(IlinkSay::File(file)).await;
            let error = rig.fetch(media.unwrap()).await.unwrap_err();
            // In memory nobody says how long it is: then it may have been cut as well.
            let for_good = matches!(error, FetchError::Refused { .. } | FetchError::Gone { .. });
            assert!(for_good == (name != "another key") && error.to_string().contains(want), "{name}: {error}");
        }
        let file = IlinkFile { data: Some(bytes(5_000).into()), ..IlinkFile::default() };
        let (_, media) = rig.hears(IlinkSay::File(file)).await;
        let media = media.unwrap();
        for (kind, want) in [
            (FaultKind::Truncate { bytes: 4_000 }, "padding"),
            (FaultKind::Status { code: 502 }, "502"),
            (FaultKind::Html, "page"),
            (FaultKind::Empty, "nothing"),
            (FaultKind::Redirect { to: "https://evil.example/".into() }, "redirect"),
            (FaultKind::Drop, "did not answer"),
        ] {
            rig.sim.inject(Fault::once("download", kind.clone()));
            let error = rig.fetch(media.clone()).await.unwrap_err();
            assert!(error.to_string().contains(want), "{kind:?}: {error}");
        }
        assert_eq!(rig.fetch(media).await.unwrap(), bytes(5_000), "it is still there");
    }

    #[tokio::test(start_paused = true)]
    async fn uploads_outlive_two_failures_and_no_third() {
        let mut rig = Rig::new().await;
        let (owner, _) = rig.hears(IlinkSay::Text("hi".into())).await;
        let file = rig.file("a.txt", b"1234");
        for kind in [FaultKind::Drop, FaultKind::DropAfter, FaultKind::Status { code: 500 }, FaultKind::Empty] {
            rig.sim.inject(Fault { times: 2, ..Fault::once("upload", kind.clone()) });
            rig.give(&owner, MediaShape::File, &file).await.unwrap();
            rig.sim.inject(Fault { times: 3, ..Fault::once("upload", kind.clone()) });
            let done = rig.give(&owner, MediaShape::File, &file).await;
            assert!(
                matches!(&done, Err(SendError::NotTaken { why, .. }) if why.contains("3 times")),
                "{kind:?}: {done:?}"
            );
        }
        rig.sim.inject(Fault::once("upload", FaultKind::Status { code: 400 }));
        assert!(matches!(rig.give(&owner, MediaShape::File, &file).await, Err(SendError::Failed { .. })));
        assert_eq!(rig.sim.journal().count("shop", IlinkOutcome::Shown), 4);
        rig.clean();
    }

    #[tokio::test(start_paused = true)]
    async fn typing_is_shown_and_ends() {
        let mut rig = Rig::new().await;
        let (owner, _) = rig.hears(IlinkSay::Text("hi".into())).await;
        let sender = rig.session.sender();
        sender.typing(&owner, true).await.unwrap();
        sender.typing(&owner, true).await.unwrap();
        // The service forgets its tickets: another is asked for, and nobody notices.
        rig.sim.expire_tickets("shop").unwrap();
        sender.typing(&owner, false).await.unwrap();
        let journal = rig.sim.journal();
        assert_eq!(journal.typing.iter().map(|typing| typing.on).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(journal.asked_at("getconfig").count(), 2);
        rig.clean();
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_that_was_used_is_shown_once() {
        let mut rig = Rig::new().await;
        let (owner, _) = rig.hears(IlinkSay::Text("hi".into())).await;
        let action = Action::SendText { to: "p1".parse().unwrap(), text: "once".into(), mention: Vec::new() };
        let client_id = rig.protocol.draw_client_msg_id();
        let outgoing = Outgoing { action, to: Some(owner), others: Vec::new(), media: None, client_id };
        rig.sim.inject(Fault::once("sendmessage", FaultKind::DropAfter));
        let sender: Arc<dyn wxbot_core::ActionSender> = rig.session.sender();
        assert!(matches!(sender.perform(outgoing.clone()).await, Err(SendError::Uncertain { .. })));
        sender.perform(outgoing).await.unwrap();
        let journal = rig.sim.journal();
        let became: Vec<_> = journal.sends.iter().map(|send| send.outcome).collect();
        assert_eq!(became, [IlinkOutcome::Shown, IlinkOutcome::Doubled]);
    }
}
