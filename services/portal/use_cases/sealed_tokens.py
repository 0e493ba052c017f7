"""How tokens lie in a session's row."""

from services.portal.model.browser_session import BrowserSession
from services.portal.model.tokens import Tokens
from shared.sealing import Seals


def keep_tokens(row: BrowserSession, tokens: Tokens, seals: Seals) -> None:
    """Put what the authorization server has given now in place of what it gave before."""

    def sealed(kind: str, token: str) -> str:
        return seals.seal(token.encode(), place=BrowserSession.place(kind, row.id))

    row.sealed_access_token = sealed("access", tokens.access_token)
    row.access_ends_at = tokens.access_ends_at
    row.sealed_refresh_token = sealed("refresh", tokens.refresh_token)
    if tokens.id_token is not None:
        row.sealed_id_token = sealed("id", tokens.id_token)


def access_token_of(row: BrowserSession, seals: Seals) -> str:
    """Read the access token.

    Raises:
        CannotOpen: it was sealed with a key that is gone.
    """
    return _opened(row.sealed_access_token, "access", row, seals)


def refresh_token_of(row: BrowserSession, seals: Seals) -> str:
    """Read the refresh token.

    Raises:
        CannotOpen: it was sealed with a key that is gone.
    """
    return _opened(row.sealed_refresh_token, "refresh", row, seals)


def id_token_of(row: BrowserSession, seals: Seals) -> str:
    """Read the id_token.

    Raises:
        CannotOpen: it was sealed with a key that is gone.
    """
    return _opened(row.sealed_id_token, "id", row, seals)


def _opened(sealed: str, kind: str, row: BrowserSession, seals: Seals) -> str:
    return seals.open(sealed, place=BrowserSession.place(kind, row.id)).decode()
