"""What is counted while serving, for Prometheus."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from index.errors import EngineError
from search import stopwatch
from search.engine import Engine
from search.history import History
from web.follower import Follower
from web.openapi import describes

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Seconds; a need takes about a hundredth."""

FINE = (0.00005, 0.0001, 0.00025, 0.0005, *BUCKETS[:-2])
"""Of the parts of an answer, some of which take less than a thousandth."""


def blueprint(
    app: Flask,
    engine: Callable[[], Engine],
    history: History,
    follower: Follower | None = None,
) -> Blueprint:
    """Return what tells the counts of `app`, and count from now on."""
    registry = CollectorRegistry()
    registry.register(_Known(engine, history, follower))
    latency = Histogram(
        "instead_request_seconds", "Time to answer a request.",
        ["endpoint", "method"], buckets=BUCKETS, registry=registry,
    )  # fmt: skip
    part = Histogram(
        "instead_part_seconds",
        "Time for each part of an answer: reading, encoding, each leg by its name, "
        "fusion, the votes of the past, explanation, logging, rendering.",
        ["part"], buckets=FINE, registry=registry,
    )  # fmt: skip
    requests = Counter(
        "instead_requests", "Requests by how they ended.",
        ["endpoint", "method", "status"], registry=registry,
    )  # fmt: skip
    answers = Counter(
        "instead_answers", "Needs answered: met, unmet, or degraded to words alone.",
        ["outcome"], registry=registry,
    )  # fmt: skip
    errors = Counter(
        "instead_errors", "Requests that ended in an error, by its status.",
        ["status"], registry=registry,
    )  # fmt: skip

    @app.before_request
    def begun() -> None:
        """Time the parts of this answer."""
        g.times = stopwatch.start()

    @app.after_request
    def counted(response: Response) -> Response:
        """Count a request; of an address that does not exist nothing is kept."""
        endpoint = request.url_rule.rule if request.url_rule else "none"
        status = str(response.status_code)
        seconds = time.perf_counter() - g.started
        latency.labels(endpoint, request.method).observe(seconds)
        requests.labels(endpoint, request.method, status).inc()
        for name, taken in g.get("times", {}).items():
            part.labels(name).observe(taken)
        if "answer" in g:
            answers.labels(g.answer).inc()
        if response.status_code >= 400:
            errors.labels(status).inc()
        return response

    told = Blueprint("metrics", __name__)

    @told.get("/metrics")
    @describes("text/plain")
    def metrics() -> Response:
        """Tell Prometheus what is counted."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return told


class _Known(Collector):
    """What the engine and the log know already, read when it is asked for."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        history: History,
        follower: Follower | None,
    ) -> None:
        self._engine = engine
        self._history = history
        self._follower = follower

    def collect(self) -> Iterator[Metric]:
        """Yield the generation, its age and size, and the events logged, as known."""
        with suppress(EngineError):
            yield from self._generation()
        with suppress(EngineError):
            logged = self._history.logged()
            text = "Events logged: hits shown, and what came of them."
            yield CounterMetricFamily("instead_events_logged", text, logged)

        yield from self._log()
        if self._follower:
            up = 0 if self._follower.away else 1
            text = "Whether the store of generations gave what it names, 1 or 0."
            yield GaugeMetricFamily("instead_store_up", text, up)

    def _log(self) -> Iterator[Metric]:
        up = 0 if self._history.away else 1
        text = "Whether the event log could be read and written the last time, 1 or 0."
        yield GaugeMetricFamily("instead_log_up", text, up)
        text = "Events that wait for the log."
        yield GaugeMetricFamily("instead_events_waiting", text, self._history.waiting)
        text = "Events lost: too many waited for the log, or it refused them."
        yield CounterMetricFamily("instead_events_dropped", text, self._history.dropped)

    def _generation(self) -> Iterator[Metric]:
        manifest = self._engine().generation.manifest
        named = {"id": manifest.id, "encoder": manifest.encoder["name"]}
        yield InfoMetricFamily("instead_generation", "What answers.", named)
        age = datetime.now(UTC) - datetime.fromisoformat(manifest.created)
        yield GaugeMetricFamily(
            "instead_generation_age_seconds", "Since it was built.", age.total_seconds()
        )
        for each in ("artifacts", "capabilities"):
            count = manifest.counts[each]
            yield GaugeMetricFamily(f"instead_{each}", "In the generation.", count)
