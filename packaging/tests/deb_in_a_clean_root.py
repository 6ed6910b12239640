"""The deb from installation to purge, in one clean root. Each method is one stage and leaves the root to the next."""

import re
import subprocess
import threading
import time

from clean_root import PASSWORD
from checks import check

POLICY = """\
version = 1
required_steps = 2
[[factors]]
id = "phone"
label = "Authenticator app"
type = "totp"
[[factors]]
id = "token"
label = "Hardware token"
type = "hotp"
[[rules]]
services = ["mfa-loop"]
chain = "loop"
[chains.loop]
factors = ["token"]
required_steps = 1
[throttle]
fail_delay_seconds = 0
"""
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
OTHER_SECRET = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
LOOP_LOGINS = 1000
WRONG = "000000"


class DebLife:
    def __init__(self, root, previous, current):
        self.root = root
        for name, deb in (("previous", previous), ("current", current)):
            (root / f"tmp/{name}.deb").write_bytes(deb.read_bytes())
        self.module = f"/usr/lib/{self.triplet()}/security/pam_mfa_chain.so"
        self.counters, self.steps = {}, {}

    def triplet(self):
        return next(path.parent.parent.name for path in self.root.path.glob("usr/lib/*/security/pam_unix.so"))

    def stages(self):
        return [
            self.installed,
            self.shipped_state_enforces_nothing,
            self.enrolled_and_in_force,
            self.sshd_and_sudo_ask,
            self.upgraded,
            self.logins_never_see_a_faulty_module,
            self.removal_refused_while_named_by_hand,
            self.removal_refused_while_common_auth_is_not_ours,
            self.removed_while_in_use,
            self.installed_again,
            self.purged_while_on,
            self.removed_while_off,
        ]

    def installed(self):
        root = self.root
        root.add_users("alice", "bob")
        root.start_sshd()
        root.run("apt-get", "install", "-y", "/tmp/previous.deb")
        check(root.mode(self.module) == "644 0:0", "the module is root's, mode 644")
        check(root.mode("usr/bin/mfa-chain") == "755 0:0", "the command is root's, mode 755")
        check(root.mode("var/lib/mfa-chain") == "700 0:0", "the store is root's, mode 700")
        check("mfa-chain/policy.toml" in root.run("dpkg-query", "-W", "-f=${Conffiles}", "mfa-chain"), "the policy is a conffile")
        check(not self.profile_is_on(), "installing leaves the profile off")
        linked = root.run("ldd", "-r", self.module)
        check("not found" not in linked and "undefined" not in linked, "every symbol of the module is found")
        documents = "usr/share/doc/mfa-chain"
        for name in ("copyright", "mfa-chain.cdx.json.gz", "third-party-notices.txt.gz", "examples/policy.toml"):
            check((root / documents / name).exists(), f"{name} is there")
        links = subprocess.run(["tools/check-links", str(root / documents)], capture_output=True, text=True)
        check(links.returncode == 0, f"every link of the documentation leads on {links.stderr}")

    def shipped_state_enforces_nothing(self):
        root = self.root
        self.enable()
        check(root.pamtester("login", "alice", [PASSWORD]), "with the policy as shipped the password is enough")
        check(not root.pamtester("login", "alice", ["wrong"]), "with the policy as shipped a wrong password is not")
        check(any("verdict=exempt" in line for line in root.log.lines), "the log says that the login was exempt")
        root.run("pam-auth-update", "--remove", "mfa-chain")

    def enrolled_and_in_force(self):
        root = self.root
        (root / "etc/mfa-chain/policy.toml").write_text(POLICY)
        for user in ("alice", "bob"):
            for factor, secret in (("phone", SECRET), ("token", OTHER_SECRET)):
                root.run(
                    "mfa-chain", "enroll", user, factor, "--secret-file", "-", "--no-confirm", "--qr", "none",
                    stdin=f"{secret}\n",
                )  # fmt: skip
        self.enable()
        check(root.pamtester("login", "alice", [PASSWORD, *self.codes("alice")]), "password and codes open login")
        check(not root.pamtester("login", "alice", [PASSWORD, WRONG]), "a wrong code denies login")
        check(not root.pamtester("login", "alice", [PASSWORD]), "the password alone denies login")
        check(not root.pamtester("login", "alice", ["wrong", *self.codes("alice")]), "codes without the password deny login")
        self.unlock()

    def sshd_and_sudo_ask(self):
        root = self.root
        check(root.ssh("alice", [PASSWORD, *self.codes("alice")]), "password and codes open sshd")
        check(not root.ssh("alice", [PASSWORD, WRONG]), "a wrong code denies sshd")
        check(root.sudo("bob", [PASSWORD, *self.codes("bob")]), "password and codes open sudo")
        check(not root.sudo("bob", [PASSWORD, WRONG]), "a wrong code denies sudo")
        self.unlock()

    def upgraded(self):
        root = self.root
        before = root.run("dpkg-query", "-W", "-f=${Version}", "mfa-chain")
        root.run("apt-get", "install", "-y", "/tmp/current.deb")
        after = root.run("dpkg-query", "-W", "-f=${Version}", "mfa-chain")
        check(before != after, f"{before} was upgraded to {after}")
        check(self.profile_is_on(), "the profile stays on through an upgrade")
        check((root / "etc/mfa-chain/policy.toml").read_text() == POLICY, "the edited policy stays")
        check(root.ssh("bob", [PASSWORD, *self.codes("bob")]), "the enrollment opens sshd after the upgrade")

    def logins_never_see_a_faulty_module(self):
        root = self.root
        (root / "etc/pam.d/mfa-loop").write_text("auth required pam_mfa_chain.so\n")
        start = self.counters["bob"]
        codes = root.run("oathtool", "-b", "-c", str(start), "-w", str(LOOP_LOGINS + 10), OTHER_SECRET).split()
        said = len(root.log.lines)
        upgrades, outcomes, over = [], [], threading.Event()

        def upgrade():
            while not over.is_set():
                for name in ("previous", "current"):
                    upgrades.append(root.attempt("dpkg", "-i", f"/tmp/{name}.deb").returncode)

        thread = threading.Thread(target=upgrade)
        thread.start()
        for code in codes[:LOOP_LOGINS]:
            outcomes.append(root.attempt("pamtester", "mfa-loop", "bob", "authenticate", stdin=f"{code}\n").returncode)
        over.set()
        thread.join()
        self.counters["bob"] = start + LOOP_LOGINS
        faulty = [line for line in root.log.lines[said:] if re.search("faulty|dlopen|unable to", line)]
        check(outcomes.count(0) == LOOP_LOGINS, f"{outcomes.count(0)} of {LOOP_LOGINS} logins went through {len(upgrades)} upgrades")
        check(upgrades and not any(upgrades), "each of these upgrades went well")
        check(not faulty, "libpam never found the module faulty")
        # The same login without the module, so that the three checks above are known to be able to fail.
        (root / self.module).rename(root / "tmp/module")
        outcome = root.attempt("pamtester", "mfa-loop", "bob", "authenticate", stdin=f"{codes[LOOP_LOGINS]}\n").returncode
        (root / "tmp/module").rename(root / self.module)
        check(outcome != 0 and any("faulty" in line for line in root.log.lines[said:]), "a missing module would have been seen")
        (root / "etc/pam.d/mfa-loop").unlink()

    def removal_refused_while_named_by_hand(self):
        root = self.root
        sshd = root / "etc/pam.d/sshd"
        original = sshd.read_text()
        sshd.write_text(f"auth required pam_mfa_chain.so debug\n{original}")
        done = root.attempt("apt-get", "remove", "-y", "mfa-chain")
        check(done.returncode != 0 and "/etc/pam.d/sshd" in done.stdout, "removal is refused while a stack names the module")
        vendor = root / "usr/lib/pam.d/vendor"
        vendor.parent.mkdir(exist_ok=True)
        vendor.write_text("auth required pam_mfa_chain.so\n")
        named = root.run("/usr/share/mfa-chain/stacks-naming-the-module").split()
        check("/usr/lib/pam.d/vendor" in named, "stacks in the folders of packages are found too")
        vendor.unlink()
        check((root / self.module).exists() and self.profile_is_on(), "a refused removal leaves module and profile")
        sshd.write_text(original)
        check("install ok" in root.run("dpkg-query", "-W", "-f=${Status}", "mfa-chain"), "a refused removal leaves the package whole")

    def removal_refused_while_common_auth_is_not_ours(self):
        root = self.root
        common = root / "etc/pam.d/common-auth"
        original = common.read_text()
        # pam-auth-update leaves a file alone whose own part somebody has edited.
        common.write_text(original.replace("pam_mfa_chain.so", "pam_mfa_chain.so debug # mine\nauth optional pam_permit.so"))
        done = root.attempt("apt-get", "remove", "-y", "mfa-chain")
        named = "pam_mfa_chain" in common.read_text()
        check((root / self.module).exists() or not named, "no removal leaves common-auth naming a missing module")
        check(done.returncode != 0 or not named, "a removal that can't be whole says so")
        common.write_text(original)
        root.run("apt-get", "install", "-y", "--reinstall", "/tmp/current.deb")
        self.enable()

    def removed_while_in_use(self):
        root = self.root
        waiting = root.open_ssh("alice", PASSWORD)
        root.run("apt-get", "remove", "-y", "mfa-chain")
        waiting.sendline(WRONG)
        waiting.expect(["denied", "step 2", "closed", "\\)"], timeout=20)
        waiting.close(force=True)
        check(not (root / self.module).exists(), "removal takes the module")
        check((root / "var/lib/mfa-chain/secrets/alice.toml").exists(), "removal keeps the enrollments")
        check((root / "etc/mfa-chain/policy.toml").read_text() == POLICY, "removal keeps the policy")
        self.passwords_let_in("after removal with the profile on, in use")

    def installed_again(self):
        root = self.root
        root.run("apt-get", "install", "-y", "/tmp/current.deb")
        check(not self.profile_is_on(), "installed again, the profile is off")
        self.passwords_let_in("installed again")
        self.enable()
        self.unlock()
        check(root.sudo("bob", [PASSWORD, *self.codes("bob")]), "installed again and enabled, the old enrollment opens sudo")

    def purged_while_on(self):
        root = self.root
        root.run("apt-get", "purge", "-y", "mfa-chain")
        check(not (root / "var/lib/mfa-chain").exists(), "purge takes the enrollments")
        check(not (root / "etc/mfa-chain").exists(), "purge takes the policy")
        left = root.run("sh", "-c", "grep -rl mfa.chain /etc /var/lib/pam /usr/lib /usr/share 2>/dev/null || true")
        check(not left, f"purge leaves no trace: {left.split()}")
        self.passwords_let_in("after purge with the profile on")

    def removed_while_off(self):
        root = self.root
        root.run("apt-get", "install", "-y", "/tmp/current.deb")
        root.run("apt-get", "remove", "-y", "mfa-chain")
        self.passwords_let_in("after removal with the profile off")

    def passwords_let_in(self, when):
        root = self.root
        check(not self.profile_is_on(), f"{when}: no stack names the module")
        check(root.pamtester("login", "alice", [PASSWORD]), f"{when}: a password opens login")
        check(root.ssh("alice", [PASSWORD]), f"{when}: a password opens sshd")
        check(root.sudo("bob", [PASSWORD]), f"{when}: a password opens sudo")
        check(not root.ssh("alice", ["wrong"]), f"{when}: a wrong password does not")

    def profile_is_on(self):
        return "pam_mfa_chain.so" in self.root.text("etc/pam.d/common-auth")

    def enable(self):
        self.root.run("pam-auth-update", "--enable", "mfa-chain")
        check(self.profile_is_on(), "pam-auth-update --enable turns the profile on")

    def unlock(self):
        for user in ("alice", "bob"):
            self.root.run("mfa-chain", "unlock", user)

    def codes(self, user):
        """The next code of each authenticator. A time step is accepted once, so each login of a user waits for a new one."""
        step = max(int(time.time()) // 30, self.steps.get(user, 0) + 1)
        # One step ahead is within the policy's window.
        while step > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        self.steps[user] = step
        counter = self.counters.get(user, 0)
        self.counters[user] = counter + 1
        totp = self.root.run("oathtool", "-b", "--totp", "-N", f"@{step * 30}", SECRET)
        hotp = self.root.run("oathtool", "-b", "-c", str(counter), OTHER_SECRET)
        return totp.strip(), hotp.strip()
