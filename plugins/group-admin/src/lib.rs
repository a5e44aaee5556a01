//! Who keeps a room in order, and alive? The plugin `group-admin`: what members must not do, and what a room wants done.
//!
//! ```toml
//! [[accounts]]
//! name = "shop"
//! use = ["group-admin"]
//!
//! [plugins.group-admin]
//! mode = "shadow"                  # at first: only tells what it would do
//!
//! [plugins.group-admin.flood]
//! messages = 8
//! within = "10s"
//!
//! [plugins.group-admin.links]
//! allow = ["example.com"]
//!
//! [plugins.group-admin.ladder]
//! remove = 3                       # without it nobody is removed
//! ```
//!
//! Reading order: this file (the handlers, which only delegate) → [`settings`] → `act` (the one door through which
//! everything is done), with `audit` (what was done), `shadow` (what would have been done) and `gate` (not too much at
//! once) → `ladder` → `guard` (what members must not do, and the commands) → `life` (what a room wants done) → `plan`.
//!
//! **One path per event.** A message is judged once, in [`GroupAdmin::message`]: first by `guard`, and when it let the
//! message pass, `life` sees it. What is punished triggers nothing else, in this plugin and in those behind it.
//!
//! **Rights** come from `[accounts.roles]` and from ids in the settings, never from names (security R26).

mod act;
mod audit;
mod gate;
mod ladder;
mod life;
mod plan;
pub mod settings;
mod shadow;

use std::sync::Arc;

use wxbot_plugin::Plan;
use wxbot_plugin::prelude::*;

use crate::act::{Desk, Doing};
use crate::gate::Held;
use crate::life::announce::{Mass, Step};
use crate::life::here::{Alone, Here};
use crate::life::settings::{CheckIn, Polls, Stats, Topic};
use crate::life::vote::Closing;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct GroupAdmin {
    settings: Arc<Settings>,
    desk: Desk,
}

/// 群管:词、链接、刷屏、警告、移出;日志与撤销。
#[plugin(
    id = "group-admin",
    config = Settings,
    needs = [Capability::GroupMessages, Capability::SendText],
    priority = 50,
)]
impl GroupAdmin {
    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        let settings = Arc::new(settings);
        Ok(Self { desk: Desk::default(), settings })
    }

    fn plan(settings: &Settings) -> Plan {
        plan::of(settings)
    }

    #[on(Message, only = group, priority = 100)]
    async fn message(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        if !self.settings.covers(&event.chat.id) {
            cx.note("rooms", false, || "this room is not in `rooms`".to_owned());
            return Ok(Effects::none());
        }
        // life: behind the guard, with what it let pass.
        life::message(&self.doing(cx), event).await
    }

    // ---- life: what a room wants done ----

    #[on(Message, only = private)]
    async fn asked_in_private(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        life::join::message(&self.doing(cx), event).await
    }

    #[on(MembersJoined)]
    async fn joined(&self, cx: &Ctx, event: &Event, joined: &MembersJoined) -> Result<Effects, PluginError> {
        life::welcome::told(&self.doing(cx), event, joined).await
    }

    #[on(MembersChanged, TopicChanged)]
    async fn changed(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        life::changed(&self.doing(cx), event).await
    }

    #[timer("welcome")]
    async fn welcome_waited(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        life::welcome::timer(&self.doing(cx), &event.chat.id).await
    }

    #[timer("poll")]
    async fn poll_over(&self, cx: &Ctx, event: &Event, due: Due<Closing>) -> Result<Effects, PluginError> {
        life::vote::timer(&self.doing(cx), &event.chat.id, due.payload).await
    }

    #[on(Schedule)]
    async fn announce_due(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        life::scheduled(&self.doing(cx), event).await
    }

    #[timer("announce")]
    async fn announce_on(&self, cx: &Ctx, due: Due<Step>) -> Result<Effects, PluginError> {
        life::announce::step(&self.doing(cx), due.payload).await
    }

    #[timer("announce-now")]
    async fn announce_now_on(&self, cx: &Ctx, due: Due<Mass>) -> Result<Effects, PluginError> {
        life::announce::next(&self.doing(cx), due.payload).await
    }

    /// 发言排行:日、周、总
    #[command("排行", alias = ["top"], only = group, cooldown = "5s/chat")]
    async fn ranking(&self, cx: &Ctx, here: Here<Stats>, span: Option<String>) -> Result<Effects, PluginError> {
        life::count::ranking(&self.doing(cx), &here, span.as_deref()).await
    }

    /// 我的发言数
    #[command("我的", alias = ["mine"], only = group, cooldown = "5s/user")]
    async fn mine(&self, cx: &Ctx, here: Here<Stats>, who: Sender, _alone: Alone) -> Result<Effects, PluginError> {
        life::count::mine(&self.doing(cx), &here, &who).await
    }

    /// 多少天没发言的人
    #[command("潜水", alias = ["silent"], only = group, allow = Role::GroupAdmin)]
    async fn silence(
        &self,
        cx: &Ctx,
        here: Here<Stats>,
        who: Sender,
        /// 天数
        days: Option<u32>,
    ) -> Result<Effects, PluginError> {
        life::count::silence(&self.doing(cx), &here, &who, days).await
    }

    /// 发起投票,不带内容则查看
    #[command("投票", alias = ["poll"], only = group)]
    async fn poll(
        &self,
        cx: &Ctx,
        here: Here<Polls>,
        who: Sender,
        /// 标题 | 选项一 | 选项二 | 10m
        what: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        life::vote::open(&self.doing(cx), &here, &who, what.as_deref()).await
    }

    /// 投第几项
    #[command("投", alias = ["vote"], only = group)]
    async fn vote(
        &self,
        cx: &Ctx,
        here: Here<Polls>,
        who: Sender,
        /// 选项的数字
        choice: usize,
    ) -> Result<Effects, PluginError> {
        life::vote::cast(&self.doing(cx), &here, &who, choice).await
    }

    /// 结束投票,公布结果
    #[command("结束投票", alias = ["endpoll"], only = group)]
    async fn end_poll(&self, cx: &Ctx, here: Here<Polls>, who: Sender) -> Result<Effects, PluginError> {
        life::vote::close(&self.doing(cx), &here, &who).await
    }

    /// 每日签到
    #[command("签到", alias = ["checkin"], only = group)]
    async fn check_in(
        &self,
        cx: &Ctx,
        here: Here<CheckIn>,
        who: Sender,
        _alone: Alone,
    ) -> Result<Effects, PluginError> {
        life::checkin::check_in(&self.doing(cx), &here, &who).await
    }

    /// 签到榜
    #[command("签到榜", alias = ["checkins"], only = group, cooldown = "5s/chat")]
    async fn check_ins(&self, cx: &Ctx, here: Here<CheckIn>) -> Result<Effects, PluginError> {
        life::checkin::list(&self.doing(cx), &here).await
    }

    /// 改群名并锁定;不带名字则锁定现在的
    #[command("改名", alias = ["topic"], only = group, allow = Role::GroupAdmin)]
    async fn rename(
        &self,
        cx: &Ctx,
        here: Here<Topic>,
        who: Sender,
        /// 新群名
        name: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        life::topic::rename(&self.doing(cx), &here, &who, name.as_deref()).await
    }

    /// 解锁群名
    #[command("解锁群名", alias = ["unlock-topic"], only = group, allow = Role::GroupAdmin)]
    async fn unlock(&self, cx: &Ctx, here: Here<Topic>, who: Sender) -> Result<Effects, PluginError> {
        life::topic::unlock(&self.doing(cx), &here, &who).await
    }

    /// 群发公告,要确认码
    #[command("公告", alias = ["announce"], allow = Role::Admin, cooldown = "30s/user")]
    async fn announce_now(
        &self,
        cx: &Ctx,
        who: Sender,
        /// 全部,或者 r12,r13
        rooms: String,
        /// 内容
        what: Rest,
    ) -> Result<Effects, PluginError> {
        life::announce::typed(&self.doing(cx), &who, &rooms, &what).await
    }

    // ---- end of life ----

    #[timer("gate")]
    fn said_later(&self, cx: &Ctx, event: &Event, due: Due<Held>) -> Effects {
        self.doing(cx).say_what_waited(&event.chat.id, due.payload)
    }
}

wxbot_plugin::export_plugin!(GroupAdmin);

impl GroupAdmin {
    /// The door through which everything is done.
    fn doing<'a>(&'a self, cx: &'a Ctx) -> Doing<'a> {
        Doing::new(cx, &self.settings, &self.desk)
    }
}
