"""The rpm in a clean root that it knows nothing of: files, modes, scriptlets, and a login through the module."""

import re
import subprocess

from checks import check
from clean_root import PASSWORD

MODULE = "/usr/lib64/security/pam_mfa_chain.so"
# What may be asked of a host: libpam, the C library, and rpm's own features.
KNOWN_NEEDS = re.compile(
    r"rpmlib\(|config\(mfa-chain\)|pam$|/bin/sh$|/usr/bin/sh$|lib(c|pam|gcc_s|m)\.so\.\d+\(|ld-linux.*\.so\.\d+\(|rtld\(GNU_HASH\)"
)


class RpmLife:
    def __init__(self, root, rpm):
        self.root = root
        self.file = rpm
        root.add_users("alice")

    def stages(self):
        return [self.needs, self.installed, self.logs_in, self.upgraded, self.removal_refused_while_named, self.removed]

    def needs(self):
        needs = self.rpm("-qp", "--requires", self.file).split("\n")
        strange = [need for need in needs if need and not KNOWN_NEEDS.match(need)]
        check(not strange, f"the rpm asks for nothing strange: {strange}")
        check(any(need.startswith("libpam.so.0(") for need in needs), "the rpm asks for libpam")
        check("pam" in needs, "the rpm asks for the folder of modules")

    def installed(self):
        self.rpm("--initdb")
        # The root is of another distribution, whose packages rpm does not know.
        self.rpm("-i", "--nodeps", self.file)
        root = self.root
        for path, mode in (
            (MODULE, "644"),
            ("/usr/bin/mfa-chain", "755"),
            ("/etc/mfa-chain", "755"),
            ("/etc/mfa-chain/policy.toml", "644"),
            ("/var/lib/mfa-chain", "700"),
            ("/usr/lib/tmpfiles.d/mfa-chain.conf", "644"),
        ):
            check(root.mode(path) == f"{mode} 0:0", f"{path} is root's, mode {mode}")
        check("/etc/mfa-chain/policy.toml" in self.rpm("-qc", "mfa-chain"), "the policy is a configuration file")
        check(not self.rpm("-V", "--nodeps", "mfa-chain").strip(), "rpm finds everything as it installed it")
        linked = root.run("ldd", "-r", MODULE)
        check("not found" not in linked and "undefined" not in linked, "every symbol of the module is found")

    def logs_in(self):
        stack = f"auth required {MODULE}\nauth required pam_unix.so\n"
        (self.root / "etc/pam.d/mfa-test").write_text(stack)
        check(self.root.pamtester("mfa-test", "alice", [PASSWORD]), "with the policy as shipped the password is enough")
        check(not self.root.pamtester("mfa-test", "alice", ["wrong"]), "with the policy as shipped a wrong password is not")
        check(any("verdict=exempt" in line for line in self.root.log.lines), "the log says that the login was exempt")

    def upgraded(self):
        policy = self.root / "etc/mfa-chain/policy.toml"
        policy.write_text(policy.read_text() + "# mine\n")
        self.rpm("-U", "--nodeps", "--replacepkgs", self.file)
        check(policy.read_text().endswith("# mine\n"), "the edited policy stays")
        check((self.root / MODULE).exists(), "the module stays")

    def removal_refused_while_named(self):
        done = self.attempt("-e", "--nodeps", "mfa-chain")
        check(done.returncode != 0 and "/etc/pam.d/mfa-test" in done.stdout, "removal is refused while a stack names the module")
        check((self.root / MODULE).exists(), "a refused removal leaves the module")

    def removed(self):
        (self.root / "etc/pam.d/mfa-test").unlink()
        (self.root / "var/lib/mfa-chain/secrets").mkdir(mode=0o700, exist_ok=True)
        self.rpm("-e", "--nodeps", "mfa-chain")
        check(not (self.root / MODULE).exists(), "removal takes the module")
        check((self.root / "var/lib/mfa-chain/secrets").exists(), "removal keeps the enrollments")
        check((self.root / "etc/mfa-chain/policy.toml.rpmsave").exists(), "removal keeps the edited policy aside")
        check(self.root.pamtester("login", "alice", [PASSWORD]), "after removal a password opens login")

    def rpm(self, *words):
        done = self.attempt(*words)
        if done.returncode and words[0] != "-V":
            raise AssertionError(f"rpm {' '.join(map(str, words))}: {done.stdout}")
        return done.stdout

    def attempt(self, *words):
        command = ["rpm", "--root", str(self.root.path), "--define", "_dbpath /var/lib/rpm", *map(str, words)]
        if "-qp" in words:
            command = ["rpm", *map(str, words)]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
