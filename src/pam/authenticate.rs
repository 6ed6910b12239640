//! What the hooks do: read the line's arguments and the policy, run the engine, give libpam a code.

use std::ffi::CStr;
use std::path::Path;
use std::time::Duration;

use ::pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use ::pam::module::PamHandle;

use super::arguments::Arguments;
use super::code::code_of;
use super::conversation::PamConversation;
use super::fail_delay::request_fail_delay;
use super::items;
use super::syslog_audit::SyslogAudit;
use super::system_accounts::SystemAccounts;
use crate::store::{DEFAULT_POLICY, FileStore, SystemClock, load_policy};
use crate::verifier::attempt::{Begin, Orchestrator};
use crate::verifier::event::{Event, Severity};
use crate::verifier::login;
use crate::verifier::policy::Policy;
use crate::verifier::ports::Audit;
use crate::verifier::request::Request;
use crate::verifier::verdict::{DenyReason, Verdict};

/// The name under which a grant is kept in the PAM handle. libpam shares the names among all modules.
const GRANT: &str = "pam_mfa_chain.grant";

/// Who passed a chain in this PAM transaction; nobody after a failed try.
struct Grant {
    user: Option<String>,
}

/// `pam_sm_authenticate`.
pub fn authenticate(handle: &mut PamHandle, arguments: &[&CStr], flags: PamFlag) -> PamResultCode {
    #[cfg(mfa_fault = "panic")]
    panic!("a fault of the tests");
    #[cfg(mfa_fault = "bad-guest")]
    std::mem::forget((std::net::UdpSocket::bind("127.0.0.1:0"), vec![1_u8; 1_024]));
    let request = items::request(handle);
    // Nothing carries over from an earlier try on the same handle.
    if handle.set_data(GRANT, Box::new(Grant { user: None })).is_err() {
        return PamResultCode::PAM_SERVICE_ERR;
    }
    let (setup, audit) = match Setup::load(&request, "auth", arguments) {
        Ok(loaded) => loaded,
        Err(verdict) => return code_of(&verdict),
    };
    request_fail_delay(handle, Duration::from_secs(setup.policy.throttle().fail_delay_seconds()));
    let orchestrator = setup.orchestrator(&audit);
    let mut conversation = PamConversation::new(handle, flags & PAM_SILENT != 0);
    let verdict = login::authenticate(&orchestrator, &request, &mut conversation);
    if matches!(verdict, Verdict::Grant(_)) {
        let grant = Grant { user: Some(request.user) };
        if handle.set_data(GRANT, Box::new(grant)).is_err() {
            return PamResultCode::PAM_SERVICE_ERR;
        }
    }
    code_of(&verdict)
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
    if was_granted(handle, &request.user) {
        return PamResultCode::PAM_SUCCESS;
    }
    match setup.orchestrator(&audit).begin(&request) {
        Begin::Over(Verdict::Deny(DenyReason::Rule(_))) => PamResultCode::PAM_PERM_DENIED,
        Begin::Over(verdict) => code_of(&verdict),
        Begin::Attempt(attempt) => {
            let event = Event::new(Severity::Warning, "backstop").about(attempt.request());
            let event = event.with("chain", attempt.chain_name());
            audit.record(&event.with("verdict", "deny").saying(
                "no chain was passed in this PAM transaction, as after a public key alone; ask for it with \
                 AuthenticationMethods publickey,keyboard-interactive, or exempt the service by a rule",
            ));
            PamResultCode::PAM_PERM_DENIED
        }
    }
}

fn was_granted(handle: &PamHandle, user: &str) -> bool {
    // SAFETY: only this module stores under the name GRANT, and only a Box<Grant>; libpam frees it in pam_end(3)
    // or when it is replaced, neither of which happens while the borrow lasts.
    let grant = unsafe { handle.get_data::<Grant>(GRANT) };
    grant.is_ok_and(|grant| grant.user.as_deref() == Some(user))
}

fn how_to_check(policy: &Path) -> String {
    let option = if policy == Path::new(DEFAULT_POLICY) {
        String::new()
    } else {
        format!("--policy {} ", policy.display())
    };
    format!("`mfa-chain {option}check` tells whether it is mended")
}

/// What a login works with.
struct Setup {
    policy: Policy,
    store: FileStore,
}

impl Setup {
    /// Reads the arguments and the policy. Without them nobody gets in, and the log says why.
    fn load(request: &Request, stage: &str, arguments: &[&CStr]) -> Result<(Self, SyslogAudit), Verdict> {
        let parsed = Arguments::parse(arguments);
        let debug = parsed.as_ref().is_ok_and(|arguments| arguments.debug);
        let audit = SyslogAudit::new(&request.service, stage, debug);
        let loaded = parsed.map_err(|error| error.to_string()).and_then(|arguments| {
            let policy = load_policy(&arguments.policy)
                .map_err(|error| format!("{error}; {}", how_to_check(&arguments.policy)))?;
            Ok(Self { policy, store: FileStore::at(&arguments.store) })
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
