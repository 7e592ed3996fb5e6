"""clang-format and clang-tidy; what clang-tidy said is remembered until the content changes."""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess

from structure import INCLUDE

JOBS = 2
FLAGS = ["-std=c17", "-D_GNU_SOURCE", '-DPAYBELL_VERSION="lint"', "-Ilib", "-Iservices", "-Itests/unit",
         "-Itests/bench", "-Itests/fuzz"]


def layout(tree):
    """clang-format has nothing to change."""
    paths = tree.c_files()
    for at in range(0, len(paths), 64):
        out = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths[at:at + 64]], cwd=tree.root,
                             capture_output=True, text=True).stderr
        for path, line in sorted(set(re.findall(r"^(\S+?):(\d+):\d+: error: code should be clang-formatted",
                                                out, re.M)), key=lambda f: (f[0], int(f[1]))):
            yield path, int(line), "clang-format would write this otherwise"


def closure(tree, path):
    """The file and every header of ours that it sees, sorted."""
    known, todo = set(), [path]
    all_files = set(tree.files())
    while todo:
        one = todo.pop()
        if one in known:
            continue
        known.add(one)
        for match in INCLUDE.finditer(tree.code(one)):
            for folder in (os.path.dirname(one), "lib", "services"):
                candidate = os.path.normpath(os.path.join(folder, match[1] or "-"))
                if candidate in all_files:
                    todo.append(candidate)
                    break
    return sorted(known)


def fingerprint(tree, path, salt):
    digest = hashlib.sha256(salt)
    for part in closure(tree, path):
        digest.update(part.encode() + b"\0" + tree.text(part).encode() + b"\0")
    return digest.hexdigest()


def tidy_one(tree, path, marker):
    flags = FLAGS + [f"-I{tree.build}/gen"]
    done = subprocess.run(["clang-tidy", "--quiet", "--warnings-as-errors=*", path, "--", *flags], cwd=tree.root,
                          capture_output=True, text=True)
    found = re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", done.stdout, re.M)
    if done.returncode != 0 and not found:
        return [(path, 1, "clang-tidy failed: " + (done.stderr or done.stdout).strip()[-300:])]
    found = [(os.path.relpath(os.path.join(tree.root, p), tree.root), int(line), text) for p, line, text in found]
    with open(marker + ".new", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(marker + ".new", marker)
    return found


def recall_or_ask(tree, path, marker):
    """What clang-tidy said of the same content, or says now."""
    if not os.path.exists(marker):
        return tidy_one(tree, path, marker)
    with open(marker, encoding="utf-8") as file:
        return json.load(file)


def tidy(tree):
    """clang-tidy has nothing to say; see .clang-tidy for what it is asked."""
    cache = os.path.join(tree.build, "lint", "tidy")
    os.makedirs(cache, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    configs = {os.path.dirname(path): tree.text(path) for path in tree.files(r"(^|/)\.clang-tidy$")}
    work = []
    for path in tree.c_files(r"(lib|services|tests)/"):
        if path.endswith(".c"):
            config = "".join(text for folder, text in configs.items() if folder in ("", os.path.dirname(path)))
            salt = version + config.encode() + repr(FLAGS).encode()
            work.append((path, os.path.join(cache, fingerprint(tree, path, salt))))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        seen = set()  # a header's findings come with each file that includes it
        for found in pool.map(lambda item: recall_or_ask(tree, *item), work):
            for finding in map(tuple, found):
                if finding not in seen:
                    seen.add(finding)
                    yield finding
