"""The edge: one origin for everything, and the only part that clients talk to.

It routes collections to services without changing paths, spreads requests over replicas, hides the
restart of a replica behind retries, and answers in the form of the API when no service can.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from deploy.embedded.child import Program, Stage
from deploy.embedded.layout import HOST, PORTAL, REPOSITORY, CannotStart, write_private
from deploy.embedded.probes import http_probe

# Which service owns which paths: each prefix means itself and everything below it. What is left,
# apart from the rest of these, is pages, and belongs to the portal.
ROUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "members": (
        *("/api/v1/members", "/api/v1/me", "/scim"),
        *("/login", "/logout", "/oauth", "/.well-known"),
    ),
    "projects": (
        *("/api/v1/projects", "/api/v1/participations", "/api/v1/milestones"),
        *("/api/v1/decisions", "/api/v1/handovers", "/api/v1/objectives", "/api/v1/themes"),
        *("/api/v1/calendar", "/api/v1/calendar-feeds", "/calendar-feeds"),
        *("/api/v1/comments", "/api/v1/obligations"),
    ),
    "notifications": (
        *("/api/v1/inbox", "/api/v1/webhook-endpoints"),
        *("/api/v1/events", "/api/v1/event-types"),
    ),
}

API_PAGE: Final = "/api"
NO_PAGES: Final = (API_PAGE, "/metrics")

BODY_LIMIT_BYTES: Final = 1_000_000
HEADER_LIMIT_BYTES: Final = 16_384
RETRY_SECONDS: Final = 4

PAGE: Final = REPOSITORY / "deploy" / "caddy"
OPENAPI: Final = REPOSITORY / "docs" / "openapi.json"

# `unsafe-inline` for styles only: the viewer sets style attributes on what it draws.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

# These use something up that is good for once, such as a code, although they are a GET.
_ONCE: Final = [
    *("/login/*/callback", "/login/*/test/*", "/oauth/authorize"),
    "/session/callback",
]

# Sending these twice changes nothing more than sending them once: by their method (RFC 9110, 9.2.2)
# or because the API keeps the first answer to an idempotency key.
_REPEATABLE: Final = [
    {"method": ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"], "not": [{"path": _ONCE}]},
    {"method": ["POST"], "header": {"Idempotency-Key": ["*"]}},
]

# Same codes and titles as the services use, where they have them (shared/http/problems.py).
_PROBLEMS: Final = {
    400: ("malformed-request", "The request cannot be read"),
    404: ("not-found", "There is nothing at this address"),
    405: ("method-not-allowed", "The address does not know this method"),
    413: ("too-large", "The request is too large"),
    502: ("unavailable", "The service broke the connection"),
    503: ("unavailable", "The service cannot be reached"),
    504: ("unavailable", "The service did not answer in time"),
}
_OUTAGES: Final = (502, 503, 504)

_ANONYMOUS: Final = {
    "handler": "headers",
    "response": {"delete": ["Server", "Via"], "deferred": True},
}


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A server below one directory.

    Attributes:
        upstreams: addresses of the web processes by service.
    """

    directory: Path
    port: int
    upstreams: Mapping[str, Sequence[str]]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def program(self) -> Program:
        """Write the configuration and say how to run it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.directory / "caddy.json"
        write_private(configuration, json.dumps(self._configuration(), indent=2) + "\n")
        alive = http_probe(self.port, "/livez")
        return Program(
            name="edge",
            command=(
                str(Path(sys.executable).with_name("caddy")),
                "run",
                "--config",
                str(configuration),
            ),
            environment={
                "PATH": os.defpath,
                "HOME": str(self.directory),
                "TZ": "UTC",
                "GOMEMLIMIT": "128MiB",
            },
            address=f"{HOST}:{self.port}",
            stage=Stage.EDGE,
            ready=alive,
            alive=alive,
            directory=self.directory,
        )

    def _configuration(self) -> dict[str, Any]:
        return {
            "admin": {"disabled": True, "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "WARN", "exclude": ["admin"]}}},
            "storage": {"module": "file_system", "root": str(self.directory / "storage")},
            "apps": {
                "http": {
                    "grace_period": "5s",
                    "servers": {
                        "edge": {
                            "listen": [f"{HOST}:{self.port}"],
                            "automatic_https": {"disable": True},
                            "protocols": ["h1", "h2c"],
                            "read_header_timeout": "10s",
                            "read_timeout": "30s",
                            "write_timeout": "120s",
                            "idle_timeout": "120s",
                            "max_header_bytes": HEADER_LIMIT_BYTES,
                            "routes": self._routes(),
                            "errors": {"routes": _error_routes()},
                        }
                    },
                }
            },
        }

    def _routes(self) -> list[dict[str, Any]]:
        return [
            {
                "handle": [
                    _ANONYMOUS,
                    {"handler": "request_body", "max_size": BODY_LIMIT_BYTES},
                ]
            },
            {
                "match": [{"not": [{"header": {"X-Request-Id": ["*"]}}]}],
                "handle": [
                    {
                        "handler": "headers",
                        "request": {"set": {"X-Request-Id": ["{http.request.uuid}"]}},
                    }
                ],
            },
            *(
                {
                    "match": [{"path": _paths(ROUTES[service])}],
                    "handle": [_proxy(addresses)],
                    "terminal": True,
                }
                for service, addresses in self.upstreams.items()
                if service != PORTAL
            ),
            *_page_routes(),
            {
                "match": [{"path": ["/livez", "/readyz"]}],
                "handle": [{"handler": "static_response", "status_code": 200, "body": "ok\n"}],
                "terminal": True,
            },
            *self._pages(),
            {"handle": [{"handler": "error", "status_code": 404}]},
        ]

    def _pages(self) -> list[dict[str, Any]]:
        """Leave to the portal what nobody else owns, if there is one."""
        if not self.upstreams.get(PORTAL):
            return []
        return [
            {
                "match": [{"not": [{"path": _paths(NO_PAGES)}]}],
                "handle": [_proxy(self.upstreams[PORTAL])],
                "terminal": True,
            }
        ]


def _paths(prefixes: Sequence[str]) -> list[str]:
    return [path for prefix in prefixes for path in (prefix, f"{prefix}/*")]


def _proxy(addresses: Sequence[str]) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": address} for address in addresses],
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            "try_duration": f"{RETRY_SECONDS}s",
            "try_interval": "100ms",
            "retry_match": _REPEATABLE,
        },
        "health_checks": {
            "active": {
                "uri": "/readyz",
                "interval": "1s",
                "timeout": "2s",
                "fails": 2,
                "passes": 1,
                "expect_status": 2,
            },
            "passive": {"fail_duration": "1s", "max_fails": 1},
        },
        # A request can only be sent again if its body is still there.
        "request_buffers": BODY_LIMIT_BYTES + 1,
        "transport": {
            "protocol": "http",
            "dial_timeout": "1s",
            "response_header_timeout": "30s",
            # Shorter than a service keeps an idle connection, so that the edge closes it first.
            "keep_alive": {"idle_timeout": "15s", "max_idle_conns_per_host": 64},
        },
    }


def _page_routes() -> list[dict[str, Any]]:
    """Serve the API description, the page that shows it, and the viewer's files."""
    page_headers = {
        "handler": "headers",
        "response": {
            "set": {
                "Content-Security-Policy": [_PAGE_POLICY],
                "X-Content-Type-Options": ["nosniff"],
                "Referrer-Policy": ["same-origin"],
                "Cross-Origin-Opener-Policy": ["same-origin"],
                "Cross-Origin-Resource-Policy": ["same-origin"],
                "Cache-Control": ["no-cache"],
            }
        },
    }
    viewer = [f"/assets/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css")]
    return [
        {
            "match": [{"path": paths, "method": ["GET", "HEAD"]}],
            "handle": [
                page_headers,
                {"handler": "rewrite", "strip_path_prefix": prefix},
                {"handler": "encode", "encodings": {"gzip": {}}, "prefer": ["gzip"]},
                {"handler": "file_server", "root": str(root), "index_names": ["index.html"]},
            ],
            "terminal": True,
        }
        for paths, prefix, root in (
            ([API_PAGE], API_PAGE, PAGE),
            (["/assets/api-page.js", "/assets/api-page.css"], "/assets", PAGE),
            (["/openapi.json"], "", OPENAPI.parent),
            (viewer, "/assets", _viewer_files()),
        )
    ]


def _viewer_files() -> Path:
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise CannotStart("The API viewer's package is not installed; start with `./run`.")
    return Path(spec.origin).with_name("static")


def _error_routes() -> list[dict[str, Any]]:
    """Answer what no service answered, in the form every client of the API knows (RFC 9457)."""
    known = [
        {
            "match": [{"expression": f"{{http.error.status_code}} == {status}"}],
            "handle": [_problem(str(status), code, title, retry=status in _OUTAGES)],
            "terminal": True,
        }
        for status, (code, title) in _PROBLEMS.items()
    ]
    other = _problem("{http.error.status_code}", "refused", "The request is refused", retry=False)
    return [
        {"handle": [_ANONYMOUS, {"handler": "vars", "instance": "/"}]},
        {
            # Only a path that means the same inside a JSON string is repeated in one.
            "match": [{"path_regexp": {"pattern": "^[A-Za-z0-9/._~:@-]*$"}}],
            "handle": [{"handler": "vars", "instance": "{http.request.orig_uri.path}"}],
        },
        *known,
        {"handle": [other]},
    ]


def _problem(status: str, code: str, title: str, *, retry: bool) -> dict[str, Any]:
    problem = {
        "type": f"/problems/{code}",
        "title": title,
        "status": "STATUS",
        "detail": f"{title}.",
        "instance": "{http.vars.instance}",
    }
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": {
            "Content-Type": ["application/problem+json"],
            "Cache-Control": ["no-store"],
            "X-Request-Id": ["{http.request.header.X-Request-Id}"],
            **({"Retry-After": ["2"]} if retry else {}),
        },
        "body": json.dumps(problem).replace('"STATUS"', status),
    }
