"""iptables as text: which rules are the testbed's own, given what was there before it came. Pure functions."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

OWN_CHAIN = re.compile(r"(KUBE-|CNI-|NEXTAI-)")
OWN_SET = re.compile(r"(inet6:)?(KUBE-|kube-router-)")
FORWARD, POSTROUTING = "NEXTAI-FORWARD", "NEXTAI-POSTROUTING"


@dataclass(slots=True)
class Table:
    """A table of `iptables-save`: its chains, and its rules as they are written there (-A CHAIN …), in order."""

    chains: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


def parse(dump: str) -> dict[str, Table]:
    """The tables in the output of iptables-save, without counters and comments."""
    tables: dict[str, Table] = {}
    current = Table()
    for line in dump.splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:].strip(), Table())
        elif line.startswith(":"):
            current.chains.append(line[1:].split()[0])
        elif line.startswith("-A"):
            current.rules.append(line)
    return tables


def settings(network: str) -> str:
    """Input for `iptables-restore --noflush`: packets of our network are forwarded, and masqueraded where they leave it.

    Dockerd runs without iptables of its own, since two engines on one machine would take each other's chains. Nothing else is
    let in: what comes from outside is forwarded only as an answer, or where kube-proxy has marked it for a Service.
    """
    return f"""*filter
:{FORWARD} - [0:0]
-A {FORWARD} -s {network} -j ACCEPT
-A {FORWARD} -d {network} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -j {FORWARD}
COMMIT
*nat
:{POSTROUTING} - [0:0]
-A {POSTROUTING} -s {network} ! -d {network} -j MASQUERADE
-A POSTROUTING -j {POSTROUTING}
COMMIT
"""


def removal(before: str, now: str, marks: Iterable[str]) -> str:
    """Input for `iptables-restore --noflush` that takes away what the testbed added; empty if there is nothing.

    A chain goes if its name is of ours and it was not there before. A rule in a chain that stays goes if it was not there
    before and leads into a chain that goes or names one of the `marks` (bridges, addresses). Everything else is left alone,
    whoever put it there and whenever.
    """
    earlier = parse(before)
    wanted = tuple(marks)
    script = []
    for name, table in parse(now).items():
        old = earlier.get(name, Table())
        gone = {chain for chain in table.chains if OWN_CHAIN.match(chain) and chain not in old.chains}
        known = Counter(old.rules)
        lines = []
        for rule in table.rules:
            if known[rule]:
                known[rule] -= 1
            elif _chain(rule) not in gone and (_target(rule) in gone or any(mark in rule for mark in wanted)):
                lines.append(f"-D{rule[2:]}")
        chains = [chain for chain in table.chains if chain in gone]
        lines += [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
        if lines:
            script += [f"*{name}", *lines, "COMMIT"]
    return "".join(f"{line}\n" for line in script)


def others(dump: str) -> list[str]:
    """Kubernetes chains in a dump: where the testbed did not make them, another Kubernetes did."""
    return sorted({chain for table in parse(dump).values() for chain in table.chains if chain.startswith("KUBE-")})


def _chain(rule: str) -> str:
    return rule.split()[1]


def _target(rule: str) -> str:
    match = re.search(r" (?:-j|-g) (\S+)", rule)
    return match[1] if match else ""
