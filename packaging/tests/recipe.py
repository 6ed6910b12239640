"""The first recipe of the README, walked line by line in a clean root, to a login with a key and a code and to none without.

Its commands, lines and files are taken from the page, so that an edit of the page that breaks them fails here."""

import io
import re
import subprocess
import time
from pathlib import Path

import pexpect
from checks import check
from clean_root import ENVIRONMENT, PASSWORD

README = Path("README.md").read_text()
SECTION = README.split("## A key and one code")[1].split("\n## ")[0]
INSTALL = Path("docs/install.md").read_text()
ASKED = r"step 1 of 1\): ?$"
SSH = (
    "ssh -F none -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    " -o NumberOfPasswordPrompts=1 -o PreferredAuthentications={} alice@127.0.0.1 echo in as '$(id -un)'"
)


class Recipe:
    """`install` puts the files into the root; `sources` is where the README's `conf/` is after such an installation."""

    def __init__(self, root, install, sources):
        self.root = root
        self._install, self._sources = install, sources
        self._secret, self._step = None, None

    def stages(self):
        return [self.installed, self.policy_written, self.enrolled, self.rehearsed, self.sshd_asks, self.left_open_is_said, self.closed]

    def installed(self):
        self.root.add_users("alice")
        self._make_key()
        self._install(self.root)
        self.root.start_sshd("ListenAddress 127.0.0.1\n")
        check(self._ssh(key=True), "installing changes no login: the key gets in")

    def policy_written(self):
        copied = self._command("cp ")
        self._shell(copied.replace("conf/", f"{self._sources}/"))
        told = self._shell(self._command("mfa-chain check"), status=3)
        check("no users yet" in told and "no service asks for codes yet" in told, "check says what comes next")

    def enrolled(self):
        child = self._spawn(self._command("mfa-chain enroll"))
        child.expect(r"secret=([A-Z2-7]+)")
        self._secret = child.match[1]
        child.expect("code: ")
        child.sendline(self._code())
        child.expect(pexpect.EOF)
        self._recovery = re.findall(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){5}", self._shell(self._command("mfa-chain recovery")))
        check(len(self._recovery) == 10, "recovery codes are printed")

    def rehearsed(self):
        child = self._spawn(self._command("mfa-chain try"))
        child.expect(ASKED)
        # The code of the phone is used up by the enrollment.
        child.sendline(self._recovery[0])
        child.expect(pexpect.EOF)
        check("granted" in child.before, "the rehearsal says `granted`")

    def sshd_asks(self):
        auth, account = (re.search(rf"^ *({kind} +required .*)$", SECTION, re.M)[1] for kind in ("auth", "account"))
        file = self.root / "etc/pam.d/sshd"
        text = file.read_text()
        for include, line in (("@include common-auth\n", f"{auth}\n"), ("@include common-account\n", f"{account}\n@include common-account\n")):
            check(text.count(include) == 1, f"/etc/pam.d/sshd has one line {include.strip()}")
            text = text.replace(include, line)
        file.write_text(text)

    def left_open_is_said(self):
        """As it is for an administrator who stops before the drop-in of sshd."""
        told = self._shell("mfa-chain check")
        check("a key alone" in told or "without a code" in told, "check says that a key gets in without a code")
        check("AuthenticationMethods publickey,keyboard-interactive" in told, "and the cure")
        check(not self._ssh(key=True), "the backstop refuses the key alone all the same")

    def closed(self):
        drop_in = re.search(r"make the file `(/etc/ssh/\S+)`.*?```\n(.*?)```", SECTION, re.S)
        (self.root / drop_in[1]).write_text(re.sub(r"^ +", "", drop_in[2], flags=re.M))
        told = self._shell("mfa-chain check")
        check("AuthenticationMethods publickey,keyboard-interactive" not in told, "check names nothing open of sshd any more")
        self._shell("sshd -t")
        self.root.stop_sshd()
        self.root.start_sshd("ListenAddress 127.0.0.1\n")
        check(self._ssh(key=True, answer=self._code()), "the key and the code get in")
        check(not self._ssh(key=True, answer="000000"), "the key and a wrong code do not")
        check(not self._ssh(key=True, answer=self._recovery[0]), "nor the key and a used recovery code")
        check(not self._ssh(key=False, answer=PASSWORD), "the password does not")
        check(self._ssh(key=True, answer=self._recovery[1]), "the key and a recovery code get in")

    def _command(self, beginning):
        """The command of the recipe that begins so, without sudo."""
        line = re.search(rf"^ *sudo ({re.escape(beginning)}.*)$", SECTION, re.M)[1]
        return line.split("   ")[0]

    def _shell(self, line, status=0):
        done = self.root.attempt("sh", "-c", line)
        check(done.returncode == status, f"`{line}` runs")
        return done.stdout

    def _make_key(self):
        root = self.root
        root.run("su", "alice", "-c", "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys")

    def _code(self):
        """The code of this time step, or of the next one where this one was typed before."""
        now = int(time.time()) // 30
        self._step = now if self._step is None else max(now, self._step + 1)
        return self.root.run("oathtool", "--totp", "-b", "-N", f"@{self._step * 30}", self._secret).strip()

    def _ssh(self, key, answer=None):
        """Whether alice gets in with her key or without, and what she answers to the one prompt, if any."""
        methods = "publickey,keyboard-interactive,password" if key else "keyboard-interactive,password"
        child = self._spawn(f"setpriv --reuid alice --regid alice --init-groups env HOME=/home/alice {SSH.format(methods)}")
        heard = child.logfile_read = io.StringIO()
        while child.expect([r": ?$", pexpect.EOF], timeout=20) == 0:
            if answer is None:
                break
            time.sleep(0.2)
            child.sendline(answer)
            answer = None
        child.close(force=True)
        return "in as alice" in heard.getvalue()

    def _spawn(self, line):
        child = pexpect.spawn("chroot", [str(self.root.path), "/bin/sh", "-c", line], encoding="utf-8", env=ENVIRONMENT)
        child.delaybeforesend = 0.1
        return child


def by_make(root):
    """`make build` and `make install` of docs/install.md, as they stand there, into the root."""
    page = re.search(r"^make build\nsudo (make install)$", INSTALL, re.M)
    check(page is not None, "docs/install.md says `make build` and `sudo make install`")
    modules = next(path.parent for path in root.path.glob("usr/lib/*/security/pam_unix.so"))
    settings = [f"DESTDIR={root.path}", f"PAMDIR=/{modules.relative_to(root.path)}"]
    subprocess.run([*page[1].split(), "-s", *settings], check=True)
    root.run("mfa-chain", "init")  # as `make install` does where no DESTDIR is named
    (root / "root/conf").mkdir()
    (root / "root/conf/one-code.toml").write_bytes(Path("conf/one-code.toml").read_bytes())


def by_deb(deb):
    def install(root):
        (root / "tmp/current.deb").write_bytes(deb.read_bytes())
        check("sudo apt install ./FILE.deb" in re.sub(r"\s+", " ", INSTALL), "docs/install.md says `sudo apt install ./FILE.deb`")
        root.run("apt-get", "install", "-y", "/tmp/current.deb")

    return install


def by_rpm(rpm):
    def install(root):
        command = ["rpm", "--root", str(root.path), "--define", "_dbpath /var/lib/rpm"]
        subprocess.run([*command, "--initdb"], check=True)
        # The root is of another distribution: rpm knows none of its packages, and its libpam looks elsewhere.
        subprocess.run([*command, "-i", "--nodeps", str(rpm)], check=True)
        modules = next(path.parent for path in root.path.glob("usr/lib/*/security/pam_unix.so"))
        (modules / "pam_mfa_chain.so").symlink_to("/usr/lib64/security/pam_mfa_chain.so")

    return install
