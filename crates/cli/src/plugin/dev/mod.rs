//! `wxbot dev`: every save of a plugin is built, and swapped into a bot that runs beside the editor.
//!
//! Reading order: this file is the loop → [`sources`] what is watched → [`home`] the bot's folder → [`bot`] the wxbot that
//! runs in it.

mod bot;
mod home;
mod sources;

use std::pin::Pin;

use tokio::time::Instant;
use wxbot_runtime::config::Registry;

use super::args::DevOptions;
use super::cargo::Crate;
use super::known;
use crate::args::Args;
use crate::report::{Failure, say};
use crate::run::{Signal, signal, tokio_runtime};
use crate::words::Lang;
use bot::Bot;
use home::Home;
use sources::Sources;

/// Builds and runs until Ctrl-C or SIGTERM.
pub(crate) fn run(registry: &Registry, args: &Args, options: &DevOptions) -> Result<(), Failure> {
    let tokio = tokio_runtime()?;
    let done = tokio.block_on(async {
        let mut stopped = std::pin::pin!(signal());
        let krate = tokio::select! {
            biased;
            _ = &mut stopped => return Ok(()),
            krate = Crate::look(&options.dir) => krate?,
        };
        let sources = Sources::watch(&krate)?;
        let mut dev =
            Dev { registry, args, home: Home::of(&krate), krate, release: options.release, sources, bot: None };
        let signal = dev.go_on(stopped.as_mut()).await?;
        dev.end(signal).await;
        Ok(())
    });
    tokio.shutdown_background();
    done
}

struct Dev<'a> {
    registry: &'a Registry,
    args: &'a Args,
    krate: Crate,
    release: bool,
    home: Home,
    sources: Sources,
    /// The wxbot, from the first good build on.
    bot: Option<Bot>,
}

impl Dev<'_> {
    /// Builds at each change until a signal comes.
    ///
    /// # Errors
    /// Only what no change of the sources could mend.
    async fn go_on(&mut self, mut stopped: Pin<&mut impl Future<Output = Signal>>) -> Result<Signal, Failure> {
        let lang = Lang::of_environment();
        loop {
            let sources = self.sources.print();
            say(&format!("⟳ {} {}", lang.pick("building", "正在构建"), self.krate.name));
            let begun = Instant::now();
            let built = tokio::select! {
                biased;
                signal = &mut stopped => return Ok(signal),
                built = self.build() => built,
            };
            match built {
                Ok(()) => {
                    let took = begun.elapsed().as_secs_f64();
                    say(&format!("✓ {} {took:.1} s", lang.pick("built in", "构建完成,用时")));
                    tokio::select! {
                        biased;
                        signal = &mut stopped => return Ok(signal),
                        done = self.put_into_force() => done?,
                    }
                }
                Err(failure) => {
                    let rest = match self.bot {
                        Some(_) => lang.pick("the build from before goes on", "继续运行上一次的构建"),
                        None => lang.pick("a save builds again", "保存后重新构建"),
                    };
                    say(&format!("✗ {failure}; {rest}"));
                }
            }
            let settings = self.home.print();
            loop {
                let ended = async {
                    match &mut self.bot {
                        Some(bot) => bot.ended().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    signal = &mut stopped => return Ok(signal),
                    status = ended => {
                        self.bot = None;
                        let again = lang.pick("a save starts it again", "保存后重新启动");
                        say(&format!("✗ wxbot {status}; {again}"));
                    }
                    () = self.sources.changed() => {}
                }
                // A change during the build is none that was told above, so both are looked at each time.
                if self.sources.print() != sources {
                    break;
                }
                if self.bot.is_none() && self.home.print() != settings {
                    break;
                }
            }
        }
    }

    /// Builds the crate, looks into what was built, and puts it where the bot finds it.
    async fn build(&self) -> Result<(), Failure> {
        let library = self.krate.build(self.release).await?;
        let known = known::in_file(self.registry, &library)?;
        self.home.furnish(&library, &known, self.registry)
    }

    /// Starts the bot, or lets it take up the new library.
    async fn put_into_force(&mut self) -> Result<(), Failure> {
        match &self.bot {
            Some(_) => self.home.reload().await,
            None => self.bot = Some(Bot::start(&self.home, self.args)?),
        }
        Ok(())
    }

    /// Ends the bot; at once when there is a second signal.
    async fn end(self, first: Signal) {
        let Some(bot) = self.bot else { return };
        tokio::select! {
            () = bot.end(first) => {}
            // With the future goes the bot.
            _ = signal() => {}
        }
    }
}
