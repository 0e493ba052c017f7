"""A server that answers every request with what it is; arguments: name, port, and how to behave."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME, PORT, BEHAVIOUR = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/dies") and not self._died_before():
            os._exit(1)
        answer = {
            "service": NAME,
            "pid": os.getpid(),
            "path": self.path,
            "method": self.command,
            "body_bytes": len(body),
            "request_id": self.headers.get("X-Request-Id"),
            "cause": self.headers.get("webhook-cause"),
            "forwarded_for": self.headers.get("X-Forwarded-For"),
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _died_before(self) -> bool:
        """Only the first request in the life of a test kills its server."""
        mark = Path(BEHAVIOUR[0])
        if mark.exists():
            return True
        mark.touch()
        return False

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


if "--fail" in BEHAVIOUR and NAME == "second":
    sys.exit("this stand-in fails on purpose")

if NAME == "third":
    subprocess.Popen(["/bin/sleep", "600"])

ThreadingHTTPServer.allow_reuse_address = True
ThreadingHTTPServer(("127.0.0.1", PORT), Answer).serve_forever()
