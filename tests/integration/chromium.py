"""A headless Chromium (Debian's package) for the tests, and the small site that its pages come from."""
import http.server
import os
import threading

import pytest

from npm import PLAYWRIGHT, Script, folder_of

PROGRAM = "/usr/bin/chromium"
PATIENCE_S = 60  # a browser is a lot to start on a busy machine


class Site:
    """Serves some files on a port of its own, for as long as it is open: {path: (content type, bytes)}."""

    def __init__(self):
        files = self.files = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, content = files.get(self.path.split("?")[0], ("text/plain", None))
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.other_origin = f"http://localhost:{self.port}"  # the same pages, from somewhere else
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def add(self, path, kind, content):
        self.files[path] = (f"{kind}; charset=utf-8", content.encode())

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Browser(Script):
    """tests/browser/chromium.js."""

    def __init__(self):
        if not os.path.exists(PROGRAM):
            pytest.skip(f"Debian's package chromium is not installed ({PROGRAM})")
        super().__init__(folder_of(PLAYWRIGHT), "chromium.js", PROGRAM)
        self.asked = 0
        self.happened = []  # in the page that was opened last
        self.next("ready", within_s=PATIENCE_S)

    def _ask(self, name, *arguments):
        self.asked += 1
        self.tell(name, self.asked, *arguments)
        while True:
            line = self.lines.get(timeout=PATIENCE_S)
            if line[0] not in ("answer", "failed"):
                self.happened.append(line)
                continue
            assert line[:2] == ["answer", self.asked], line
            return line[2]

    def open(self, url):
        self.happened = []
        self._ask("open", url)

    def run(self, expression):
        return self._ask("run", expression)

    def click(self, selector):
        self._ask("click", selector)

    def heard(self, kind):
        """What happened of this kind since the page was opened."""
        self.run("0")  # behind whatever had happened
        return [line[1:] if len(line) > 2 else line[1] for line in self.happened if line[0] == kind]
