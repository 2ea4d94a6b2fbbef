"""What gunicorn serves: `wsgi:app`."""

import os
import tempfile

# Metrics are summed over the processes through files; the library decides so when it is first imported.
if int(os.environ.get("WEB_CONCURRENCY") or 1) > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="sentinel-metrics-"))

from app.factory import create_app

app = create_app()
