//! PSKC, the Portable Symmetric Key Container of RFC 6030, plain or encrypted with AES-CBC.

mod dates;
mod encryption;
mod key;
mod xml;

use std::fmt;

use roxmltree::{Document, Error, Node, ParsingOptions};
use zeroize::Zeroizing;

use self::encryption::Encryption;
use self::key::read_package;
use self::xml::{PSKC, child, children};
use super::token::{Place, Reading};
use crate::verifier::time::UnixTime;

/// What opens an encrypted container.
pub enum PskcKey {
    /// A key that was agreed upon, of 16, 24 or 32 bytes.
    Hex(Zeroizing<Vec<u8>>),
    /// The password that the key is derived from.
    Password(Zeroizing<String>),
}

impl fmt::Debug for PskcKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PskcKey([redacted])")
    }
}

/// What is wrong with a value.
enum Wrong {
    /// The whole file is not to be trusted.
    File(String),
    /// The token can't be read; others can.
    Token(String),
}

/// Reads a container. Keys that are expired at `today` are refused.
#[must_use]
pub fn parse(text: &str, key: Option<&PskcKey>, today: UnixTime) -> Reading {
    let mut reading = Reading::default();
    if let Err(what) = read_text(text, key, today, &mut reading) {
        // Nothing of a file that may have been changed is taken.
        reading.tokens.clear();
        reading.complain(Place::File, what);
    }
    reading
}

fn read_text(
    text: &str,
    key: Option<&PskcKey>,
    today: UnixTime,
    reading: &mut Reading,
) -> Result<(), String> {
    if text.len() > MOST_BYTES {
        return Err("is larger than 16 MiB".to_owned());
    }
    // Where lines end with CR the XML reader would make copies of its own, which are not wiped.
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    plain.extend(text.chars().map(|letter| if letter == '\r' { ' ' } else { letter }));
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&plain, options).map_err(|error| malformed(&error))?;
    if document.descendants().any(|node| node.ancestors().nth(DEEPEST).is_some()) {
        return Err(format!("has elements nested deeper than {DEEPEST}"));
    }
    read_container(document.root_element(), key, today, reading)
}

/// The reader's own words quote names of the file, so only its place is taken over.
fn malformed(error: &Error) -> String {
    match error {
        Error::DtdDetected => "has a DTD (`<!DOCTYPE`), which is not taken; remove it".to_owned(),
        Error::NodesLimitReached => "has too many elements".to_owned(),
        other => {
            let at = other.pos();
            format!("is not well-formed XML, at line {}, column {}", at.row, at.col)
        }
    }
}

fn read_container(
    container: Node<'_, '_>,
    key: Option<&PskcKey>,
    today: UnixTime,
    reading: &mut Reading,
) -> Result<(), String> {
    check_version(container)?;
    let is_encrypted = container.descendants().any(|it| it.has_tag_name((PSKC, "EncryptedValue")));
    let encryption = is_encrypted.then(|| Encryption::open(container, key)).transpose()?;
    if encryption.as_ref().is_some_and(|it| !it.has_mac()) {
        reading.remark(Place::File, "has no MACMethod, so a changed value would not be noticed");
    }
    if encryption.is_none() && key.is_some() {
        reading.remark(Place::File, "is not encrypted; the key or password was not used");
    }
    if container.children().any(|it| it.tag_name().name() == "Signature") {
        reading.remark(Place::File, "is signed; the signature was not checked");
    }
    for package in children(container, "KeyPackage") {
        read_package(package, encryption.as_ref(), today, reading)?;
    }
    if reading.tokens.is_empty() && reading.complaints.is_empty() {
        return Err("has no key".to_owned());
    }
    Ok(())
}

fn check_version(container: Node<'_, '_>) -> Result<(), String> {
    let name = container.tag_name();
    let namespace = name.namespace().unwrap_or_default();
    if DRAFTS.iter().any(|draft| namespace.starts_with(draft)) {
        let shown = namespace.escape_debug();
        return Err(format!(
            "is of a draft of PSKC (`{shown}`); export it as RFC 6030 has it, or convert it with pskc2pskc"
        ));
    }
    if (namespace, name.name()) != (PSKC, "KeyContainer") {
        return Err(format!("is not PSKC; its first element would be KeyContainer of the namespace {PSKC}"));
    }
    if child(container, "Device").is_some() {
        return Err("is of a draft of PSKC (its `Device` elements); convert it with pskc2pskc".to_owned());
    }
    match container.attribute("Version") {
        Some("1.0") => Ok(()),
        _ => Err("is not of Version 1.0, the only one of RFC 6030".to_owned()),
    }
}

/// Namespaces of the drafts before RFC 6030.
const DRAFTS: [&str; 3] = [
    "urn:ietf:params:xml:ns:keyprov:pskc:",
    "urn:ietf:params:xml:ns:keyprov:container",
    "http://www.openauthentication.org/OATH/",
];
const MOST_BYTES: usize = 16 << 20;
const MOST_NODES: u32 = 1_000_000;
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests;
