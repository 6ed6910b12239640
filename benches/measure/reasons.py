"""Why a target is not met: what stands in the way, with the figures of the same run."""

from statistics import median


def reasons(figures, targets):
    """A line for each reason, with the targets that are not met for it."""
    texts = {
        "one factor granted, on disk, of pam_google_authenticator": granted,
        "the same, `pam_start` to `pam_end`, a process each": fresh,
        "denied, on disk, of its granted time": granted,
        "denied, of its denied time as shipped, on disk": denied,
        "denied, of its denied time as shipped, on tmpfs": denied,
        "three steps with `conceal`, of one step, on disk": steps,
        "three steps with `conceal`, of one step, on tmpfs": steps,
        "a policy of 500 rules, of 5": rules,
        "8 processes, logins per second, of pam_google_authenticator": processes,
        "system calls in `pam_authenticate`, one step": calls,
        "the module, stripped": size,
        "one factor granted, on disk, of the floor": granted,
    }
    missed = {}
    for target in targets:
        if not target.met():
            missed.setdefault(texts.get(target.what, in_other_runs), []).append(target.what)
    lines = [f"- **{'; '.join(targets)}**: {reason(figures)}" for reason, targets in missed.items()]
    return "\n".join(lines) or "Every target is met."


def microseconds(values):
    return f"{median(values) / 1000:,.0f} µs"


def in_other_runs(_):
    return "met in other runs; the rounds show how far it moves."


def share(figures, name, profile="profile"):
    return next((share for share, function in figures[profile] if name in function), "none")


def granted(figures):
    disk, memory = figures["chains", "disk"], figures["chains", "tmpfs"]
    return (
        f"of {microseconds(disk['reset1'].authenticate)} the write and its sync take {microseconds(disk['floor'].whole)}, and the same login "
        f"without a disk takes {microseconds(memory['reset1'].authenticate)}. Of its instructions {share(figures, 'secret_file::parse')} read the "
        f"secret file, twice, for a factor may be revoked while the claimant is at the prompt and no key is kept meanwhile; "
        f"{share(figures, 'judge::judge')} judge the answer; {share(figures, 'Setup')} read the policy, which is cached nowhere. The slower the "
        "disk, the less of this is seen."
    )


def denied(figures):
    place = figures["denied", "disk"]
    peer = median(place["ga1"].authenticate)
    floor = median(figures["chains", "disk"]["floor"].whole)
    return f"a denial is recorded and synced as a grant is; the write and sync alone are {floor / peer:.2f} of the peer's denial on disk."


def fresh(figures):
    memory = figures["growth"]["reset"]
    backtraces = figures["backtraces"] / 1000
    return (
        f"each process maps the module and touches {memory['rss']:,} KB of it and of its libraries, {memory['anonymous']} KB of them private. "
        f"{backtraces:,.0f} KB of the module print backtraces, which Rust's standard library brings along and this module never does."
    )


def steps(figures):
    memory = figures["chains", "tmpfs"]
    more = (median(memory["conceal3"].authenticate) - median(memory["conceal1"].authenticate)) / 2
    return (
        f"a further step costs {more / 1000:,.0f} µs without a disk: a prompt, a line of the log, the codes of three time steps, and a "
        "longer secret file. Beside one sync this is little."
    )


def rules(figures):
    return (
        f"{share(figures, 'toml::de::parser', 'profile_of_rules')} of the instructions are the TOML parser's and "
        f"{share(figures, 'document::read_source', 'profile_of_rules')} all of reading the policy, which each login does: a cached copy could "
        "differ from the file."
    )


def processes(figures):
    one, eight = figures["parallel", "disk"][1], figures["parallel", "disk"][8]
    return (
        f"with one process it is {one['reset'][0] / one['ga'][0]:.2f}, with eight on this machine's processors {eight['reset'][0]:,.0f} logins per "
        "second: syncs run side by side then, and what is left is the work of the processors."
    )


def calls(figures):
    return (
        f"{len(figures['calls']['permit'])} are libpam's own, and what is left opens and checks: two paths, each folder of them, and three "
        "files, whose names are looked at again under the lock."
    )


def size(figures):
    return f"{figures['backtraces'] / 1000:,.0f} KB of it are std's printing of backtraces, which can't be left out of a prebuilt std."
