//! The command as scripts and people see it: the built binary on scratch folders, without root.
//!
//! Codes come from `oathtool`, an implementation that shares nothing with this one.

#[cfg(test)]
mod enroll;
#[cfg(test)]
#[path = "../failed/mod.rs"]
mod failed;
#[cfg(test)]
mod json_page;
#[cfg(test)]
mod odds;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod report;
#[cfg(test)]
mod resync;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod status;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod unlock;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod why;
