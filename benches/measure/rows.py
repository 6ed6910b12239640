"""What is measured, row by row."""

import re
import subprocess
from pathlib import Path

from machine import ACCOUNTS, SECRETS, SERVICES, write_oath_users, write_service
from timing import Stack, codes, wrong

SCALES = [10, 1_000, 100_000, 1_000_000]
OATH_SCALES = [10, 1_000, 10_000]


class Rows:
    """Runs the measurements. Every method answers with plain figures."""

    def __init__(self, timer, build, scale, places):
        self.timer, self.build, self.scale, self.places = timer, build, scale, places
        self.module = build / "pam_mfa_chain.so"

    def count(self, number):
        return max(5, int(number * self.scale))

    def ours(self, policy, store="/var/lib/mfa-chain1"):
        return f"{self.module} policy=/etc/mfa-chain/{policy}.toml store={store}"

    def write_services(self):
        write_service("other", "pam_deny.so")
        write_service("permit", "pam_permit.so")
        for place, (files, store) in self.places.items():
            for steps in range(1, 9):
                write_service(f"reset{steps}-{place}", self.ours(f"reset{steps}", f"{store}{steps}"))
                write_service(f"conceal{steps}-{place}", self.ours(f"conceal{steps}", f"{store}{steps}"))
            for steps in (1, 2, 3):
                ga = "pam_google_authenticator.so secret=" + str(files / "home") + "/${USER}/.google_authenticator"
                write_service(f"ga{steps}-{place}", *(f"{ga}{step}" for step in range(1, steps + 1)))
                oath = f"pam_oath.so usersfile={files}/users%s.oath window=5 digits=6"
                write_service(f"oath{steps}-{place}", *(oath % step for step in range(1, steps + 1)))
        for rules in (5, 50, 500):
            write_service(f"rules{rules}", self.ours(f"rules{rules}"))

    def chains(self, place):
        """Granted: one to three steps of each."""
        stacks = [Stack("permit", "permit", [])]
        for steps in (1, 2, 3):
            answers = codes(*range(1, steps + 1))
            for kind in ("reset", "conceal", "ga", "oath"):
                stacks.append(Stack(f"{kind}{steps}", f"{kind}{steps}-{place}", answers))
        return self.timer.transactions(self.count(200), stacks, f"floor={self.places[place][0]}/floor")

    def loading(self, place):
        """The same in a process for each login, as sshd does it."""
        stacks = [Stack("permit", "permit", [])]
        stacks += [Stack(f"{kind}1", f"{kind}1-{place}", codes(1)) for kind in ("reset", "ga", "oath")]
        return self.timer.transactions(self.count(200), stacks, "fork")

    def dlopen(self):
        modules = [str(self.module), *(find_module(name) for name in ("google_authenticator", "oath", "permit"))]
        samples = self.timer.samples(self.timer.call("load", self.count(200), *modules))
        return {Path(name).name: sample for name, sample in samples.items()}

    def denied(self, place):
        """Denied without waiting, over enough users that no throttle of ours sets in."""
        stacks = [Stack("reset1", f"reset1-{place}", wrong(1), users=1000)]
        stacks += [Stack(f"{kind}1", f"{kind}1-{place}", wrong(1)) for kind in ("ga", "oath")]
        stacks.append(Stack("granted", f"ga1-{place}", codes(1)))
        return self.timer.transactions(self.count(200), stacks, "no-delay")

    def denied_as_shipped(self, place):
        stacks = [Stack("reset1", f"reset1-{place}", wrong(1), users=1000)]
        stacks += [Stack(f"{kind}1", f"{kind}1-{place}", wrong(1)) for kind in ("ga", "oath")]
        return self.timer.transactions(5, stacks)

    def factors(self, place):
        stacks = [
            Stack(f"{kind}{steps}", f"{kind}{steps}-{place}", codes(*range(1, steps + 1)))
            for steps in range(1, 9)
            for kind in ("reset", "conceal")
        ]
        return self.timer.transactions(self.count(100), stacks)

    def users(self, files):
        """The same login among 10 to 1,000,000 enrolled."""
        stacks = []
        for users in SCALES:
            store = files / f"store{users}"
            self.timer.call("fill", store, "b", users, *SECRETS[:1])
            write_service(f"users{users}", self.ours("policy", store))
            stacks.append(Stack(f"users{users}", f"users{users}", codes(1), users=users))
        subprocess.run(["sync", "-f", files], check=True)
        return self.timer.transactions(self.count(200), stacks)

    def users_of_oath(self, files):
        stacks = []
        for users in OATH_SCALES:
            write_oath_users(files / f"many{users}.oath", SECRETS[0], users)
            write_service(f"many{users}", f"pam_oath.so usersfile={files}/many{users}.oath window=5 digits=6")
            stacks.append(Stack(f"users{users}", f"many{users}", codes(1), users=users))
        return self.timer.transactions(self.count(10), stacks)

    def rules(self):
        stacks = [Stack(f"rules{rules}", f"rules{rules}", codes(1)) for rules in (5, 50, 500)]
        return self.timer.transactions(self.count(200), stacks)

    def parallel(self, place):
        """Logins per second by number of processes."""
        stacks = [Stack(kind, f"{kind}1-{place}", codes(1)) for kind in ("reset", "ga", "oath")]
        seconds = max(1, round(2 * self.scale))
        return {count: self.timer.parallel(count, seconds, stacks) for count in (1, 2, 4, 8)}

    def growth(self, place):
        """Memory of the first login, and what changes from the 1,000th to the last of 100,000."""
        found = {}
        for kind in ("reset", "ga", "oath"):
            before, after = self.timer.status(1, Stack(kind, f"{kind}1-{place}", codes(1)))
            found[kind] = {key: after[key] - before[key] for key in after}
        stack = Stack("reset", f"reset1-{place}", codes(1))
        _, early = self.timer.status(1_000, stack)
        _, late = self.timer.status(100_000, stack)
        found["growth"] = {key: late[key] - early[key] for key in late}
        return found

    def calls(self, place, remote=False):
        """System calls between the begin and the end of the second `pam_authenticate`, by name."""
        found = {}
        for kind in ("permit", "reset1", "conceal3", "ga1", "ga3", "oath1", "oath3"):
            service = kind if kind == "permit" else f"{kind}-{place}"
            steps = int(kind[-1]) if kind[-1].isdigit() else 0
            stack = Stack(kind, service, codes(*range(1, steps + 1)), users=1)
            found[kind] = self.traced(stack, ["remote"] if remote else [])
        return found

    def traced(self, stack, flags):
        trace = "/run/tmp/trace"
        command = ["strace", "-o", trace, self.timer.program, "transactions", "2", str(SERVICES), "mark", *flags]
        subprocess.run(command, input=stack.line() + "\n", text=True, stdout=subprocess.DEVNULL, check=True)
        names, inside, begun = [], False, 0
        for line in Path(trace).read_text().splitlines():
            if "pamtimer:begin" in line:
                begun += 1
            inside = begun == 2 and "pamtimer:end" not in line and (inside or "pamtimer:begin" in line)
            found = re.match(r"(\w+)\(", line)
            if inside and found and "pamtimer:begin" not in line:
                names.append(found[1])
        return names

    def instructions(self, place):
        """Instructions of one pam_authenticate: ten more logins, divided by ten."""
        found = {}
        for kind in ("permit", "reset1", "reset3", "conceal3", "ga1", "ga3", "oath1", "oath3", "rules5", "rules500"):
            service = f"{kind}-{place}" if kind[-1] in "123" else kind
            steps = int(kind[-1]) if kind[-1] in "123" else (0 if kind == "permit" else 1)
            stack = Stack(kind, service, codes(*range(1, steps + 1)))
            few, many = (self.collected(stack, count) for count in (5, 15))
            found[kind] = (many - few) / 10
        return found

    def collected(self, stack, count):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=pam_authenticate"]
        command += [self.timer.program, "transactions", str(count), str(SERVICES), "quiet"]
        done = subprocess.run(command, input=stack.line() + "\n", capture_output=True, text=True, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def find_module(name):
    for folder in ("/usr/lib/x86_64-linux-gnu/security", *map(str, Path("/usr/lib").glob("*/security")), "/usr/lib64/security"):
        if (Path(folder) / f"pam_{name}.so").exists():
            return f"{folder}/pam_{name}.so"
    raise SystemExit(f"pam_{name}.so is missing")


def profile_of(timer, module, store, policy="policy"):
    """Shares of instructions by function of the module, callees included."""
    write_service("profile", f"{module} policy=/etc/mfa-chain/{policy}.toml store={store}")
    out = "/run/tmp/callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=pam_authenticate"]
    command += [timer.program, "transactions", "50", str(SERVICES), "quiet"]
    stack = Stack("profile", "profile", codes(1))
    subprocess.run(command, input=stack.line() + "\n", capture_output=True, text=True, check=True)
    done = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=99", out], capture_output=True, text=True)
    shares = {}
    for line in done.stdout.splitlines():
        found = re.match(r"\s*[\d,]+ \(\s*([\d.]+)%\)\s+[^:]*?:(\S.*?)(?: \[(.*)\])?$", line)
        # Without the driver's own; the path of the module in brackets may hold any of these words.
        if found and not re.search(r"pamtimer|\bmain\b|__libc_start|PROGRAM|0x0000", found[2]):
            name = re.sub(r"<?([\w:]+)<.*", r"\1", found[2].replace("mfa_chain::", ""))[:90]
            shares[name] = max(shares.get(name, 0.0), float(found[1]))
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return [(f"{share:.1f} %", name) for name, share in ranked]


def functions_by_size(module):
    done = subprocess.run(["nm", "-C", "-S", "--size-sort", "-r", str(module)], capture_output=True, text=True, check=True)
    lines = (line.split(None, 3) for line in done.stdout.splitlines())
    return [(int(line[1], 16), line[3].replace("|", "/")) for line in lines if len(line) == 4]


def bytes_of_backtraces(functions):
    """What std's printing of backtraces takes; nothing of ours has these names."""
    return sum(size for size, name in functions if re.search("gimli|addr2line|backtrace|miniz_oxide|rustc_demangle", name))
