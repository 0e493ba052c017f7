"""The cities' entries in the DNS: TXT records that prove whose a mail domain is.

In life each city enters them with its registrar. Here whoever may speak to this machine does, with
`PUT /records/NAME`, as the loader of the demo for each city.
"""

import threading
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

LIFETIME_SECONDS = 5
TEXT_LIMIT = 255


class Records:
    """Texts by name, kept in a directory, so that they outlive a restart.

    Args:
        place: holds a file for each name.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir(mode=0o700, parents=True, exist_ok=True)

    def enter(self, name: str, text: str) -> None:
        """Let a name have this text.

        Raises:
            ValueError: it is no name, or no text that a record can hold.
        """
        if not 0 < len(text) <= TEXT_LIMIT or not text.isascii() or '"' in text:
            raise ValueError("a record holds up to 255 plain characters")
        self._file(name).write_text(text)

    def answer(self, question: bytes) -> bytes:
        """Answer a question of the DNS; what is not here does not exist.

        Raises:
            DNSException: it is no question.
        """
        asked = dns.message.from_wire(question)
        answer = dns.message.make_response(asked)
        for each in asked.question:
            text = self._text(each.name.to_text(omit_final_dot=True))
            if text is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif each.rdtype == dns.rdatatype.TXT:
                answer.answer.append(
                    dns.rrset.from_text(each.name, LIFETIME_SECONDS, "IN", "TXT", f'"{text}"')
                )
        return answer.to_wire()

    def _text(self, name: str) -> str | None:
        try:
            return self._file(name).read_text()
        except (FileNotFoundError, ValueError):
            return None

    def _file(self, name: str) -> Path:
        plain = name.lower()
        if not plain.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ValueError("that is no name")
        return self._place / plain


def answer_questions(records: Records, address: tuple[str, int]) -> None:
    """Answer at an address, by UDP, as long as the process lives."""

    class Answering(BaseRequestHandler):
        def handle(self) -> None:
            question, socket = self.request
            try:
                answer = records.answer(question)
            except dns.exception.DNSException:
                return
            reply: Any = socket.sendto
            reply(answer, self.client_address)

    server = ThreadingUDPServer(address, Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
