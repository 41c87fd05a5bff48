"""Suites from files: read in full, then stored as a version, whoever brings them."""

import asyncio

from services.api.desk import Desk
from shared.db import audit, suites
from shared.db.suites import SuiteVersion
from shared.domain.questions.suite_files import parse_suite


async def import_suite(
    desk: Desk, actor: str, name: str, filename: str, content: bytes
) -> tuple[SuiteVersion, bool]:
    """Store a file as a version of the suite; the flag tells whether it is a new one.

    Raises:
        InvalidInput: anything in the file is wrong, and nothing was stored; the field says where.
    """
    parsed = await asyncio.to_thread(parse_suite, filename, content)
    async with desk.connection() as connection, connection.transaction():
        stored, is_new = await suites.store_suite(connection, name, parsed)
        if is_new:
            facts = {"version": stored.version, "questions": stored.questions, "file": filename}
            await audit.record(connection, actor, "suite.imported", name, facts)
    return stored, is_new
