"""python -m services.simulator --config FILE [--host HOST] [--port PORT]"""

import argparse
import sys
from pathlib import Path

from services.simulator.serving import run
from shared.domain.errors import InvalidInput


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A simulated, OpenAI-compatible provider.")
    parser.add_argument("--config", type=Path, required=True, help="YAML or JSON: the models to play")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="0 picks a free one (default: 9100)")
    arguments = parser.parse_args()
    try:
        run(arguments.config, arguments.host, arguments.port)
    except (InvalidInput, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
