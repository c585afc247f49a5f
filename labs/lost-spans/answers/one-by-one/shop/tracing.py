"""A wrong answer: each span is sent before the task may end."""

from celery.signals import task_postrun, task_prerun
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from shop.app import app

COLLECTOR = "http://localhost:8080/v1/traces"

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(COLLECTOR)))
trace.set_tracer_provider(provider)

spans = {}


@task_prerun.connect
def begin(task_id=None, task=None, **kwargs):
    """A task begins."""
    spans[task_id] = trace.get_tracer(__name__).start_span(task.name, attributes={"task.id": task_id})


@task_postrun.connect
def end(task_id=None, **kwargs):
    """It has ended."""
    spans.pop(task_id).end()


@app.task
def work(number):
    """Return twice the number."""
    return 2 * number
