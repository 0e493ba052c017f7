"""The web process of the projects service."""

from services.projects.http.app import create_app
from services.projects.settings import ProjectsSettings
from shared.serving import serve


def main() -> None:
    serve(create_app(ProjectsSettings()), process="projects-web")


if __name__ == "__main__":
    main()
