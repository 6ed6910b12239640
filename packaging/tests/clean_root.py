"""A clean root: an installed distribution, seen through a layer in memory, and logins into it."""

import io
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import checks
import pexpect

PASSWORD = "correct horse battery"
SSH = (
    "ssh -F none -p 22 -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    " -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 -o PreferredAuthentications=keyboard-interactive"
)


class CleanRoot:
    """`base` is never written to; what a test does is gone with the mount namespace."""

    def __init__(self, base, folder):
        self.path = folder / "root"
        layer = folder / "layer"
        for each in (self.path, layer):
            each.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", layer)
        (layer / "upper").mkdir(mode=0o755)
        (layer / "work").mkdir()
        options = f"lowerdir={base},upperdir={layer}/upper,workdir={layer}/work"
        run("mount", "-t", "overlay", "-o", options, "overlay", self.path)
        self._devices()
        run("mount", "-t", "proc", "proc", self / "proc")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self / "run")
        (self / "run/sshd").mkdir(mode=0o755)
        (self / "run/utmp").touch()
        # Packages start no daemon here: the tests run sshd themselves.
        policy = self / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        (self / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        self.log = LogSocket(self / "dev/log")
        self.sshd = None
        self._transcript = ""
        checks.witnesses[:] = [self._last_seen]

    def _last_seen(self):
        lines = [*self._transcript.splitlines(), *self.log.lines[-4:]]
        return "\n".join(f"         | {line}" for line in lines)

    def _devices(self):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self / "dev")
        for node in ("null", "zero", "full", "random", "urandom", "tty"):
            run("cp", "-a", f"/dev/{node}", self / "dev" / node)
        (self / "dev/pts").mkdir()
        (self / "dev/shm").mkdir(mode=0o1777)
        # The terminals of this machine, for pexpect opens them outside of the root.
        run("mount", "--bind", "/dev/pts", self / "dev/pts")
        (self / "dev/ptmx").symlink_to("pts/ptmx")

    def __truediv__(self, inside):
        return self.path / str(inside).lstrip("/")

    def run(self, *command, stdin="", status=0):
        """Runs a command in the root and returns what it printed; any other status than the expected is an error."""
        done = self.attempt(*command, stdin=stdin)
        if done.returncode != status:
            raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
        return done.stdout

    def attempt(self, *command, stdin=""):
        return subprocess.run(
            ["chroot", self.path, *command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )

    def text(self, inside):
        return (self / inside).read_text()

    def mode(self, inside):
        status = (self / inside).lstat()
        return f"{status.st_mode & 0o7777:o} {status.st_uid}:{status.st_gid}"

    def add_users(self, *names):
        for name in names:
            self.run("useradd", "--create-home", "--shell", "/bin/bash", name)
            self.run("chpasswd", stdin=f"{name}:{PASSWORD}\n")
        lines = [f"{name} ALL=(ALL:ALL) ALL\n" for name in names]
        sudoers = self / "etc/sudoers.d/tests"
        sudoers.write_text("Defaults timestamp_timeout=0,!lecture,passwd_tries=1\n" + "".join(lines))
        sudoers.chmod(0o440)

    def start_sshd(self, settings="ListenAddress 127.0.0.1\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n"):
        self.run("ssh-keygen", "-A")
        (self / "etc/ssh/sshd_config.d/tests.conf").write_text(settings)
        self.sshd = subprocess.Popen(["chroot", self.path, "/usr/sbin/sshd", "-D"], env=ENVIRONMENT)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", 22)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("sshd does not listen")

    def stop_sshd(self):
        if self.sshd:
            self.sshd.terminate()
            self.sshd.wait()
            self.sshd = None

    def pamtester(self, service, user, answers):
        """Whether the stack of `service` lets the user in with these answers."""
        return self._converse(f"pamtester {service} {user} authenticate", answers, "successfully authenticated")

    def ssh(self, user, answers):
        """Whether sshd lets the user in with these answers."""
        return self._converse(f"{SSH} {user}@127.0.0.1 echo in as '$(id -un)'", answers, f"in as {user}")

    def sudo(self, user, answers):
        """Whether the user becomes root through sudo with these answers."""
        command = f"setpriv --reuid {user} --regid {user} --init-groups sudo /bin/sh -c 'echo in as $(id -un)'"
        return self._converse(command, answers, "in as root")

    def open_ssh(self, user, password):
        """A client that has given its password and stands at the next prompt."""
        child = self._spawn(f"{SSH} {user}@127.0.0.1 id -un")
        child.expect(r"assword: ?")
        child.sendline(password)
        child.expect(r"step 1 of \d\): ?")
        return child

    def _converse(self, command, answers, success):
        child = self._spawn(command)
        heard = child.logfile_read = io.StringIO()
        for answer in answers:
            # A prompt ends in a colon and waits; the text before it may be anything.
            if child.expect([r": ?$", pexpect.EOF], timeout=20) == 1:
                break
            time.sleep(0.2)
            child.sendline(answer)
        else:
            child.expect([r"step \d of \d\): ?$", pexpect.EOF], timeout=30)
        child.close(force=True)
        self._transcript = heard.getvalue()
        return success in self._transcript

    def _spawn(self, command):
        child = pexpect.spawn("chroot", [str(self.path), "/bin/sh", "-c", command], encoding="utf-8", env=ENVIRONMENT)
        child.delaybeforesend = 0.1
        return child

    def close(self):
        self.stop_sshd()
        self.log.close()


class LogSocket:
    """What a log daemon would get."""

    MARK = "mark"

    def __init__(self, path):
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        os.chmod(path, 0o666)
        self._received = []
        self._marked = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                line = self._socket.recv(65536).decode(errors="replace")
            except OSError:
                return
            if line == self.MARK:
                self._marked.set()
            else:
                self._received.append(line)

    @property
    def lines(self):
        """Each line that was sent before this look: datagrams arrive in order, so a mark that came back was the last."""
        self._marked.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(self.MARK.encode(), self._path)
        if not self._marked.wait(60):
            raise RuntimeError("the log is not read any more")
        return list(self._received)

    def close(self):
        self._socket.close()


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}
