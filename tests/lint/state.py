"""No mutable file-scope state: what the compiler really put into .data and .bss.

Counters (struct metric) are the modules' own and free to all. Anything else is listed in
state.allow with its reason: "path:symbol reason".
"""
import os
import re
import subprocess

SECTION = re.compile(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)|\*COM\*")


def symbols(path):
    """(name, section) of each object in the symbol table, with local numbering cut off."""
    out = subprocess.run(["objdump", "-t", path], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        fields = line.split("\t")
        if len(fields) != 2:
            continue
        head, name = fields[0].split(), fields[1].split(None, 1)
        if len(name) == 2 and SECTION.match(head[-1]) and "O" in head[1:-1] + [head[-2]]:
            yield re.sub(r"\.\d+$", "", name[1].replace(".hidden ", "")), head[-1]
        elif len(name) == 2 and head[-1] == "*COM*":
            yield name[1], head[-1]


def allowed(tree):
    if "tests/lint/state.allow" not in tree.files():
        return {}
    listed = {}
    for number, line in enumerate(tree.text("tests/lint/state.allow").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            listed[name] = (number, reason.strip())
    return listed


def is_counter(code, name):
    return re.search(r"\bstruct metric\b[^;=(){}]*\b%s\b" % re.escape(name), code) is not None


def state(tree):
    """File-scope state is refused, except counters and what state.allow gives a reason for."""
    listed, seen = allowed(tree), set()
    for path in tree.c_files(r"(lib|services)/"):
        compiled = os.path.join(tree.build, path[:-2] + ".o")
        if not path.endswith(".c"):
            continue
        if not os.path.exists(compiled):
            yield path, 1, f"not compiled: {compiled} is missing"
            continue
        for name, section in symbols(compiled):
            key = f"{path}:{name}"
            seen.add(key)
            if key in listed and listed[key][1]:
                continue
            if not is_counter(tree.code(path), name):
                yield path, 1, f"{name} is file-scope state (in {section}): pass it, or give a reason in state.allow"
    for key, (number, _) in listed.items():
        if key not in seen:
            yield "tests/lint/state.allow", number, f"{key} is not there any more"
