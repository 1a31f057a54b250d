//! The mock cloud from outside: as a provider, in a file, and by hand.

mod faults;
mod provider;
mod store;
mod support;
