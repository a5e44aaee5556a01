//! Do the services that push behave like the ones they stand for? Asked over HTTP, as their clients do.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod hook_actions;
#[cfg(test)]
mod hook_pushes;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod wecom_actions;
#[cfg(test)]
mod wecom_official;
#[cfg(test)]
mod wecom_pushes;
