"""Starts the web process of the notifications service."""

from services.notifications.http.app import create_app
from services.notifications.settings import NotificationsSettings
from shared.serving import serve


def main() -> None:
    serve(create_app(NotificationsSettings()), process="notifications-web")


if __name__ == "__main__":
    main()
