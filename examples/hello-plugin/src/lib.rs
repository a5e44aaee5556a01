//! What is the smallest plugin? A type, a command and a test.

use wxbot_plugin::prelude::*;

/// The plugin.
#[derive(Debug, Default)]
pub struct Hello;

/// Greets whoever says 你好.
#[plugin(id = "hello")]
impl Hello {
    /// 打招呼
    #[command("你好", alias = ["hello"])]
    fn hello(&self, who: Sender) -> String {
        format!("你好,{who}!")
    }
}

wxbot_plugin::export_plugin!(Hello);

#[cfg(test)]
mod tests {
    use wxbot_plugin::testing::Kit;

    use super::*;

    #[wxbot_plugin::test]
    async fn greets_by_name(bot: Kit<Hello>) {
        let alice = bot.user("alice");
        alice.say("你好").await.gets("你好,alice!");
        alice.say("/hello").await.gets("你好,alice!");
        alice.say("再见").await.gets_nothing();
    }
}
