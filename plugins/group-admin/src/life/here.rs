//! Which part does a command belong to? One that is switched off, or in a room that is not looked after, hears nothing:
//! its words are free for other plugins.

use std::marker::PhantomData;
use std::ops::Deref;

use wxbot_plugin::extract::{Asked, Extract, Miss};
use wxbot_plugin::model::Chat;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text;

use super::settings::{CheckIn, Polls, Stats, Topic};
use crate::GroupAdmin;
use crate::plan;
use crate::settings::{Mode, Settings};

/// A part that commands belong to.
pub(crate) trait Part: Send + Sync + 'static {
    /// What the table of its settings is called.
    const NAME: &'static str;

    /// Its settings, if it is on.
    fn of(settings: &Settings) -> Option<&Self>;
}

macro_rules! parts {
    ($($part:ty => $name:ident),*) => {$(
        impl Part for $part {
            const NAME: &'static str = stringify!($name);

            fn of(settings: &Settings) -> Option<&Self> {
                settings.$name.as_ref()
            }
        }
    )*};
}

parts! { Topic => topic, Stats => stats, Polls => polls, CheckIn => checkin }

/// The room of a command for everybody, where the part `P` is on. In shadow mode the room hears nothing, so that the
/// command is nobody's there.
pub(crate) struct Here<P>(Chat, PhantomData<fn() -> P>);

/// The same of a command for admins, who may know that the mode is `shadow`.
pub(crate) struct HereForAdmins<P>(Chat, PhantomData<fn() -> P>);

impl<P> Deref for Here<P> {
    type Target = Chat;

    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl<P> Deref for HereForAdmins<P> {
    type Target = Chat;

    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl<'a, P: Part> Extract<'a, GroupAdmin> for Here<P> {
    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        let (room, mode) = room_of::<P>(asked, name).await?;
        match mode {
            Mode::Enforce => Ok(Self(room, PhantomData)),
            Mode::Shadow => Err(Miss::pass("the mode is `shadow`: the room hears nothing")),
        }
    }
}

impl<'a, P: Part> Extract<'a, GroupAdmin> for HereForAdmins<P> {
    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        Ok(Self(room_of::<P>(asked, name).await?.0, PhantomData))
    }
}

async fn room_of<'a, P: Part>(asked: &'a Asked<'a>, name: &'static str) -> Result<(Chat, Mode), Miss> {
    let (room, config) = looked_after(asked, name).await?;
    if P::of(&config).is_none() {
        return Err(Miss::pass(format!("`{}` is off: its table is not in the settings", P::NAME)));
    }
    Ok((room, config.mode))
}

async fn looked_after<'a>(asked: &'a Asked<'a>, name: &'static str) -> Result<(Chat, Config<Settings>), Miss> {
    let config = <Config<Settings> as Extract<'a, GroupAdmin>>::extract(asked, name).await?;
    let event = asked.event();
    if !event.is_group() {
        return Err(Miss::pass("only in rooms"));
    }
    if !config.covers(&event.chat.id) {
        return Err(Miss::pass("this room is not in `rooms`"));
    }
    Ok((event.chat.clone(), config))
}

/// A room that is looked after, where members are judged: what the guard's commands are about.
pub(crate) struct Guarded(Chat);

/// A room that is looked after, where anything is on that the log tells of.
pub(crate) struct Logged(Chat);

impl Deref for Guarded {
    type Target = Chat;

    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl Deref for Logged {
    type Target = Chat;

    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl<'a> Extract<'a, GroupAdmin> for Guarded {
    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        let (room, config) = looked_after(asked, name).await?;
        match plan::judging(&config).next() {
            Some(_) => Ok(Self(room)),
            None => Err(Miss::pass("nothing is judged: no table of the guard is in the settings")),
        }
    }
}

impl<'a> Extract<'a, GroupAdmin> for Logged {
    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        let (room, config) = looked_after(asked, name).await?;
        match plan::of(&config).features.is_empty() {
            true => Err(Miss::pass("nothing is on: no table is in the settings")),
            false => Ok(Self(room)),
        }
    }
}

/// One word behind the command at most: `top of the morning` is none, and nobody is told how it is used.
pub(crate) struct Short;

impl<'a> Extract<'a, GroupAdmin> for Short {
    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        let typed = text::typed(asked.event()).map_err(|why| Miss::pass(why.to_string()))?;
        match typed.split_whitespace().count() {
            0..=2 => Ok(Self),
            _ => Err(Miss::pass("there is more than one word behind the command")),
        }
    }
}

/// Nothing behind the command: its word is one that sentences begin with, like 我的.
pub(crate) struct Alone;

impl<'a> Extract<'a, GroupAdmin> for Alone {
    const SHAPE: wxbot_plugin::extract::Shape = wxbot_plugin::extract::Shape::Text;

    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        let typed = text::typed(asked.event()).map_err(|why| Miss::pass(why.to_string()))?;
        match typed.contains(char::is_whitespace) {
            true => Err(Miss::pass("there is more behind the word")),
            false => Ok(Self),
        }
    }
}
