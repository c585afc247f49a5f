"""Three patterns: progress, retries, batches."""

import json
import os
import urllib.error
import urllib.request

from celery import Celery, chord
from work import process_item

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


@app.task(bind=True)
def process_upload(self, file_path):
    """Read the file, and let a caller see how far it is."""
    size = os.path.getsize(file_path)
    read = lines = reported = 0
    with open(file_path, "rb") as file:
        for line in file:
            read += len(line)
            lines += 1
            while read * 10 >= size * (reported + 1):
                reported += 1
                self.update_state(state="PROGRESS", meta={"progress": reported * 10, "bytes": read})
    return {"file": file_path, "bytes": read, "lines": lines}


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
