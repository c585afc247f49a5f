"""The worker for computing. It consumes the queue to which `cpu_intensive` is routed, and no other."""

import tuning

from app.tasks import app

app.conf.update(tuning.optimize_for_cpu_intensive())
