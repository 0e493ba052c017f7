"""`python -m deploy.demo.providers.mock FILE`: PyPI `oidc-provider-mock`, a port for each city.

It is the careless kind: it checks neither secrets nor PKCE, sends no `iss` with its answer, names
no key in its tokens, and puts every claim into them. The platform has to be safe in spite of it.
The same process answers for the cities' names in the DNS.
"""

import argparse
import signal
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import oidc_provider_mock
from werkzeug.serving import make_server

from deploy.demo.providers.cities import Provider, read_providers
from deploy.demo.providers.records import TEXT_LIMIT, Records, answer_questions
from deploy.embedded.layout import HOST

TOKEN_LIFETIME: Final = timedelta(minutes=5)
RECORDS_PATH: Final = "/records/"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.providers.mock")
    parser.add_argument("file", type=Path, help="what the providers are")
    parser.add_argument("--records", type=Path, required=True, help="where names are kept")
    parser.add_argument("--dns-port", type=int, required=True, help="where they are asked for")
    asked = parser.parse_args(arguments)
    records = Records(asked.records)
    # All ports are taken before the first answers, so whoever is answered can use every city.
    servers = [
        make_server(
            HOST, provider.port, with_more(application_of(provider), records), threaded=True
        )
        for provider in read_providers(asked.file)
        if provider.kind == "mock" and provider.is_own
    ]
    answer_questions(records, (HOST, asked.dns_port))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def application_of(provider: Provider) -> Application:
    """One city's provider; its issuer is whatever host it is asked for."""
    people = [
        oidc_provider_mock.User(
            sub=person.subject,
            claims={"name": person.name, "email": person.email, "email_verified": True},
        )
        for person in provider.people
    ]
    application: Application = oidc_provider_mock.app(
        user_claims=people, access_token_max_age=TOKEN_LIFETIME
    )
    return application


def with_more(application: Application, records: Records) -> Application:
    """Answer the supervisor's questions, and take names, beside the provider's own paths."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if path in ("/livez", "/readyz"):
            start("200 OK", [("Content-Type", "text/plain")])
            return [b"ok\n"]
        if environ["REQUEST_METHOD"] == "PUT" and path.startswith(RECORDS_PATH):
            length = min(int(environ.get("CONTENT_LENGTH") or 0), TEXT_LIMIT + 1)
            text = environ["wsgi.input"].read(length).decode(errors="replace")
            try:
                records.enter(path.removeprefix(RECORDS_PATH), text)
            except ValueError as error:
                start("422 Unprocessable Content", [("Content-Type", "text/plain")])
                return [f"{error}\n".encode()]
            start("204 No Content", [])
            return []
        return application(environ, start)

    return answer


if __name__ == "__main__":
    main()
