"""What cities say to each other about projects, milestones and decisions."""

from collections.abc import Mapping

from deploy.demo.api import CityApi
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.story import Discussion, Remark, Story


class Discussions:
    """Lets each city say its own words.

    Args:
        subjects: ids of milestones and decisions, by project and slug.
    """

    def __init__(
        self,
        apis: Mapping[str, CityApi],
        story: Story,
        record: Record,
        display: Display,
        subjects: Mapping[tuple[str, str], str],
    ) -> None:
        self._apis = apis
        self._story = story
        self._record = record
        self._display = display
        self._subjects = subjects

    async def run(self) -> None:
        await for_each(self._display, "discussions", self._story.discussions, self._discuss)

    async def _discuss(self, discussion: Discussion) -> None:
        path, key = self._place_of(discussion), f"demo:{discussion.project}:comment"
        said = await self._say(discussion, path, key, in_reply_to=None)
        for reply in discussion.replies:
            await self._say(reply, path, f"{key}:{discussion.slug}", in_reply_to=said)

    def _place_of(self, discussion: Discussion) -> str:
        """Where one speaks about what it is about."""
        if discussion.milestone is not None:
            about = self._subjects[discussion.project, discussion.milestone]
            return f"/api/v1/milestones/{about}/comments"
        if discussion.decision is not None:
            about = self._subjects[discussion.project, discussion.decision]
            return f"/api/v1/decisions/{about}/comments"
        return f"/api/v1/projects/{self._record.facts['projects'][discussion.project]}/comments"

    async def _say(self, remark: Remark, path: str, key: str, *, in_reply_to: str | None) -> str:
        """Say something, and make of it what became of it; gives its id."""
        by, key = self._apis[remark.member], f"{key}:{remark.slug}"
        said = await by.post(
            path,
            {
                "text": remark.text,
                "mentioned_members": remark.mentions,
                "in_reply_to": in_reply_to,
            },
            key=key,
        )
        comment = f"/api/v1/comments/{said['id']}"
        if remark.edited_to is not None and (await by.get(comment))["text"] != remark.edited_to:
            await by.patch(comment, {"text": remark.edited_to}, version="*")
        if remark.removed_because is not None:
            reason = {"reason": remark.removed_because}
            await by.post(f"{comment}/removal", reason, key=f"{key}:removal", version="*")
        return str(said["id"])
