"""The part of Pipeline health about the API's requests and the processes' memory."""

from deploy.grafana import colours
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import SECONDS, SHARE, trend
from deploy.grafana.sources import over_time


def panels() -> list[AnyPanel]:
    return [_requests(), _request_seconds(), _failures(), _memory()]


def _http(what: str, more: str = "", window: str = "$__rate_interval") -> str:
    return f"rate(driftwarden_http_request_duration_seconds_{what}{{{more}}}[{window}])"


def _requests() -> AnyPanel:
    return trend(
        "Requests per second",
        "reqps",
        "Of the API, by status. Prometheus's own scrapes are among them. A gap: the API was not scraped.",
        over_time(f"sum by (status) ({_http('count')})", "{{status}}"),
    )


def _request_seconds() -> AnyPanel:
    return trend(
        "19 of 20 requests took at most",
        SECONDS,
        """The 95th percentile by route, of those that are slowest; read off buckets. Streams of events are
        long by nature. A gap: the route was not asked.""",
        over_time(
            f"topk(8, histogram_quantile(0.95, sum by (le, route) ({_http('bucket')})) > 0)", "{{route}}"
        ),
    )


def _failures() -> AnyPanel:
    failed, all_of_them = f"""sum({_http("count", 'status=~"5.."')})""", f"sum({_http('count')})"
    return trend(
        "Requests that failed",
        SHARE,
        "The share of requests that the API answered with 5xx. A gap: no request.",
        over_time(f"({failed} or 0 * {all_of_them}) / ({all_of_them} > 0)", "5xx"),
        colour=colours.one(colours.DRIFT),
    )


def _memory() -> AnyPanel:
    return trend(
        "Memory",
        "bytes",
        "Resident memory of each process. A gap: the process was not scraped.",
        over_time('process_resident_memory_bytes{job=~"driftwarden-.*"}', "{{job}} {{instance}}"),
    )
