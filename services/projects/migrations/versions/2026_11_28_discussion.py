"""Comments, and the history of each project, which the database writes as facts are announced."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What a comment says is read where it stands, so that it is gone everywhere once it was removed.
FILL = """
INSERT INTO activity (
    project_id, position, event_id, type, at, audience, actor, official_id, member,
    subject_kind, subject_id, subject_version, subject_title, subject_member, was, became
)
SELECT
    CAST(about.project_id AS uuid),
    told.position,
    told.event_id,
    written.fact ->> 'type',
    CAST(written.fact ->> 'time' AS timestamptz),
    string_to_array(written.fact ->> 'audience', ' '),
    written.fact ->> 'actor',
    CAST(substring(written.fact ->> 'actor' FROM '^official:(.+)$') AS uuid),
    written.fact ->> 'actormember',
    about.entity,
    CAST(written.fact ->> 'subject' AS uuid),
    CAST(written.fact ->> 'entityversion' AS bigint),
    nullif(coalesce(about.state -> 'title', about.state -> 'subject_title'), 'null'),
    about.state ->> 'member',
    about.previous - about.unsaid,
    CASE WHEN written.fact ->> 'entityversion' = '1' THEN about.state ELSE (
        SELECT coalesce(jsonb_object_agg(key, value), '{{}}')
        FROM jsonb_each(about.state) WHERE about.previous ? key
    ) END - about.unsaid
FROM {told} AS told
CROSS JOIN LATERAL (
    SELECT CAST(convert_from(told.body, 'UTF8') AS jsonb) AS fact
    OFFSET 0  -- or the whole fact is parsed again wherever a part of it is asked for
) AS written
CROSS JOIN LATERAL (
    SELECT
        written.fact #> '{{data,state}}' AS state,
        coalesce(written.fact #> '{{data,previous}}', '{{}}') AS previous,
        split_part(written.fact ->> 'type', '.', 2) AS entity,
        written.fact #>> ARRAY['data', 'state', CASE
            WHEN written.fact ->> 'type' LIKE 'renkei.project.%' THEN 'id' ELSE 'project_id'
        END] AS project_id,
        CASE WHEN written.fact ->> 'type' LIKE 'renkei.comment.%'
            THEN ARRAY['updated_at', 'text', 'mentioned_members', 'mentioned_officials']
            ELSE ARRAY['updated_at']
        END AS unsaid
) AS about
WHERE about.project_id IS NOT NULL
"""

NOTE = """
CREATE FUNCTION note_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{fill};
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_title", postgresql.JSONB(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=True),
        sa.Column("in_reply_to", sa.Uuid(), nullable=True),
        sa.Column("in_reply_to_member", sa.Text(), nullable=True),
        sa.Column("in_reply_to_official_id", sa.Uuid(), nullable=True),
        sa.Column("text", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("mentioned_members", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("mentioned_officials", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edited_by_official_id", sa.Uuid(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by_official_id", sa.Uuid(), nullable=True),
        sa.Column("removed_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_comment_project_id")),
        sa.ForeignKeyConstraint(
            ["in_reply_to"], ["comment.id"], name=op.f("fk_comment_in_reply_to")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    for moment in ("created_at", "updated_at"):
        op.create_index(
            f"ix_comment_subject_id_{moment}_id", "comment", ["subject_id", moment, "id"]
        )
    op.create_table(
        "comment_former_text",
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by_official_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comment.id"], name=op.f("fk_comment_former_text_comment_id")
        ),
        sa.PrimaryKeyConstraint("comment_id", "version", name=op.f("pk_comment_former_text")),
    )
    op.create_table(
        "activity",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("audience", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("official_id", sa.Uuid(), nullable=True),
        sa.Column("member", sa.Text(), nullable=True),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_version", sa.BigInteger(), nullable=False),
        sa.Column("subject_title", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("subject_member", sa.Text(), nullable=True),
        sa.Column("was", postgresql.JSONB(), nullable=False),
        sa.Column("became", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "position", name=op.f("pk_activity")),
    )
    fill_activity()


def fill_activity() -> None:
    """Note what is announced from now on, whichever release announces it, and what has been.

    The trigger locks the outbox first, so that no fact slips between the two.
    """
    op.get_bind().exec_driver_sql(NOTE.format(fill=FILL.format(told="announced")))
    op.execute(
        "CREATE TRIGGER note_activity AFTER INSERT ON outbox"
        " REFERENCING NEW TABLE AS announced"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_activity()"
    )
    for place in ("event_log", "outbox"):
        op.get_bind().exec_driver_sql(FILL.format(told=place))


def downgrade() -> None:
    op.execute("DROP TRIGGER note_activity ON outbox")
    op.execute("DROP FUNCTION note_activity()")
    for table in ("activity", "comment_former_text", "comment"):
        op.drop_table(table)
