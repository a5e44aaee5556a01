//! Does the model's side hold what it promises? Against a strict endpoint that does everything wrong on demand.
//!
//! `fake` (the endpoint) → `talk` (a plugin that lets the model answer) with `log` (also of the plugin itself) → `answers` → `troubles` → `network` (sockets) → `rules` (the
//! plugin itself).

mod answers;
mod fake;
mod network;
mod rules;
mod talk;
mod troubles;
