"""What the checks look at: the files of the repository, and C without its comments.

A check is a function of a Tree that yields findings; a finding is (path, line, text).
"""
import os
import re
import subprocess


class Tree:
    def __init__(self, root, build=None):
        self.root = root
        self.build = build  # where the objects are, for the checks that read them
        self._texts = {}
        self._codes = {}

    def files(self, pattern=r""):
        """Paths below the root that git knows or would add; a plain folder is walked."""
        if not hasattr(self, "_files"):
            self._files = sorted(self._list())
        return [path for path in self._files if re.search(pattern, path)]

    def _list(self):
        if os.path.isdir(os.path.join(self.root, ".git")):
            out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                 cwd=self.root, check=True, capture_output=True).stdout
            return [p for p in out.decode().split("\0") if p and os.path.isfile(os.path.join(self.root, p))]
        return [os.path.relpath(os.path.join(folder, name), self.root)
                for folder, _, names in os.walk(self.root) for name in names]

    def c_files(self, below=r""):
        return [path for path in self.files(r"\.[ch]$") if re.match(below, path)]

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), "rb") as file:
                self._texts[path] = file.read().decode("utf-8", "replace")
        return self._texts[path]

    def code(self, path):
        """The text with comments and the insides of strings blanked; lines stay where they are."""
        if path not in self._codes:
            self._codes[path] = blank(self.text(path), strings=True)
        return self._codes[path]


TOKEN = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


def blank(text, strings):
    """Comments become spaces; with `strings` so do literals, except in #include lines."""
    def hide(match):
        token = match[0]
        if token[0] in "\"'":
            line_start = text.rfind("\n", 0, match.start()) + 1
            if not strings or text[line_start:match.start()].lstrip().startswith("#"):
                return token
            return token[0] + " " * (len(token) - 2) + token[-1]
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(hide, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
