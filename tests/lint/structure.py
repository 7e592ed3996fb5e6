"""How the tree is built: who may include whom, who may call what, and how long a file is."""
import re

from tree import blank, line_of

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)

# What each floor may see besides itself. The picture is in docs/architecture.md.
BELOW = {
    "base": set(),
    "wire": {"base"},
    "io": {"base"},
    "store": {"base", "wire", "io"},
    "app": {"base", "wire", "io", "store"},
    "worker": {"base", "wire", "io", "store", "app"},
}


def floors(tree):
    """Includes go down only; a service never includes another."""
    for path in tree.c_files(r"(lib|services)/"):
        top, floor = path.split("/")[:2]
        for match in INCLUDE.finditer(tree.code(path)):
            included = match[1]
            if included is None:
                continue
            target = included.split("/")[0] if "/" in included else None
            line = line_of(tree.code(path), match.start())
            if target is None and not included.endswith(".inc"):
                yield path, line, f'"{included}" does not say its floor'
            elif top == "lib" and target not in BELOW.get(floor, set()) | {floor, None}:
                yield path, line, f'lib/{floor} must not include "{included}"'
            elif top == "services" and target not in set(BELOW) | {floor, None}:
                yield path, line, f'{floor} must not include "{included}": it is of another service'


# One library, one door. A pattern of headers, and the files that may include them.
DOORS = (
    (r"uv\.h|uv/", r"lib/io/loop\.c"),
    (r"hiredis/", r"lib/io/redis_link\.c"),
    (r"curl/", r"lib/io/(curl_door|exchange|stream)\.c"),
    (r"sqlite3", r"lib/io/db\.c"),
    (r"microhttpd", r"lib/io/http_(thread|response)\.c"),
    (r"jwt\.h", r"lib/io/token\.c"),
    (r"openssl/", r"lib/io/digest\.c"),
    (r"jansson", r"lib/wire/\w+\.c"),
)

# What comes with the C library or the kernel is nobody's door.
SYSTEM = re.compile(r"(sys|arpa|netinet|net|linux)/\w+\.h$|"
                    r"(assert|ctype|dirent|dlfcn|endian|errno|fcntl|float|getopt|grp|inttypes|limits|locale|malloc|math|"
                    r"netdb|poll|pthread|pwd|sched|semaphore|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|"
                    r"stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|unistd|wchar)\.h$")


def doors(tree):
    """A third-party header is included by its one door, and by no header of ours."""
    for path in tree.c_files(r"(lib|services)/"):
        for match in INCLUDE.finditer(tree.code(path)):
            header = match[2]
            if header is None or SYSTEM.match(header):
                continue
            line = line_of(tree.code(path), match.start())
            door = next((d for pattern, d in DOORS if re.match(pattern, header)), None)
            if path.endswith(".h"):
                yield path, line, f"a header of ours includes <{header}>"
            elif door is None:
                yield path, line, f"<{header}> has no door: see DOORS in tests/lint/structure.py"
            elif not re.fullmatch(door, path):
                yield path, line, f"<{header}> is for {door} alone"


BANNED = {
    "strcpy": "use memcpy with a length, or buf", "strcat": "use buf", "strncpy": "it may leave no NUL",
    "stpcpy": "use buf", "sprintf": "use snprintf or buf",
    "vsprintf": "use vsnprintf or buf", "gets": "it has no bound", "strtok": "use strcspn or strtok_r",
    "atoi": "use strtol and look at its end", "atol": "use strtol and look at its end",
    "atoll": "use strtoll and look at its end", "atof": "money is never a double",
    "system": "no shell", "popen": "no shell", "tmpnam": "use mkstemp", "mktemp": "use mkstemp",
    "alloca": "the stack has no bound check", "rand": "use random of lib/base",
    "localtime": "use localtime_r", "gmtime": "use gmtime_r", "asctime": "use strftime", "ctime": "use strftime",
}
LEAVING = {"exit", "_exit", "_Exit", "quick_exit"}
MAY_LEAVE = re.compile(r"lib/app/service\.c$|services/cli/|tests/")
FIXED = re.compile(r"tests/unit/")  # literals into arrays, under AddressSanitizer
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(sorted(set(BANNED) | LEAVING)))


def functions(tree):
    """Calls that have a better name here; only the skeleton and the command line may exit."""
    for path in tree.c_files(r"(lib|services|tests)/"):
        code = tree.code(path)
        for match in CALL.finditer(code):
            name, line = match[1], line_of(code, match.start())
            if name in LEAVING:
                if not MAY_LEAVE.match(path):
                    yield path, line, f"{name}(): return an error instead; only the skeleton and the CLI leave"
            elif not FIXED.match(path):
                yield path, line, f"{name}(): {BANNED[name]}"


LINES_MAX = 500
TEST_LINES_MAX = 1000  # the cases of one module, in one file


def length(tree):
    """A file is one noun: at most 500 lines, and twice that for a module's unit tests."""
    for path in tree.files(r"\.[ch]$"):
        lines = tree.text(path).count("\n")
        most = TEST_LINES_MAX if re.match(r"tests/unit/test_", path) else LINES_MAX
        if lines > most:
            yield path, most, f"{lines} lines, at most {most}: is it two nouns?"


SQL = re.compile(r"\b(INSERT (INTO|OR)|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX|TRIGGER|VIEW)|ALTER TABLE|"
                 r"DROP TABLE|SELECT [\w*(].*\bFROM\b|BEGIN IMMEDIATE|PRAGMA|SAVEPOINT|VACUUM)\b", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*')


def sql(tree):
    """SQL lives in lib/store; the door to SQLite may have its pragmas and its BEGIN."""
    for path in tree.c_files(r"(lib|services)/"):
        if path.startswith("lib/store/") or path == "lib/io/db.c":
            continue
        code = blank(tree.text(path), strings=False)
        for literal in STRING.finditer(code):
            found = SQL.search(re.sub(r'"\s*"', "", literal[0]))
            if found:
                yield path, line_of(code, literal.start()), f"SQL outside lib/store: {found[0][:40]!r}"
