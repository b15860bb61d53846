"""What Alembic runs for a command: the revisions, on the connection that `migrating` hands over."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["version_table"])
context.run_migrations()
