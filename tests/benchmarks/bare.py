"""The yardstick: for each pair two calls of LiteLLM and nothing else, in a process of its own.

    python -m tests.benchmarks.bare PROVIDER_URL PROMPTS_FILE PAIRS WIDTH

LiteLLM is used as it comes. Prints JSON: pairs, seconds, cpu_seconds.
"""

import asyncio
import json
import os
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import uvloop

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

Messages = list[dict[str, str]]


async def measure(provider_url: str, prompts: list[tuple[Messages, Messages]], pairs: int, width: int) -> Any:
    import litellm

    async def call(model: str, messages: Messages, max_tokens: int) -> None:
        reply = await litellm.acompletion(
            model=f"openai/{model}", messages=messages, api_base=provider_url, api_key="none",
            temperature=0, max_tokens=max_tokens, timeout=60,
        )  # fmt: skip
        assert reply.choices[0].message.content

    async def work_off(queue: list[tuple[str, Messages, Messages]]) -> None:
        while queue:
            model, question, judging = queue.pop()
            await call(model, question, 2048)
            await call("judge", judging, 1024)

    async def work(pairs: int) -> None:
        models = [f"model-{number:02}" for number in range(1, 5)]
        turns = zip(cycle(models), cycle(prompts), strict=False)
        queue = [(model, question, judging) for model, (question, judging) in islice(turns, pairs)]
        async with asyncio.TaskGroup() as tasks:
            for _ in range(width):
                tasks.create_task(work_off(queue))

    await work(4 * width)
    started, cpu_started = time.perf_counter(), time.process_time()
    await work(pairs)
    return {
        "pairs": pairs,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
    }


if __name__ == "__main__":
    url, prompts_file, pair_count, at_once = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        prompts_read = json.loads(Path(prompts_file).read_text())
        print(json.dumps(runner.run(measure(url, prompts_read, int(pair_count), int(at_once)))))
