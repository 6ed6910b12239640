"""An sshd of our own on 127.0.0.1 of the private network, and the real client that talks to it."""

import subprocess

from machine.terminal import Terminal

PORT = 2222

# What every test wants; a test overrides or adds options by name.
ALWAYS = {
    "ListenAddress": f"127.0.0.1:{PORT}",
    "PidFile": "none",
    "UsePAM": "yes",
    "KbdInteractiveAuthentication": "yes",
    "PasswordAuthentication": "no",
    "AuthenticationMethods": "keyboard-interactive",
    "PermitRootLogin": "no",
    "UseDNS": "no",
    "LogLevel": "VERBOSE",
}


class Sshd:
    """One running sshd; `login` is a client on a terminal."""

    def __init__(self, folder, host_key, log, options):
        self._folder = folder
        self._known_hosts = folder / "known_hosts"
        public = host_key.with_suffix(".pub").read_text()
        self._known_hosts.write_text(f"[127.0.0.1]:{PORT} {public}")
        config = folder / "sshd_config"
        settings = {**ALWAYS, "HostKey": host_key, **options}
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self._process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", config])
        self.pid = self._process.pid
        log.wait_for(rf"sshd\[{self.pid}\]: Server listening on 127\.0\.0\.1")

    def login(self, user, command="id -un", tries=1, key=None, methods=None):
        """Starts `ssh user@127.0.0.1 command`; the client gives up after so many tries."""
        methods = methods or ("publickey,keyboard-interactive" if key else "keyboard-interactive")
        identity = ["-i", key, "-o", "IdentitiesOnly=yes"] if key else ["-o", "IdentityFile=none"]
        return Terminal(
            ["ssh", "-F", "none", "-p", PORT, *identity]
            + ["-o", f"PreferredAuthentications={methods}"]
            + ["-o", f"NumberOfPasswordPrompts={tries}"]
            + ["-o", f"UserKnownHostsFile={self._known_hosts}"]
            + ["-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes"]
            + ["-o", "IdentityAgent=none", f"{user}@127.0.0.1", command]
        )

    def stop(self):
        self._process.terminate()
        self._process.wait()


def make_host_key(folder):
    key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key
