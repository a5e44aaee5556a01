//! Does the simulated iLink behave like the service it stands for? Asked in memory, on a paused clock, as its clients do.

#[cfg(test)]
mod client;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod login;
#[cfg(test)]
mod media;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod wire;
