//! How does all that wxbot remembers fit into one file, and come out of it again? [`parcel`] the file: parts with their
//! digests → [`passphrase`] what is sealed in it (ADR 0029).

pub mod parcel;
pub mod passphrase;
