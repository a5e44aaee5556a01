//! Does a whole session behave, from the first code to the last message? On the in-memory simulator, on a paused clock.
//!
//! `rig` the account under test and what it sent → `login` → `resume` → `contacts` → `messages` → `syncing` what goes
//! wrong on the way → `sending` texts → `media` both ways → `friends` → `rooms`.

#[cfg(test)]
mod contacts;
#[cfg(test)]
mod friends;
#[cfg(test)]
mod login;
#[cfg(test)]
mod media;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod syncing;
