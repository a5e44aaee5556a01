//! Does the simulator behave like the server it stands for? Asked through its public API, on a paused clock.

#[cfg(test)]
mod between;
#[cfg(test)]
mod client;
#[cfg(test)]
mod contacts;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod friends;
#[cfg(test)]
mod load;
#[cfg(test)]
mod login;
#[cfg(test)]
mod media_faults;
#[cfg(test)]
mod media_over_http;
#[cfg(test)]
mod over_http;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod said;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod syncing;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod violations;
