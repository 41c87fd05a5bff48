"""/callback-secret: what callbacks of runs are signed with."""

from typing import Any

from fastapi import APIRouter

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import CONFLICTING, KEYED
from services.api.routes.channels import require_vault
from services.api.schemas import channels as schemas
from shared.db import audit
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1/callback-secret", tags=["channels"], responses=KEYED)


@router.get("", response_model=schemas.Secret, dependencies=[needs(Scope.ADMIN)], responses=CONFLICTING)
async def show_callback_secret(desk: AtDesk, actor: Actor) -> Any:
    """Show what the callbacks of all runs are signed with: hand it to those who receive them.

    It follows from DRIFTWARDEN_SECRET_KEY and changes with it.
    """
    secret = require_vault(desk).callback_secret()
    async with desk.connection() as connection:
        await audit.record(connection, actor, "callback_secret.shown", "callback-secret", {})
    return {"secret": secret, "former_secret_until": None}
