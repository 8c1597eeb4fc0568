"""Traces as an operator has them: on PYTHONPATH, as `opentelemetry-instrument` puts itself there, it gives the process a provider.

Every span goes as JSON into the file that TRACES names.
"""

from __future__ import annotations

import os
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
file = Path(os.environ["TRACES"]).open("a", encoding="utf-8")  # noqa: SIM115 (as long as the process)
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=file)))
trace.set_tracer_provider(provider)
