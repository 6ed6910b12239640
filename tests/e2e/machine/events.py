"""The module's lines in the log. The names of keys and values are known here and nowhere else."""

import re
import shlex

LINE = re.compile(r"pam_mfa_chain\((?P<service>[^:)]+):auth\): (?P<pairs>event=.*)")


def events(log):
    """Every event so far as a dictionary; `service` is the one libpam knows."""
    found = []
    for line in log.lines():
        if match := LINE.search(line):
            pairs = dict(pair.split("=", 1) for pair in shlex.split(match["pairs"]) if "=" in pair)
            found.append({**pairs, "service": match["service"]})
    return found


def expect_events(log, service, user, *expected):
    """The steps and verdicts of this user in this service are exactly these, in this order.

    A step is written "phone accepted" or "phone refused", a verdict "grant" or "deny".
    """
    verdicts = sum(word in ("grant", "deny") for word in expected)
    log.wait_for(rf"\({service}:auth\): event=verdict .*\buser={user}\b", count=verdicts)
    told = [
        _in_short(event)
        for event in events(log)
        if event["event"] in ("step", "verdict") and event["user"] == user and event["service"] == service
    ]
    assert told == list(expected)


def _in_short(event):
    if event["event"] == "verdict":
        return event["verdict"]
    return f"{event['factor']} {'accepted' if event['outcome'] == 'accepted' else 'refused'}"
