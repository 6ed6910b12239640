//! What the host does with a login before the module is asked, or in place of it.

use crate::host::doors::Doors;
use crate::host::finding::{Finding, Severity};
use crate::host::lines::on_module;
use crate::host::stacks::Stacks;
use crate::host::{sshd_user, sudo};
use crate::verifier::accounts::Accounts;
use crate::verifier::policy::{ChainSpec, Policy};
use crate::verifier::request::Request;

/// The errors that a login like `request` meets; also that the service does not ask at all, where it has a file.
#[must_use]
pub fn findings(policy: &Policy, request: &Request, accounts: &dyn Accounts) -> Vec<Finding> {
    let (service, doors, stacks) = (request.service.as_str(), Doors::of_system(), Stacks::of_system());
    let Some(standing) = stacks.standing(service) else { return Vec::new() };
    if !standing.auth {
        let what = format!("{service}: no auth line names pam_mfa_chain.so yet, so no code is asked");
        return vec![Finding::note("stack-not-asked", what, format!("`mfa-chain enable {service}` adds it"))];
    }
    let own = format!("{service}: ");
    let of_service = doors.findings(policy).into_iter().filter(|finding| finding.what.starts_with(&own));
    let lines = stacks.lines_of_ours(service);
    let of_module = lines.ours.iter().flat_map(|line| on_module(service, line, env!("CARGO_PKG_VERSION")));
    let mut findings: Vec<Finding> = of_service.chain(lines.findings).chain(of_module).collect();
    let chains = std::iter::once(policy.default_chain()).chain(policy.named_chains());
    let steps = chains.map(ChainSpec::required_steps).max().unwrap_or_default();
    match service {
        "sshd" => {
            let of_user = sshd_user::findings(request.name(), standing, steps, accounts, &findings);
            findings.extend(of_user);
        }
        "sudo" | "sudo-i" => findings.extend(sudo::findings(request.name(), true)),
        _ => {}
    }
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// Whether no answer gets the user in.
#[must_use]
pub fn keeps_out(finding: &Finding) -> bool {
    KEEP_OUT.contains(&finding.id)
}

const KEEP_OUT: [&str; 10] = [
    "locker-asks",
    "module-missing",
    "module-not-loadable",
    "sshd-bars-user",
    "sshd-cannot-ask",
    "sshd-root",
    "stack-argument",
    "stack-denies-all",
    "stack-include-missing",
    "stack-line-invalid",
];
