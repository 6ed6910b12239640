//! What the hooks do: read the line's arguments and the policy, run the engine, give libpam a code.

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
use super::system_accounts::SystemAccounts;
use super::transaction::{Shown, is_sshd_login, password_was_taken};
use crate::store::{DEFAULT_POLICY, FileStore, StoreError, SystemClock, load_policy};
use crate::verifier::attempt::{Begin, Orchestrator};
use crate::verifier::event::{Event, Severity};
use crate::verifier::login;
use crate::verifier::policy::Policy;
use crate::verifier::ports::Audit;
use crate::verifier::request::Request;
use crate::verifier::shell_word::shell_word;
use crate::verifier::verdict::{DenyReason, Exemption, Verdict};

/// `pam_sm_authenticate`.
pub fn authenticate(handle: &mut PamHandle, arguments: &[&CStr], flags: PamFlag) -> PamResultCode {
    #[cfg(mfa_fault = "panic")]
    panic!("a fault of the tests");
    #[cfg(mfa_fault = "bad-guest")]
    std::mem::forget((std::net::UdpSocket::bind("127.0.0.1:0"), vec![1_u8; 1_024]));
    let request = items::request(handle);
    // Nothing carries over from an earlier try on the same handle.
    if let Err(code) = Shown::Nothing.keep(handle) {
        return code;
    }
    let (setup, audit) = match Setup::load(&request, "auth", arguments) {
        Ok(loaded) => loaded,
        Err(verdict) => return code_of(&verdict),
    };
    let orchestrator = setup.orchestrator(&audit);
    let mut conversation = PamConversation::new(handle, flags & PAM_SILENT != 0);
    let verdict = login::authenticate(&orchestrator, &request, &mut conversation);
    // libpam keeps the longest delay of all that are asked for, so it is asked for once.
    let delay = setup.policy.fail_delay_seconds(conversation.rule());
    request_fail_delay(handle, Duration::from_secs(delay));
    match verdict {
        Verdict::Grant(_) => {
            Shown::Chain { user: request.user }.keep(handle).map_or_else(|code| code, |()| code_of(&verdict))
        }
        Verdict::Exempt(exemption) => exempt(handle, &setup, &request, &audit, exemption),
        Verdict::Deny(_) => code_of(&verdict),
    }
}

/// The other lines of the stack decide, unless this line says `exempt=publickey` and sshd accepted a key. The
/// account line learns whether anybody took a first factor before.
fn exempt(
    handle: &mut PamHandle,
    setup: &Setup,
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
    if !setup.exempt_by_key {
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

/// `pam_sm_acct_mgmt`: never prompts, never touches a counter.
pub fn account(handle: &mut PamHandle, arguments: &[&CStr]) -> PamResultCode {
    #[cfg(mfa_fault = "panic")]
    panic!("a fault of the tests");
    let request = items::request(handle);
    let (setup, audit) = match Setup::load(&request, "account", arguments) {
        Ok(loaded) => loaded,
        Err(verdict) => return code_of(&verdict),
    };
    let shown = Shown::in_this_transaction(handle).cloned();
    if shown == Some(Shown::Chain { user: request.user.clone() }) {
        return PamResultCode::PAM_SUCCESS;
    }
    match setup.orchestrator(&audit).begin(&request) {
        Begin::Over(Verdict::Deny(DenyReason::Rule(_))) => PamResultCode::PAM_PERM_DENIED,
        Begin::Over(Verdict::Exempt(_)) if came_in_by_nothing(shown.as_ref(), &request) => {
            refuse(&audit, Event::new(Severity::Warning, "backstop").about(&request), NOTHING_SHOWN)
        }
        Begin::Over(verdict) => code_of(&verdict),
        Begin::Attempt(attempt) => {
            let event = Event::new(Severity::Warning, "backstop").about(attempt.request());
            refuse(&audit, event.with("chain", attempt.chain_name()), NO_CHAIN)
        }
    }
}

/// Whether an auth line of ours let an exempt login of sshd go on, and neither a key nor a password was shown
/// before it. Where no auth line of ours ran, sshd accepted a key by itself, or the stack asked somebody else.
fn came_in_by_nothing(shown: Option<&Shown>, request: &Request) -> bool {
    shown.is_some_and(|shown| *shown != Shown::FirstFactor { user: request.user.clone() })
        && is_sshd_login(request)
}

fn refuse(audit: &SyslogAudit, event: Event, detail: &str) -> PamResultCode {
    audit.record(&event.with("verdict", "deny").saying(detail));
    PamResultCode::PAM_PERM_DENIED
}

const NO_CHAIN: &str = "no chain was passed in this PAM transaction, as after a public key alone; ask for it with \
     AuthenticationMethods publickey,keyboard-interactive, or exempt the service by a rule";

const NOTHING_SHOWN: &str = "the policy exempts this login, and it has shown neither a key nor a password; say \
     AuthenticationMethods publickey,keyboard-interactive in sshd_config, or put the auth line of pam_mfa_chain.so \
     behind the line that takes the password";

fn how_to_check(policy: &Path, error: &StoreError) -> String {
    let option = if policy == Path::new(DEFAULT_POLICY) {
        String::new()
    } else {
        format!("--policy {} ", shell_word(&policy.display().to_string()))
    };
    let end = if error.further_mistakes().is_empty() { "tells whether it is mended" } else { "lists them" };
    format!("`mfa-chain {option}check` {end}")
}

/// What a login works with.
struct Setup {
    policy: Policy,
    store: FileStore,
    exempt_by_key: bool,
}

impl Setup {
    /// Reads the arguments and the policy. Without them nobody gets in, and the log says why.
    fn load(request: &Request, stage: &str, arguments: &[&CStr]) -> Result<(Self, SyslogAudit), Verdict> {
        let parsed = Arguments::parse(arguments);
        let debug = parsed.as_ref().is_ok_and(|arguments| arguments.debug);
        let audit = SyslogAudit::new(&request.service, stage, debug);
        let loaded = parsed.map_err(|error| error.to_string()).and_then(|arguments| {
            let policy = load_policy(&arguments.policy)
                .map_err(|error| format!("{error}; {}", how_to_check(&arguments.policy, &error)))?;
            let (store, exempt_by_key) = (FileStore::at(&arguments.store), arguments.exempt_by_key);
            Ok(Self { policy, store, exempt_by_key })
        });
        match loaded {
            Ok(setup) => Ok((setup, audit)),
            Err(what) => {
                let event = Event::new(Severity::Error, "verdict").about(request).with("verdict", "deny");
                audit.record(&event.with("reason", "configuration").saying(&what));
                Err(Verdict::Deny(DenyReason::Store(what)))
            }
        }
    }

    const fn orchestrator<'a>(
        &'a self,
        audit: &'a SyslogAudit,
    ) -> Orchestrator<'a, FileStore, SystemClock, SystemAccounts, SyslogAudit> {
        Orchestrator {
            policy: &self.policy,
            store: &self.store,
            clock: &SystemClock,
            accounts: &SystemAccounts,
            audit,
        }
    }
}
