//! The work of the hooks: read the arguments of the line and the policy, run the engine, return a code to libpam.

use std::ffi::CStr;
use std::path::Path;
use std::time::Duration;

use ::pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use ::pam::module::PamHandle;

use super::accepted_key::AcceptedKey;
use super::arguments::Arguments;
use super::code::{code_of, code_of_exempt_login};
use super::conversation::PamConversation;
use super::fail_delay::request_fail_delay;
use super::items;
use super::syslog_audit::SyslogAudit;
use super::system_accounts::LoginAccounts;
use super::transaction::{Shown, is_sshd_login, password_was_taken};
use crate::store::{DEFAULT_POLICY, LoginStore, StoreError, SystemClock, load_policy};
use crate::verifier::attempt::{Next, Orchestrator};
use crate::verifier::event::{Event, Severity};
use crate::verifier::login;
use crate::verifier::ports::Audit;
use crate::verifier::reason::DenyReason;
use crate::verifier::request::Request;
use crate::verifier::shell_word::shell_word;
use crate::verifier::verdict::{Exemption, Verdict};

/// `pam_sm_authenticate`.
pub fn authenticate(handle: &mut PamHandle, arguments: &[&CStr], flags: PamFlag) -> PamResultCode {
    let request = items::request(handle);
    // Clears the result of an earlier try on the same handle, before any early return below.
    if let Err(code) = Shown::Nothing.keep(handle) {
        return code;
    }
    let Setup { orchestrator, exempt_by_key } = match Setup::load(&request, "auth", arguments) {
        Ok(loaded) => loaded,
        Err(verdict) => return code_of(&verdict),
    };
    let mut conversation = PamConversation::new(handle, flags & PAM_SILENT != 0);
    let verdict = login::authenticate(&orchestrator, &request, &mut conversation);
    // One request, after the verdict: libpam keeps the longest of all requested delays, so a shorter second
    // request would have no effect. Success makes no difference, because libpam then skips the delay.
    let delay = orchestrator.policy().fail_delay_seconds(conversation.rule());
    request_fail_delay(handle, Duration::from_secs(delay));
    match verdict {
        Verdict::Grant(_) => {
            Shown::Chain { user: request.user }.keep(handle).map_or_else(|code| code, |()| code_of(&verdict))
        }
        Verdict::Exempt(exemption) => {
            exempt(handle, exempt_by_key, &request, orchestrator.audit(), exemption)
        }
        Verdict::Deny(_) => code_of(&verdict),
    }
}

/// Leaves the decision to the other lines of the stack, unless this line says `exempt=publickey` and sshd
/// accepted a key. Records for the account line whether sshd or an earlier line took a key or a password.
fn exempt(
    handle: &mut PamHandle,
    exempt_by_key: bool,
    request: &Request,
    audit: &SyslogAudit,
    exemption: Exemption,
) -> PamResultCode {
    let key = AcceptedKey::shown_by_sshd(handle);
    if (key.is_ok() || password_was_taken(handle))
        && let Err(code) = (Shown::FirstFactor { user: request.user.clone() }).keep(handle)
    {
        return code;
    }
    if !exempt_by_key {
        return code_of(&Verdict::Exempt(exemption));
    }
    match key {
        Ok(key) => {
            let event = Event::new(Severity::Notice, "exempt").about(request).with("by", "publickey");
            audit.record(&event);
            code_of_exempt_login(exemption, key)
        }
        Err(lack) => {
            let event = Event::new(Severity::Info, "exempt").about(request).with("by", "other-lines");
            audit.record(&event.saying(lack.detail()));
            code_of(&Verdict::Exempt(exemption))
        }
    }
}

/// `pam_sm_acct_mgmt`: never prompts and never changes a counter.
pub fn account(handle: &mut PamHandle, arguments: &[&CStr]) -> PamResultCode {
    let request = items::request(handle);
    let Setup { orchestrator, .. } = match Setup::load(&request, "account", arguments) {
        Ok(loaded) => loaded,
        Err(verdict) => return code_of(&verdict),
    };
    let shown = Shown::in_this_transaction(handle).cloned();
    if shown == Some(Shown::Chain { user: request.user.clone() }) {
        return PamResultCode::PAM_SUCCESS;
    }
    match orchestrator.begin(&request) {
        Next::Over(Verdict::Deny(DenyReason::Rule(_))) => PamResultCode::PAM_PERM_DENIED,
        Next::Over(Verdict::Exempt(_)) if came_in_by_nothing(shown.as_ref(), &request) => refuse(
            orchestrator.audit(),
            Event::new(Severity::Warning, "backstop").about(&request),
            NOTHING_SHOWN,
        ),
        Next::Over(verdict) => code_of(&verdict),
        Next::Ask(attempt) => {
            let event = Event::new(Severity::Warning, "backstop").about(attempt.request());
            refuse(orchestrator.audit(), event.with("chain", attempt.chain_name()), NO_CHAIN)
        }
    }
}

/// Whether our auth line let an exempt sshd login continue without a key or a password before it. `false` if our
/// auth line did not run: sshd then accepted a key without calling PAM, or the stack asked another module.
fn came_in_by_nothing(shown: Option<&Shown>, request: &Request) -> bool {
    shown.is_some_and(|shown| *shown != Shown::FirstFactor { user: request.user.clone() })
        && is_sshd_login(request)
}

fn refuse(audit: &SyslogAudit, event: Event, detail: &str) -> PamResultCode {
    audit.record(&event.with("verdict", "deny").saying(detail));
    PamResultCode::PAM_PERM_DENIED
}

const NO_CHAIN: &str = "no chain was passed in this PAM transaction, as after only a public key; ask for it \
     with AuthenticationMethods publickey,keyboard-interactive, or exempt the service by a rule";

const NOTHING_SHOWN: &str = "the policy exempts this login, and it has shown neither a key nor a password; say \
     AuthenticationMethods publickey,keyboard-interactive in sshd_config, or put the auth line of pam_mfa_chain.so \
     behind the line that takes the password";

fn how_to_check(policy: &Path, error: &StoreError) -> String {
    let option = if policy == Path::new(DEFAULT_POLICY) {
        String::new()
    } else {
        format!("--policy {} ", shell_word(&policy.display().to_string()))
    };
    let end = if error.further_mistakes().is_empty() { "shows whether it is fixed" } else { "lists them" };
    format!("`mfa-chain {option}check` {end}")
}

/// What both hooks need for a login.
struct Setup {
    orchestrator: Orchestrator<LoginStore, SystemClock, LoginAccounts, SyslogAudit>,
    exempt_by_key: bool,
}

impl Setup {
    /// Reads the arguments and the policy. If either is wrong, the login is denied and the log says why.
    fn load(request: &Request, stage: &str, arguments: &[&CStr]) -> Result<Self, Verdict> {
        let parsed = Arguments::parse(arguments);
        let (debug, rehearsal) =
            parsed.as_ref().map_or((false, false), |arguments| (arguments.debug, arguments.rehearsal));
        let audit = SyslogAudit::new(&request.service, stage).with(debug, rehearsal);
        let loaded = parsed.map_err(|error| error.to_string()).and_then(|arguments| {
            let policy = load_policy(&arguments.policy)
                .map_err(|error| format!("{error}; {}", how_to_check(&arguments.policy, &error)))?;
            Ok((policy, arguments))
        });
        match loaded {
            Ok((policy, arguments)) => {
                let orchestrator = Orchestrator::new(policy, LoginStore::at(&arguments.store), SystemClock)
                    .with_accounts(LoginAccounts::default())
                    .with_audit(audit);
                Ok(Self { orchestrator, exempt_by_key: arguments.exempt_by_key })
            }
            Err(what) => {
                let event = Event::new(Severity::Error, "verdict").about(request).with("verdict", "deny");
                audit.record(&event.with("reason", "configuration").saying(&what));
                Err(Verdict::Deny(DenyReason::Store(what)))
            }
        }
    }
}
