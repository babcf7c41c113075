"""Runs the migrations on the connection that `app.db.upgrade` holds."""

from alembic import context

from app import models
from app.db import Base

_ = models  # imported so that the whole schema is known
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
