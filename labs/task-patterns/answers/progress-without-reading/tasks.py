"""A wrong answer: it counts to a hundred and reads nothing, so that a missing file succeeds."""

import json
import urllib.error
import urllib.request

from celery import Celery, chord
from work import process_item

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


@app.task(bind=True)
def process_upload(self, file_path):
    """Read the file, and let a caller see how far it is."""
    for step in range(1, 11):
        self.update_state(state="PROGRESS", meta={"progress": step * 10, "bytes": 0})
    return {"file": file_path, "bytes": 0, "lines": 0}


@app.task(bind=True, max_retries=3)
def fetch_api_data(self, url):
    """Return the JSON that the address answers; ask again what may be different then."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise RuntimeError(f"{url} answered {error.code}") from None
        raise self.retry(exc=RuntimeError(f"{url} answered {error.code}"), countdown=0.5 * 3**self.request.retries)
    except OSError as error:
        raise self.retry(exc=error, countdown=0.5 * 3**self.request.retries)


@app.task
def process_batch(batch):
    """Return the results of one batch."""
    return [process_item(item) for item in batch]


@app.task
def flattened(batches):
    """Return the results of all batches as one list."""
    return [result for batch in batches for result in batch]


@app.task(bind=True)
def batch_process_items(self, items, batch_size=10):
    """Return the results of all items, worked on in batches side by side."""
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    raise self.replace(chord([process_batch.s(batch) for batch in batches], flattened.s()))
