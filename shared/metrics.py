"""Every metric that a process exports, in base units, with labels that stay few."""

from prometheus_client import Counter, Gauge, Histogram, Info, start_http_server

from shared.settings import Settings

# The buckets that OpenTelemetry's GenAI conventions give for `gen_ai.client.operation.duration`.
REQUEST_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

ANSWERS = Counter(
    "driftwarden_answers_total",
    "Pairs closed, by model and outcome: scored, or the reason why there is no score.",
    ["model", "outcome"],
)
REQUEST_DURATION = Histogram(
    "driftwarden_request_duration_seconds",
    "Wall-clock time of one provider call, by model and role (answer or judge).",
    ["model", "role"],
    buckets=REQUEST_SECONDS,
)
TOKENS = Counter("driftwarden_tokens_total", "Tokens as providers report them.", ["model", "type"])
COST = Counter("driftwarden_cost_usd_total", "Money spent, where a price is known.", ["model", "role"])
RETRIES = Counter("driftwarden_retries_total", "Attempts that failed in passing.", ["model", "reason"])
RUNS_CLOSED = Counter("driftwarden_runs_closed_total", "Runs closed, by final state.", ["state"])

INVARIANTS_BROKEN = Gauge(
    "driftwarden_invariants_broken",
    "Runs that break what must hold of every run, by invariant, as last looked at.",
    ["invariant"],
)

HTTP_DURATION = Histogram(
    "driftwarden_http_request_duration_seconds",
    "Time the API took for a request.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BUILD = Info("driftwarden_build", "Version of Driftwarden and of LiteLLM.")


def serve_metrics(settings: Settings) -> int:
    """Serve /metrics of a process that has no HTTP server of its own; return the port that it has."""
    server, _ = start_http_server(settings.metrics_port, settings.host)
    return int(server.server_port)
