//! What may a handler return? Everything that can become [`Effects`]: texts, pictures, several of them, or nothing.

use std::borrow::Cow;

use crate::effects::Effects;
use crate::media::MediaSource;
use crate::plugin::PluginError;

/// What a handler returns: the answer.
///
/// ```
/// use wxbot_plugin::prelude::*;
/// # fn effects(of: impl IntoEffects) -> Effects { of.into_effects().unwrap() }
/// assert_eq!(effects("hi"), Effects::reply("hi"));
/// assert_eq!(effects(None::<&str>), Effects::none());
/// assert_eq!(effects(("one", "two")), Effects::reply("one").and_reply("two"));
/// let menu = MediaSource::path("/srv/bot/menu.png");
/// assert_eq!(effects(("看这里", Image(menu.clone()))), Effects::reply("看这里").and_reply_image(menu));
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "no answer can be made of it",
    note = "a handler returns text, `Image(source)`, `FileReply(source)`, `AtSender(text)`, `Effects`, `()`, or `Option`, `Vec`, a tuple, `Result<_, PluginError>` of these"
)]
pub trait IntoEffects {
    /// What should happen.
    ///
    /// # Errors
    /// What the handler failed with.
    fn into_effects(self) -> Result<Effects, PluginError>;
}

/// A picture as the answer (PNG, JPEG, BMP; GIF stands still).
#[derive(Debug, Clone, PartialEq)]
pub struct Image<S>(pub S);

/// A file as the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct FileReply<S>(pub S);

/// A text as the answer that mentions the sender (in rooms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtSender<S>(pub S);

impl IntoEffects for Effects {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(self)
    }
}

impl IntoEffects for () {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

impl IntoEffects for &str {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::reply(self))
    }
}

impl IntoEffects for String {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::reply(self))
    }
}

impl IntoEffects for Cow<'_, str> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::reply(self))
    }
}

impl<S: Into<MediaSource>> IntoEffects for Image<S> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::reply_image(self.0))
    }
}

impl<S: Into<MediaSource>> IntoEffects for FileReply<S> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::reply_file(self.0))
    }
}

impl<S: Into<String>> IntoEffects for AtSender<S> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        Ok(Effects::none().and_reply_at_sender(self.0))
    }
}

impl<T: IntoEffects> IntoEffects for Option<T> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        self.map_or_else(|| Ok(Effects::none()), T::into_effects)
    }
}

impl<T: IntoEffects, E: Into<PluginError>> IntoEffects for Result<T, E> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        self.map_err(Into::into)?.into_effects()
    }
}

impl<T: IntoEffects> IntoEffects for Vec<T> {
    fn into_effects(self) -> Result<Effects, PluginError> {
        self.into_iter().try_fold(Effects::none(), |all, one| Ok(all.then(one.into_effects()?)))
    }
}

macro_rules! tuples {
    ($($($part:ident)+;)*) => {$(
        impl<$($part: IntoEffects),+> IntoEffects for ($($part,)+) {
            fn into_effects(self) -> Result<Effects, PluginError> {
                #[expect(non_snake_case, reason = "a part is called like its type")]
                let ($($part,)+) = self;
                Ok(Effects::none()$(.then($part.into_effects()?))+)
            }
        }
    )*};
}

tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; }
