//! Encrypted values (RFC 6030 §6): the key, AES-CBC, and the MAC of each value.

use aes::{Aes128, Aes192, Aes256};
use base64ct::{Base64, Encoding as _};
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use roxmltree::Node;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::xml::{child, compact, foreign, last_word};
use super::{PskcKey, Wrong};

/// What opens the encrypted values of a container.
pub struct Encryption {
    key: Zeroizing<Vec<u8>>,
    mac: Option<ValueMac>,
}

struct ValueMac {
    hash: Hash,
    key: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Encryption {
    /// Takes the key that the administrator gave, or derives it, and opens the key of the MAC.
    ///
    /// # Errors
    ///
    /// What is missing or not known; nothing of the file can be read then.
    pub fn open(container: Node<'_, '_>, key: Option<&PskcKey>) -> Result<Self, String> {
        let description = child(container, "EncryptionKey");
        let derivation = description.and_then(|it| foreign(it, &["DerivedKey", "KeyDerivationMethod"]));
        if derivation.is_none() && description.is_some_and(|it| foreign(it, &["X509Data"]).is_some()) {
            return Err("is encrypted for a certificate; export it with a key or a password".to_owned());
        }
        let key = match (derivation, key) {
            (Some(_), None) => return Err("is encrypted; give its password".to_owned()),
            (None, None) => return Err("is encrypted; give its key, in hexadecimal digits".to_owned()),
            (Some(_), Some(PskcKey::Hex(_))) => {
                return Err("is encrypted with a password, not with a key; give the password".to_owned());
            }
            (None, Some(PskcKey::Password(_))) => {
                return Err("is encrypted with a key, not with a password; give the key".to_owned());
            }
            (Some(derivation), Some(PskcKey::Password(password))) => derive(derivation, password)?,
            (None, Some(PskcKey::Hex(key))) => key.clone(),
        };
        if !matches!(key.len(), 16 | 24 | 32) {
            return Err("is encrypted with AES, whose keys have 32, 48 or 64 hexadecimal digits".to_owned());
        }
        let mut encryption = Self { key, mac: None };
        encryption.mac =
            child(container, "MACMethod").map(|method| encryption.read_mac(method)).transpose()?;
        Ok(encryption)
    }

    /// Whether a changed value and a wrong key are noticed.
    pub const fn has_mac(&self) -> bool {
        self.mac.is_some()
    }

    fn read_mac(&self, method: Node<'_, '_>) -> Result<ValueMac, String> {
        let hash = Hash::from_hmac(method.attribute("Algorithm").unwrap_or_default())
            .ok_or("has a MACMethod that is not known; HMAC with SHA1, SHA256 and SHA512 is taken")?;
        // RFC 6030 §6.2: without a MACKey, the encryption key is used.
        let key = match child(method, "MACKey") {
            Some(encrypted) => {
                let bytes = cipher_value(encrypted).map_err(|what| format!("has a MACKey whose {what}"))?;
                self.decrypt(encrypted, &bytes)
                    .map_err(|what| format!("has a MACKey that is not readable: {what}"))?
            }
            None => self.key.clone(),
        };
        Ok(ValueMac { hash, key })
    }

    /// Checks the MAC of a value and decrypts it. `data` holds `EncryptedValue` and `ValueMAC`.
    ///
    /// # Errors
    ///
    /// [`Wrong::File`] where the MAC is missing or does not fit, [`Wrong::Token`] else.
    pub fn decrypt_value(
        &self,
        data: Node<'_, '_>,
        encrypted: Node<'_, '_>,
    ) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        let bytes = cipher_value(encrypted).map_err(|what| Wrong::Token(format!("its {what}")))?;
        if let Some(mac) = &self.mac {
            mac.verify(data, &bytes)?;
        }
        self.decrypt(encrypted, &bytes).map_err(Wrong::Token)
    }

    fn decrypt(&self, encrypted: Node<'_, '_>, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let method = foreign(encrypted, &["EncryptionMethod"]).and_then(|it| it.attribute("Algorithm"));
        let size = match method.map(last_word).unwrap_or_default().as_str() {
            "aes128-cbc" => 16,
            "aes192-cbc" => 24,
            "aes256-cbc" => 32,
            _ => {
                return Err(
                    "the encryption is not known; AES-CBC with 128, 192 or 256 bits is taken".to_owned()
                );
            }
        };
        if self.key.len() != size {
            let (needed, has) = (size.saturating_mul(8), self.key.len().saturating_mul(8));
            return Err(format!("the encryption takes a key of {needed} bits, and the key has {has}"));
        }
        let (iv, body) = bytes.split_at_checked(BLOCK).ok_or(CUT_OFF)?;
        if body.is_empty() || !body.len().is_multiple_of(BLOCK) {
            return Err(CUT_OFF.to_owned());
        }
        let mut plain = Zeroizing::new(body.to_vec());
        let done = match size {
            16 => decrypt_blocks::<Decryptor<Aes128>>(&self.key, iv, &mut plain),
            24 => decrypt_blocks::<Decryptor<Aes192>>(&self.key, iv, &mut plain),
            _ => decrypt_blocks::<Decryptor<Aes256>>(&self.key, iv, &mut plain),
        };
        done.ok_or(CUT_OFF)?;
        // XML encryption §5.2: the last byte is the length of the padding, the others are arbitrary.
        let padding = usize::from(*plain.last().ok_or(CUT_OFF)?);
        let length = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
        plain.truncate(length.ok_or(WRONG_KEY)?);
        Ok(plain)
    }
}

impl ValueMac {
    /// RFC 6030 §6.2: the MAC is taken over the encrypted value, its initialization vector included.
    fn verify(&self, data: Node<'_, '_>, bytes: &[u8]) -> Result<(), Wrong> {
        let Some(expected) = child(data, "ValueMAC") else {
            return Err(Wrong::File("names a MACMethod, and an encrypted value has no ValueMAC".to_owned()));
        };
        let expected = Base64::decode_vec(&compact(expected))
            .map_err(|_| Wrong::File("has a ValueMAC that is not base64".to_owned()))?;
        let fits = match self.hash {
            Hash::Sha1 => fits::<Hmac<Sha1>>(&self.key, bytes, &expected),
            Hash::Sha256 => fits::<Hmac<Sha256>>(&self.key, bytes, &expected),
            Hash::Sha512 => fits::<Hmac<Sha512>>(&self.key, bytes, &expected),
        };
        let what =
            "has a ValueMAC that does not fit: the key or the password is wrong, or a value was changed";
        if fits { Ok(()) } else { Err(Wrong::File(what.to_owned())) }
    }
}

impl Hash {
    fn from_hmac(identifier: &str) -> Option<Self> {
        match last_word(identifier).as_str() {
            "hmac-sha1" => Some(Self::Sha1),
            "hmac-sha256" => Some(Self::Sha256),
            "hmac-sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The PRF of PBKDF2. PKCS #5 names it by the number of an object too; without a name it is HMAC-SHA1.
    fn from_prf(identifier: &str) -> Option<Self> {
        match last_word(identifier).as_str() {
            "" | "1.2.840.113549.2.7" => Some(Self::Sha1),
            "1.2.840.113549.2.9" => Some(Self::Sha256),
            "1.2.840.113549.2.11" => Some(Self::Sha512),
            _ => Self::from_hmac(identifier),
        }
    }
}

/// PBKDF2 (RFC 6030 §6.1.1). Its parameters stand in the namespace of PKCS #5, of XML encryption 1.1, or in none.
fn derive(method: Node<'_, '_>, password: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    if last_word(method.attribute("Algorithm").unwrap_or_default()) != "pbkdf2" {
        return Err("derives its key in a way that is not known; PBKDF2 is taken".to_owned());
    }
    let parameter = |path: &[&str]| foreign(method, &["PBKDF2-params"]).and_then(|it| foreign(it, path));
    let number = |node: Node<'_, '_>| compact(node).parse::<u32>().ok();
    let salt = parameter(&["Salt", "Specified"]).and_then(|it| Base64::decode_vec(&compact(it)).ok());
    let salt = salt.ok_or("has PBKDF2 parameters without a Salt in base64")?;
    let rounds = parameter(&["IterationCount"]).and_then(number);
    let rounds = rounds
        .filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))
        .ok_or_else(|| format!("has PBKDF2 parameters whose IterationCount is not 1 to {MOST_ROUNDS}"))?;
    let length = parameter(&["KeyLength"]).map_or(Some(16), number);
    let length = length
        .filter(|length| matches!(length, 16 | 24 | 32))
        .ok_or("has PBKDF2 parameters whose KeyLength is not 16, 24 or 32 bytes")?;
    let prf = parameter(&["PRF"]).and_then(|it| it.attribute("Algorithm")).unwrap_or_default();
    let prf = Hash::from_prf(prf).ok_or("has PBKDF2 parameters whose PRF is not known")?;
    let mut key = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or(16)]);
    match prf {
        Hash::Sha1 => pbkdf2_hmac::<Sha1>(password.as_bytes(), &salt, rounds, &mut key),
        Hash::Sha256 => pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, rounds, &mut key),
        Hash::Sha512 => pbkdf2_hmac::<Sha512>(password.as_bytes(), &salt, rounds, &mut key),
    }
    Ok(key)
}

fn cipher_value(encrypted: Node<'_, '_>) -> Result<Vec<u8>, String> {
    let value = foreign(encrypted, &["CipherData", "CipherValue"]).ok_or("encrypted value is missing")?;
    Base64::decode_vec(&compact(value)).map_err(|_| "encrypted value is not base64".to_owned())
}

fn decrypt_blocks<D: BlockModeDecrypt + KeyIvInit>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Option<()> {
    D::new_from_slices(key, iv).ok()?.decrypt_padded::<NoPadding>(data).ok().map(|_| ())
}

fn fits<M: Mac + KeyInit>(key: &[u8], bytes: &[u8], expected: &[u8]) -> bool {
    M::new_from_slice(key).is_ok_and(|mut mac| {
        mac.update(bytes);
        mac.verify_slice(expected).is_ok()
    })
}

const BLOCK: usize = 16;
const MOST_ROUNDS: u32 = 10_000_000;
const CUT_OFF: &str = "the encrypted value is cut off";
const WRONG_KEY: &str = "the key or the password is wrong, or the encrypted value was changed";
