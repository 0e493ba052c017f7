"""The web process of the members service."""

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from shared.serving import serve


def main() -> None:
    serve(create_app(MembersSettings()), process="members-web")


if __name__ == "__main__":
    main()
