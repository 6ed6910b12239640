//! The secret of an enrollment on its way to the authenticator.

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::arguments::EnrollArguments;
use crate::cli::failure::Failure;
use crate::cli::qr::QrOutput;
use crate::cli::{Context, output};
use crate::verifier::enrolling::Enrollment;
use crate::verifier::enrollment::{Credential, OtpType};
use crate::verifier::policy::Factor;

/// Shows the secret where it is new or `--qr` asks for it.
///
/// # Errors
///
/// [`Failure`] when it can't be shown; an enrollment that nobody saw must not go on.
pub fn show(context: &Context, arguments: &EnrollArguments, enrollment: &Enrollment) -> Result<(), Failure> {
    let credential = enrollment.credential();
    let shown = match &arguments.qr {
        Some(form) => arguments.secret_file.is_none() || *form != QrOutput::None,
        None => arguments.secret_file.is_none(),
    };
    let uri = enrollment.uri(&issuer(enrollment.factor())?);
    if context.json {
        if let (true, Some(form @ (QrOutput::Png(_) | QrOutput::Svg(_)))) = (shown, &arguments.qr) {
            form.draw(&uri)?;
        }
        return print_facts(enrollment.user(), credential, shown.then_some(&uri));
    }
    if !shown {
        return Ok(());
    }
    let standard = if output::is_terminal() { QrOutput::Utf8 } else { QrOutput::None };
    let mut text = Zeroizing::new(String::with_capacity(64 * 1_024));
    text.push_str(&arguments.qr.as_ref().unwrap_or(&standard).draw(&uri)?);
    for line in ["Scan the QR code, or open or type one of these in the authenticator:\n", &uri, "\n"] {
        text.push_str(line);
    }
    text.push_str(&groups_of_four(&enrollment.secret()));
    text.push('\n');
    output::print_painted(&text)
}

/// What authenticator apps show above the code.
fn issuer(factor: &Factor) -> Result<String, Failure> {
    let name = nix::unistd::gethostname();
    let name = name.map_err(|error| Failure::refused(format!("no host name: {}", error.desc())))?;
    Ok(format!("{} ({})", name.to_string_lossy(), factor.label))
}

fn groups_of_four(base32: &str) -> Zeroizing<String> {
    let mut groups = Zeroizing::new(String::with_capacity(base32.len().saturating_mul(2)));
    for (place, letter) in base32.chars().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            groups.push(' ');
        }
        groups.push(letter);
    }
    groups
}

fn print_facts(user: &str, credential: &Credential, uri: Option<&Zeroizing<String>>) -> Result<(), Failure> {
    let period = match credential.otp_type {
        OtpType::Totp(period) => Some(period.seconds()),
        OtpType::Hotp => None,
    };
    let mut facts = json!({
        "user": user,
        "factor": credential.factor.as_str(),
        "type": credential.otp_type.name(),
        "algorithm": credential.algorithm.name(),
        "digits": credential.digits.count(),
        "period": period,
    });
    if let (Some(uri), Some(fields)) = (uri, facts.as_object_mut()) {
        fields.insert("uri".to_owned(), uri.as_str().into());
        fields.insert("secret".to_owned(), credential.secret.to_base32().as_str().into());
    }
    output::print_secret_json(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_shown_in_groups_of_four() {
        assert_eq!(*groups_of_four("ABCDEFGHIJ"), "ABCD EFGH IJ");
        assert_eq!(*groups_of_four("ABCDEFGH"), "ABCD EFGH");
        assert_eq!(*groups_of_four(""), "");
    }
}
