//! `wxbot outbox`: what waits to be sent, of which sends nobody knows, which failed; and a person's word about them.

use serde_json::{Value, json};
use wxbot_runtime::config::Registry;
use wxbot_runtime::pacing::window::Shut;
use wxbot_runtime::store::{Decided, Decision, SendFilter, SendRow, SendState};

use crate::accounts::ago;
use crate::args::Args;
use crate::dead::who;
use crate::mend::args::{OutboxCommand, ResolveOptions, StateWord};
use crate::mend::{Counter, MendAsk, any_account, shown};
use crate::report::{Failure, OrExit, print, say};
use crate::words::Lang;

/// What a list shows where nobody says otherwise: what waits, and what somebody should look at.
const OPEN: [SendState; 5] =
    [SendState::Queued, SendState::Sending, SendState::Uncertain, SendState::Held, SendState::Failed];

pub(crate) fn run(registry: &Registry, args: &Args, command: &OutboxCommand, as_json: bool) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    match command {
        OutboxCommand::List { state, account, limit } => {
            let states = if state.is_empty() { OPEN.to_vec() } else { state.iter().map(|word| word.state()).collect() };
            let filter = SendFilter { account: any_account(account.as_deref())?, states };
            list(&counter, filter, usize::from(*limit), as_json)
        }
        OutboxCommand::Resolve(options) => resolve(&counter, options, as_json),
    }
}

impl StateWord {
    fn state(self) -> SendState {
        match self {
            Self::Queued => SendState::Queued,
            Self::Sending => SendState::Sending,
            Self::Uncertain => SendState::Uncertain,
            Self::Held => SendState::Held,
            Self::Sent => SendState::Sent,
            Self::Failed => SendState::Failed,
            Self::Expired => SendState::Expired,
            Self::Dropped => SendState::Dropped,
        }
    }
}

/// The word of a state, padded by nobody.
pub(crate) fn state_word(state: SendState, lang: Lang) -> &'static str {
    let (en, zh) = match state {
        SendState::Queued => ("queued", "排队"),
        SendState::Sending => ("sending", "发送中"),
        SendState::Uncertain => ("uncertain", "不确定"),
        SendState::Held => ("held", "扣住"),
        SendState::Sent => ("sent", "已发送"),
        SendState::Failed => ("failed", "失败"),
        SendState::Expired => ("expired", "过期"),
        SendState::Dropped => ("dropped", "已丢弃"),
    };
    lang.pick(en, zh)
}

fn list(counter: &Counter<'_>, filter: SendFilter, limit: usize, as_json: bool) -> Result<(), Failure> {
    let lines = counter.lines(MendAsk::Sends { filter, limit })?;
    if as_json {
        print(&Value::Array(lines).to_string());
        return Ok(());
    }
    let lang = counter.lang;
    let mut undecided = false;
    for line in &lines {
        let send: SendRow = serde_json::from_value(line.clone()).or_exit("cannot read the list")?;
        undecided |= matches!(send.state, SendState::Uncertain | SendState::Held);
        print(&in_a_line(&send, lang));
    }
    if lines.is_empty() {
        say(lang.pick("no such send", "没有符合的发送"));
    } else if lines.len() == limit {
        say(lang.pick("there may be more: --limit shows them", "可能还有更多:用 --limit 查看"));
    }
    if undecided {
        say(lang.pick(
            "next: look into the chats, then `wxbot outbox resolve ID --sent`, `--resend` or `--drop`",
            "下一步:查看聊天记录,然后 `wxbot outbox resolve ID --sent`、`--resend` 或 `--drop`",
        ));
    }
    Ok(())
}

pub(crate) fn in_a_line(send: &SendRow, lang: Lang) -> String {
    let SendRow { id, account, conv, plugin, what, state, attempts, created_ms, .. } = send;
    let mut line = format!(
        "{id:<8} {account}  {conv:<6} {:<10} {plugin} {what} {} {attempts} {}",
        state_word(*state, lang),
        lang.pick("tries", "尝试"),
        ago(created_ms / 1_000)
    );
    if send.replay {
        line.push_str(lang.pick(" (replay)", "(重放)"));
    }
    if let Some(error) = &send.error {
        line.push_str(": ");
        let why = Shut::of_reason(error).map(|shut| shut.tell(lang.into()));
        line.push_str(&why.map_or_else(|| shown(error), str::to_owned));
    }
    line
}

fn resolve(counter: &Counter<'_>, options: &ResolveOptions, as_json: bool) -> Result<(), Failure> {
    let decision = match (options.sent, options.resend) {
        (true, _) => Decision::Sent,
        (_, true) => Decision::Resend,
        (false, false) => Decision::Drop(format!("dropped by {} with `wxbot outbox resolve`", who())),
    };
    let mut lines = Vec::new();
    counter.ask(MendAsk::Decide { ids: options.ids.clone(), decision: decision.clone() }, |line| lines.push(line))?;
    if lines.is_empty() {
        // wxbot has never run here, so none of them is there.
        lines = options.ids.iter().map(|id| json!({ "id": id, "done": false, "outcome": Decided::Unknown })).collect();
    }
    if as_json {
        print(&Value::Array(lines.clone()).to_string());
    }
    let mut bad = Vec::new();
    for line in &lines {
        let id = line.get("id").and_then(Value::as_u64).unwrap_or(0);
        let outcome = line.get("outcome").cloned().unwrap_or_default();
        let decided: Decided = serde_json::from_value(outcome).or_exit("cannot read the answer")?;
        match told(&decided, &decision, counter.lang) {
            Ok(word) if !as_json => print(&format!("{id} {word}")),
            Ok(_) => {}
            Err(why) => bad.push(format!("{id}: {why}")),
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(Failure::new(bad.join("; "))) }
}

fn told(decided: &Decided, decision: &Decision, lang: Lang) -> Result<&'static str, String> {
    match decided {
        Decided::Done { .. } => Ok(match decision {
            Decision::Sent => lang.pick("counts as sent", "记为已发送"),
            Decision::Resend => lang.pick("goes out again", "将再次发送"),
            Decision::Drop(_) => lang.pick("is dropped", "已丢弃"),
        }),
        Decided::Unknown => Err(lang.pick("there is no such send", "没有此编号的发送").to_owned()),
        Decided::Emptied => Err(lang.pick("what it said is no longer stored", "其内容已不再保存").to_owned()),
        Decided::Not { state } => {
            let is = lang.pick("it is", "当前状态:");
            let no = lang.pick("there is nothing to decide so", "不能这样处理");
            Err(format!("{is} {}; {no}", state_word(*state, lang)))
        }
    }
}
