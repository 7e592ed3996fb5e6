"""What the repository must not say: where it was written, rather than what it is."""
import re

from tree import line_of

WORDS = (
    (r"(?<![\w.])/(root|home)/", "a path of somebody's machine"),
    (r"\b(registry|deb|archive|security|proxy|index|static|mirrors?|files)\.[a-z0-9-]+(\.[a-z0-9-]+)*\.?(org|com|io|net)\b",
     "a package registry's host"),
    (r"(?i)\b(issue|ticket)s? *#?\d+\b", "an issue's number: say what it is about"),
    (r"\b(TODO|FIXME|HACK)\b|(?i:\bfor now\b)", "unfinished work: finish it or write it down as a limit"),
)
# These have to name the words.
SKIP = re.compile(r"tests/lint/(words|test_lint)\.py$")
BINARY = re.compile(r"\.(png|jpg|gif|ico|woff2?|db|gz|zip)$")


def words(tree):
    """Paths of a machine, hosts of registries, issue numbers, unfinished work."""
    for path in tree.files():
        if SKIP.search(path) or BINARY.search(path):
            continue
        text = tree.text(path)
        for pattern, why in WORDS:
            for match in re.finditer(pattern, text):
                yield path, line_of(text, match.start()), f"{match[0]!r}: {why}"
