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
//! once) → `ladder` → `guard` (what members must not do, and the commands) → `life` (what a room wants done) → `plan` →
//! `sweep` (what is forgotten).
//!
//! **One path per event.** A message is judged once, in `GroupAdmin::message`: first by `guard`, and when it let the
//! message pass, `life` sees it. What is punished triggers nothing else, in this plugin and in those behind it.
//!
//! **Rights** come from `[accounts.roles]` and from ids in the settings, never from names (security R26).

mod act;
mod audit;
mod gate;
mod guard;
mod ladder;
mod life;
mod plan;
pub mod settings;
mod shadow;
mod sweep;

use wxbot_plugin::model::Person;
use wxbot_plugin::prelude::*;

use crate::act::{Desk, Doing};
use crate::gate::Held;
use crate::guard::Guard;
use crate::guard::commands::Command;
use crate::life::announce::{Mass, Step};
use crate::life::here::{Alone, Guarded, Here, HereForAdmins, Logged, Short};
use crate::life::settings::{CheckIn, Polls, Stats, Topic};
use crate::life::vote::Closing;
use crate::settings::Mode;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct GroupAdmin {
    settings: Settings,
    desk: Desk,
    guard: Guard,
}

/// 群管:词、链接、刷屏、警告、移出、撤销;欢迎、进群、群名、统计、投票、签到、公告。
#[plugin(
    id = "group-admin",
    config = Settings,
    needs = [Capability::GroupMessages, Capability::SendText],
    priority = 50,
    watches,
)]
impl GroupAdmin {
    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self { desk: Desk::default(), guard: Guard::new(&settings)?, settings })
    }

    fn plan(settings: &Settings) -> Plan {
        plan::of(settings)
    }

    #[on(Message, only = group, priority = 100)]
    async fn message(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        if !self.covers(cx, event) {
            return Ok(Effects::none());
        }
        let judged = guard::watch::message(&self.guard, &self.doing(cx), event).await?;
        if judged.punished && self.settings.mode == Mode::Enforce {
            cx.block();
            return Ok(judged.effects);
        }
        // What broke no rule, or was only reported, is seen by life.
        Ok(judged.effects.then(life::message(&self.doing(cx), event).await?))
    }

    #[on(MembersJoined, only = group, priority = 100)]
    async fn joined(&self, cx: &Ctx, event: &Event, joined: &MembersJoined) -> Result<Effects, PluginError> {
        if !self.covers(cx, event) {
            return Ok(Effects::none());
        }
        guard::newcomer::joined(&self.doing(cx), event, joined)
    }

    #[on(MembersChanged, only = group, priority = 100)]
    async fn changed(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        let EventKind::MembersChanged { joined, .. } = &event.kind else { return Ok(Effects::none()) };
        if !self.covers(cx, event) {
            return Ok(Effects::none());
        }
        guard::newcomer::noticed(&self.guard, &self.doing(cx), event, joined)
    }

    /// 警告成员:警告 @成员 理由
    #[command("警告", alias = ["warn"], only = group, allow = Role::GroupAdmin)]
    async fn warn(
        &self,
        cx: &Ctx,
        here: Guarded,
        by: Sender,
        /// @成员 理由
        whom: Rest,
    ) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).warn(whom.as_str()).await
    }

    /// 移出成员:移出 @成员…(要确认)
    #[command("移出", alias = ["kick"], only = group, allow = Role::GroupAdmin)]
    async fn remove(
        &self,
        cx: &Ctx,
        here: Guarded,
        by: Sender,
        /// @成员…
        whom: Rest,
    ) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).remove(whom.as_str()).await
    }

    /// 豁免成员:清除违规次数
    #[command("豁免", alias = ["pardon"], only = group, allow = Role::GroupAdmin)]
    async fn pardon(
        &self,
        cx: &Ctx,
        here: Guarded,
        by: Sender,
        /// @成员…
        whom: Rest,
    ) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).pardon(whom.as_str()).await
    }

    /// 白名单:白名单 加 @成员,白名单 删 @成员
    #[command("白名单", alias = ["whitelist"], only = group, allow = Role::GroupAdmin)]
    async fn whitelist(
        &self,
        cx: &Ctx,
        here: Guarded,
        by: Sender,
        /// 加 @成员,或 删 @成员
        what: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        let what = what.as_ref().map_or("", Rest::as_str);
        self.command(&self.doing(cx), &here.id, &by).whitelist(what).await
    }

    /// 群管状态
    #[command("状态", alias = ["status"], only = group, allow = Role::GroupAdmin)]
    async fn status(&self, cx: &Ctx, here: Guarded, by: Sender) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).status().await
    }

    /// 关闭本群的群管
    #[command("关 群管", alias = ["关群管", "guard off"], only = group, allow = Role::GroupAdmin)]
    async fn pause(&self, cx: &Ctx, here: Guarded, by: Sender) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).pause(true).await
    }

    /// 打开本群的群管
    #[command("开 群管", alias = ["开群管", "guard on"], only = group, allow = Role::GroupAdmin)]
    async fn resume(&self, cx: &Ctx, here: Guarded, by: Sender) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).pause(false).await
    }

    /// 看日志
    #[command("日志", alias = ["audit"], only = group, allow = Role::GroupAdmin)]
    async fn log(
        &self,
        cx: &Ctx,
        here: Logged,
        by: Sender,
        /// 第几页
        page: Option<usize>,
    ) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).log(page).await
    }

    /// 撤销日志里的一条
    #[command("撤销", alias = ["undo"], only = group, allow = Role::GroupAdmin)]
    async fn undo(
        &self,
        cx: &Ctx,
        here: Logged,
        by: Sender,
        /// 日志里的编号
        n: Option<u64>,
    ) -> Result<Effects, PluginError> {
        self.command(&self.doing(cx), &here.id, &by).undo(n).await
    }

    // ---- life: what a room wants done ----

    #[on(Message, only = private)]
    async fn asked_in_private(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        life::join::message(&self.doing(cx), event).await
    }

    #[on(MembersJoined)]
    async fn newcomers(&self, cx: &Ctx, event: &Event, joined: &MembersJoined) -> Result<Effects, PluginError> {
        life::welcome::told(&self.doing(cx), event, joined).await
    }

    #[on(MembersChanged, TopicChanged)]
    async fn room_changed(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
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

    #[schedule("announce")]
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
    async fn ranking(
        &self,
        cx: &Ctx,
        here: Here<Stats>,
        _short: Short,
        /// 日、周或总
        span: Option<String>,
    ) -> Result<Effects, PluginError> {
        life::answered(life::count::ranking(&self.doing(cx), &here, span.as_deref()).await)
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
        here: HereForAdmins<Stats>,
        who: Sender,
        /// 天数
        days: Option<u32>,
    ) -> Result<Effects, PluginError> {
        life::count::silence(&self.doing(cx), &here, &who, days).await
    }

    /// 发起投票,不带内容则查看
    #[command("投票", alias = ["poll"], only = group, cooldown = "3s/user")]
    async fn poll(
        &self,
        cx: &Ctx,
        here: Here<Polls>,
        who: Sender,
        /// 标题 | 选项一 | 选项二 | 10m
        what: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        life::answered(life::vote::open(&self.doing(cx), &here, &who, what.as_deref()).await)
    }

    /// 投第几项
    #[command("投", alias = ["vote"], only = group, cooldown = "3s/user")]
    async fn vote(
        &self,
        cx: &Ctx,
        here: Here<Polls>,
        _short: Short,
        who: Sender,
        /// 选项的数字
        choice: Option<String>,
    ) -> Result<Effects, PluginError> {
        life::answered(life::vote::cast(&self.doing(cx), &here, &who, choice.as_deref()).await)
    }

    /// 结束投票,公布结果
    #[command("结束投票", alias = ["endpoll"], only = group, cooldown = "3s/user")]
    async fn end_poll(&self, cx: &Ctx, here: Here<Polls>, who: Sender, _alone: Alone) -> Result<Effects, PluginError> {
        life::answered(life::vote::close(&self.doing(cx), &here, &who).await)
    }

    /// 每日签到
    #[command("签到", alias = ["checkin"], only = group, cooldown = "10s/user")]
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
    async fn check_ins(&self, cx: &Ctx, here: Here<CheckIn>, _alone: Alone) -> Result<Effects, PluginError> {
        life::checkin::list(&self.doing(cx), &here).await
    }

    /// 改群名并锁定;不带名字则锁定现在的
    #[command("改名", alias = ["topic"], only = group, allow = Role::GroupAdmin)]
    async fn rename(
        &self,
        cx: &Ctx,
        here: HereForAdmins<Topic>,
        who: Sender,
        /// 新群名
        name: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        life::topic::rename(&self.doing(cx), &here, &who, name.as_deref()).await
    }

    /// 解锁群名
    #[command("解锁群名", alias = ["unlock-topic"], only = group, allow = Role::GroupAdmin)]
    async fn unlock(&self, cx: &Ctx, here: HereForAdmins<Topic>, who: Sender) -> Result<Effects, PluginError> {
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

    #[schedule("sweep")]
    async fn sweep_daily(&self, cx: &Ctx) -> Result<Effects, PluginError> {
        sweep::step(&self.doing(cx), sweep::Place::default()).await
    }

    #[timer("sweep")]
    async fn sweep_on(&self, cx: &Ctx, due: Due<sweep::Place>) -> Result<Effects, PluginError> {
        sweep::step(&self.doing(cx), due.payload).await
    }

    #[timer("gate")]
    fn said_later(&self, cx: &Ctx, event: &Event, due: Due<Held>) -> Effects {
        self.doing(cx).say_what_waited(&event.chat.id, &due.payload)
    }
}

wxbot_plugin::export_plugin!(GroupAdmin);

impl GroupAdmin {
    /// The door through which everything is done.
    fn doing<'a>(&'a self, cx: &'a Ctx) -> Doing<'a> {
        Doing::new(cx, &self.settings, &self.desk)
    }

    /// A command in a room, by somebody.
    fn command<'a>(&'a self, doing: &'a Doing<'a>, room: &'a ContactId, by: &'a Person) -> Command<'a> {
        Command { guard: &self.guard, doing, room, by }
    }

    /// Whether the event is of a room that is looked after.
    fn covers(&self, cx: &Ctx, event: &Event) -> bool {
        let covers = self.settings.covers(&event.chat.id);
        if !covers {
            cx.note("rooms", false, || "this room is not in `rooms`".to_owned());
        }
        covers
    }
}
