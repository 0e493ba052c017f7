"""Sessions of browsers, and when we believe the authorization server."""

from services.portal.model import browser_session, heard_logout

TABLES = (browser_session.BrowserSession, heard_logout.HeardLogout)
