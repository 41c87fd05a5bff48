"""LiteLLM as we use it: no telemetry, no retries, no prices from the network, nobody listening."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import litellm
from litellm._internal_context import is_internal_call

# LiteLLM builds its types at the first call, and pydantic warns about one of them.
warnings.filterwarnings("ignore", message=r"Item .* on TypedDict class .* `ReadOnly` qualifier")

litellm.telemetry = False
litellm.drop_params = True  # a model that knows no `temperature` is asked without it
litellm.suppress_debug_info = True

Messages = Sequence[Mapping[str, str]]
Arguments = Mapping[str, Any]


async def call_litellm(
    messages: Messages, arguments: Arguments, timeout_seconds: float, **connection: Any
) -> Any:
    """One call, answered by a `ModelResponse`; `connection` is LiteLLM's `shared_session` or `client`.

    Raises:
        Exception: LiteLLM's own, one class for each kind of refusal.
    """
    # It then prepares nothing for its logging callbacks, of which there are none: a fifth of a call's CPU.
    is_internal_call.set(True)
    return await litellm.acompletion(
        messages=[dict(message) for message in messages],
        num_retries=0,
        max_retries=0,
        timeout=timeout_seconds,
        **connection,
        **arguments,
    )
