"""Each check of make lint is shown to fail: a small tree with one deliberate break, and the
same tree without it.
"""
import os
import shutil
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import clang  # noqa: E402
import deploy  # noqa: E402
import state  # noqa: E402
import structure  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLEAN = "int thing_add(int a, int b)\n{\n\treturn a + b;\n}\n"


def tree_of(folder, files):
    for config in (".clang-format", ".clang-tidy"):
        shutil.copy(os.path.join(ROOT, config), folder)
    for path, text in files.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
    return Tree(str(folder), str(folder / "build"))


BREAKS = [
    (structure.floors, "lib/wire/a.c", '#include "io/loop.h"\n'),
    (structure.floors, "lib/io/a.c", '#include "wire/json.h"\n'),
    (structure.floors, "lib/base/a.h", '#include "app/bus.h"\n'),
    (structure.floors, "lib/store/a.c", '#include "worker/lanes.h"\n'),
    (structure.floors, "lib/worker/a.c", '#include "backend/api.h"\n'),
    (structure.floors, "services/push/a.c", '#include "sms/twilio.h"\n'),
    (structure.floors, "lib/base/a.c", '#include "neighbour.h"\n'),
    (structure.doors, "lib/io/redis.c", "#include <uv.h>\n"),
    (structure.doors, "services/push/a.c", "#include <curl/curl.h>\n"),
    (structure.doors, "lib/io/db.h", "#include <sqlite3.h>\n"),
    (structure.doors, "lib/base/a.c", "#include <zlib.h>\n"),
    (structure.functions, "lib/base/a.c", "void f(char *d)\n{\n\tstrcpy(d, \"x\");\n}\n"),
    (structure.functions, "services/push/a.c", "void f(void)\n{\n\texit(1);\n}\n"),
    (structure.functions, "services/cli/a.c", "void f(void)\n{\n\tsystem(\"ls\");\n}\n"),
    (structure.functions, "tests/bench/a.c", "int f(char *t)\n{\n\treturn atoi(t);\n}\n"),
    (structure.length, "lib/base/a.c", "\n" * 501),
    (structure.sql, "services/backend/a.c", 'const char *q = "SELECT id "\n\t"FROM users";\n'),
    (structure.sql, "lib/app/a.c", 'const char *q = "PRAGMA user_version";\n'),
    (words.words, "docs/a.md", "See /home" + "/me.\n"),
    (words.words, "docs/a.md", "Closes issue" + " #12.\n"),
    (words.words, "README.md", "from deb.debian" + ".org\n"),
    (words.words, "lib/base/a.c", "/* TO" + "DO */\n"),
    (clang.layout, "lib/base/a.c", "int  f( void ) { return 0; }\n"),
    (clang.tidy, "lib/base/a.c", "#include <stdlib.h>\nint *f(int n)\n{\n\tint *p = malloc(sizeof(int));\n\t"
                                 "free(p);\n\t*p = n;\n\treturn p;\n}\n"),
]


@pytest.mark.parametrize("check,path,text", BREAKS, ids=[f"{c.__name__}-{i}" for i, (c, _, _) in enumerate(BREAKS)])
def test_a_break_is_found(tmp_path, check, path, text):
    found = list(check(tree_of(tmp_path, {path: text})))
    assert found and found[0][0] == path


ALLOWED = [
    (structure.floors, "lib/worker/a.c", '#include "app/bus.h"\n#include "io/redis.h"\n#include "wire/event.h"\n'),
    (structure.doors, "lib/io/db.c", "#include <sqlite3.h>\n#include <sys/socket.h>\n"),
    (structure.functions, "lib/app/service.c", "void f(void)\n{\n\texit(1);\n}\n"),
    (structure.functions, "lib/base/a.c", "/* not strcpy() */\nconst char *t = \"atoi(x)\";\nint g(struct s *s)\n"
                                          "{\n\treturn s->exit(1) + my_atoi(t);\n}\n"),
    (structure.length, "lib/base/a.c", "\n" * 500),
    (structure.sql, "lib/store/a.c", 'const char *q = "SELECT id FROM users";\n'),
    (structure.sql, "lib/io/a.c", 'const char *q = "SELECT"; /* SELECT x FROM y */\n'),
    (words.words, "docs/a.md", "An SMTP session. The AIM is clear.\n"),
    (clang.layout, "lib/base/a.c", CLEAN),
    (clang.tidy, "lib/base/a.c", CLEAN),
]


@pytest.mark.parametrize("check,path,text", ALLOWED, ids=[f"{c.__name__}-{i}" for i, (c, _, _) in enumerate(ALLOWED)])
def test_what_is_right_is_left_alone(tmp_path, check, path, text):
    assert list(check(tree_of(tmp_path, {path: text}))) == []


def test_clang_tidy_is_asked_once_for_a_content(tmp_path, monkeypatch):
    tree = tree_of(tmp_path, {"lib/base/a.c": '#include "base/a.h"\n' + CLEAN, "lib/base/a.h": "int thing_add(int, int);\n"})
    assert list(clang.tidy(tree)) == []
    asked = []
    monkeypatch.setattr(clang, "tidy_one", lambda tree, path, marker: asked.append(path) or [])
    list(clang.tidy(tree))
    assert asked == []
    changed = tree_of(tmp_path, {"lib/base/a.h": "int thing_add(int, int); /* changed */\n"})
    list(clang.tidy(changed))
    assert asked == ["lib/base/a.c"]


STATEFUL = "static int count;\nint thing_next(void)\n{\n\treturn ++count;\n}\n"


def compiled(tmp_path, text, allow=""):
    tree = tree_of(tmp_path, {"lib/base/a.c": text, "tests/lint/state.allow": allow})
    os.makedirs(tmp_path / "build" / "lib" / "base")
    subprocess.run(["gcc", "-O2", "-fPIE", "-c", "-o", tmp_path / "build/lib/base/a.o", tmp_path / "lib/base/a.c"], check=True)
    return list(state.state(tree))


@pytest.mark.parametrize("text,symbol", [
    (STATEFUL, "count"),
    ("int thing_next(void)\n{\n\tstatic int inner = 4;\n\treturn ++inner;\n}\n", "inner"),
    ("int visible;\n", "visible"),
    ("static const char *name = \"a\";\nvoid thing_set(const char *n)\n{\n\tname = n;\n}\n"
     "const char *thing_get(void)\n{\n\treturn name;\n}\n", "name"),
])
def test_file_scope_state_is_found(tmp_path, text, symbol):
    assert [f"{symbol} is" in finding[2] for finding in compiled(tmp_path, text)] == [True]


@pytest.mark.parametrize("text", [
    "static const int table[] = {1, 2, 3};\nint thing_at(int i)\n{\n\treturn table[i];\n}\n",
    "static const char *const words[] = {\"a\", \"b\"};\nconst char *thing_at(int i)\n{\n\treturn words[i];\n}\n",
    "struct metric {\n\tlong n;\n};\nstatic struct metric one,\n\ttwo_total;\n"
    "long thing_add(void)\n{\n\treturn ++one.n + ++two_total.n;\n}\n",
])
def test_constants_and_counters_are_no_state(tmp_path, text):
    assert compiled(tmp_path, text) == []


def test_a_reason_allows_state_and_a_stale_one_is_found(tmp_path):
    assert compiled(tmp_path, STATEFUL, "lib/base/a.c:count counts for the test\n") == []
    os.rename(tmp_path / "build", tmp_path / "old")
    assert "not there any more" in compiled(tmp_path, CLEAN, "lib/base/a.c:count counts for the test\n")[0][2]


UNIT = "[Unit]\nDescription=A thing\n\n[Service]\nType=notify\nExecStart=/usr/bin/thing\n"
PROGRAM = """#!/bin/sh
[ "$1" = --help ] && printf '  --thing  PAYBELL_THING  5s  1s to 1h\\n      A thing.\\n' && exit 0
[ "$PAYBELL_THING" = 5s ] || { echo "PAYBELL_THING: no" >&2; exit 2; }
"""


def with_program(tmp_path, files):
    program = tmp_path / "build" / "bin" / "paybell-thing"
    os.makedirs(program.parent)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (program.parent / "thing").write_text("#!/bin/sh\n")
    (program.parent / "thing").chmod(0o755)
    return tree_of(tmp_path, files)


def test_a_unit_with_a_misspelt_word_is_found(tmp_path):
    path = "deploy/systemd/thing.service"
    assert list(deploy.units(with_program(tmp_path, {path: UNIT}))) == []
    assert list(deploy.units(tree_of(tmp_path, {path: UNIT + "Restrat=always\n"})))
    assert list(deploy.units(tree_of(tmp_path, {path: UNIT.replace("bin/thing", "bin/nothing")})))


@pytest.mark.parametrize("text,why", [
    ("", "is missing"), ("#PAYBELL_THING=6s\n", "default is '5s'"), ("#PAYBELL_THING=5s\n#PAYBELL_OTHER=1\n", "no program has"),
    ("PAYBELL_THING=7s\n", "--check"),
])
def test_an_example_of_the_settings_that_is_wrong_is_found(tmp_path, text, why):
    tree = with_program(tmp_path, {deploy.EXAMPLE: text})
    assert any(why in finding[2] for finding in deploy.settings(tree))


def test_an_example_of_the_settings_that_is_right_is_left_alone(tmp_path):
    assert list(deploy.settings(with_program(tmp_path, {deploy.EXAMPLE: "# A thing.\n#PAYBELL_THING=5s\n"}))) == []


@pytest.mark.parametrize("service,why", [
    ("{depends_on: {db: {condition: service_started}}}", "depends on db"), ("{volumes: ['data:/x']}", "mounts data"),
    ("{secrets: [key]}", "wants key"), ("{environment: {PAYBELL_THNG: 1}}", "sets PAYBELL_THNG"),
])
def test_a_compose_file_that_names_what_is_not_there_is_found(tmp_path, service, why):
    tree = with_program(tmp_path, {deploy.COMPOSE: f"services:\n  thing: {service}\n"})
    assert any(why in finding[2] for finding in deploy.compose(tree))
