"""The worker for everything else. It consumes every queue that your routes name, but for the one of `cpu_intensive`."""

import tuning

from app.tasks import app

app.conf.update(tuning.optimize_for_io_intensive())
