//! What does `{{name}}` do? It greets whoever greets.

use wxbot_plugin::prelude::*;

/// Greets whoever greets.
#[derive(Debug, Default)]
pub struct {{type}};

#[plugin(id = "{{name}}")]
impl {{type}} {
    /// Says hello back.
    #[command("你好", alias = ["hello", "hi"])]
    async fn hello(&self, sender: Sender) -> String {
        format!("你好,{}!", sender.name())
    }
}

#[cfg(feature = "dylib")]
wxbot_plugin::export_plugin!({{type}});

#[cfg(test)]
mod tests {
    use super::*;
    use wxbot_plugin::testing::Kit;

    #[wxbot_plugin::test]
    async fn greets(bot: Kit<{{type}}>) {
        let alice = bot.user("alice");
        alice.say("你好").await.gets("你好,alice!");
        alice.say("天气").await.gets_nothing();
    }
}
