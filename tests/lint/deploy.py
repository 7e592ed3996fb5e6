"""deploy/: units that systemd takes, a compose file that names what is there, and the example
of all settings, held against what the programs themselves say with --help.
"""
import os
import re
import subprocess
import tempfile

EXAMPLE = "deploy/config/paybell.env"
COMPOSE = "deploy/compose/compose.yaml"
OVERLAY = "deploy/compose/compose.sandbox.yaml"


def units(tree):
    """systemd-analyze verify has nothing to say about the units."""
    paths = tree.files(r"^deploy/systemd/[^/]+\.(service|target|socket|timer)$")
    if not paths:
        yield "deploy/systemd", 1, "no units"
        return
    with tempfile.TemporaryDirectory(prefix="paybell-units-") as folder:
        bin_folder = os.path.join(tree.build, "bin")
        for path in paths:
            with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as unit:
                unit.write(tree.text(path).replace("=/usr/bin/", f"={bin_folder}/"))
        environment = dict(os.environ, SYSTEMD_UNIT_PATH=f"{folder}:", SYSTEMD_LOG_LEVEL="warning")
        for path in paths:
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                                   os.path.join(folder, os.path.basename(path))],
                                  env=environment, capture_output=True, text=True)
            text = (done.stdout + done.stderr).strip().replace(folder + "/", "").replace(bin_folder, "/usr/bin")
            if text or done.returncode:
                yield path, 1, text or f"systemd-analyze ended with {done.returncode}"


def table(program):
    """{variable: default} of a program's --help; a missing default is ""."""
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    found = {}
    for match in re.finditer(r"^  --\S+\s+(PAYBELL_\w+)\s+(\S+(?: \S+)*)", text, re.M):
        default = match[2]
        secret = re.search(r"; (\S+) when not set", text[match.end():text.find("\n  --", match.end())])
        found[match[1]] = secret[1] if default == "(set)" and secret else "" if default in ("-", "required") else default
    return found


def programs(tree):
    folder = os.path.join(tree.build, "bin")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {name: os.path.join(folder, name) for name in names if re.match(r"paybell(-|$)", name)}


def example(tree):
    """{name: (line, value, whether it is commented out)}"""
    found = {}
    for number, line in enumerate(tree.text(EXAMPLE).splitlines(), 1):
        match = re.match(r"(#?)(PAYBELL_[A-Z_]+)=(.*)$", line)
        if match:
            found[match[2]] = (number, match[3], match[1] == "#")
    return found


def settings(tree):
    """The example has each setting of each program, at its default, and no other."""
    given, wanted = example(tree), {}
    found = programs(tree)
    if not found:
        yield EXAMPLE, 1, "no programs to ask: build them first"
        return
    for program in found.values():
        for name, default in table(program).items():
            wanted.setdefault(name, set()).add(default)
    for name in sorted(wanted.keys() - given.keys()):
        yield EXAMPLE, 1, f"{name} is missing"
    for name, (line, value, is_comment) in given.items():
        if name not in wanted:
            yield EXAMPLE, line, f"no program has {name}"
        elif is_comment and len(wanted[name]) == 1 and {value} != wanted[name]:
            yield EXAMPLE, line, f"{name}'s default is {min(wanted[name])!r}, not {value!r}"
    yield from accepted(tree, given, found)


# What an installation has to say itself; the test says it.
FILLED = {"PAYBELL_API_KEYS": "0" * 64, "PAYBELL_JWT_SECRET": "s" * 32, "PAYBELL_TWILIO_SID": "AC" + "0" * 32,
          "PAYBELL_TWILIO_TOKEN": "t", "PAYBELL_TWILIO_FROM": "+15551234567"}


def accepted(tree, given, found):
    """Each program takes the whole example, comments included, as its environment."""
    environment = {"PATH": os.environ["PATH"]}
    for name, (_, value, _) in given.items():
        if value and name != "PAYBELL_TEMPLATES":
            environment[name] = value
    environment.update(FILLED)
    environment["PAYBELL_TEMPLATES"] = os.path.join(tree.root, "templates")
    environment["PAYBELL_FCM_TOKEN"], environment["PAYBELL_FCM_PROJECT"] = "token", "project"
    for name, program in found.items():
        if name == "paybell":
            continue  # the command line: it checks what a command needs
        done = subprocess.run([program, "--check"], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            yield EXAMPLE, 1, f"{name} --check: {(done.stderr or done.stdout).strip()}"


def compose(tree):
    """The compose file is YAML; services, volumes, secrets and settings that it names exist."""
    import yaml  # Debian's python3-yaml; only this check needs it
    if COMPOSE not in tree.files():
        yield COMPOSE, 1, "not there"
        return
    parts = [yaml.safe_load(tree.text(path)) for path in (COMPOSE, OVERLAY) if path in tree.files()]
    document = {key: {name: value for part in parts for name, value in part.get(key, {}).items()}
                for key in ("services", "volumes", "secrets")}
    known = {name for program in programs(tree).values() for name in table(program)}
    for name, service in document["services"].items():
        for text in service_faults(name, service, document, known):
            yield COMPOSE, 1, text


def service_faults(name, service, document, known):
    for other in service.get("depends_on", {}):
        if other not in document["services"]:
            yield f"{name} depends on {other}, which is not there"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if not source.startswith((".", "/")) and source not in document["volumes"]:
            yield f"{name} mounts {source}, which is not declared"
    for secret in service.get("secrets", []):
        if (secret if isinstance(secret, str) else secret["source"]) not in document["secrets"]:
            yield f"{name} wants {secret}, which is not declared"
    for setting in service.get("environment", {}):
        if setting.startswith("PAYBELL_") and known and setting.removesuffix("_FILE") not in known:
            yield f"{name} sets {setting}, which no program has"
