"""The web process of the portal."""

from services.portal.http.app import create_app
from services.portal.settings import PortalSettings
from shared.serving import serve


def main() -> None:
    serve(create_app(PortalSettings()), process="portal-web")


if __name__ == "__main__":
    main()
