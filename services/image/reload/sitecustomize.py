"""In the development image only: a container's first Python process stays, and runs the program that it was to be as its child.

The code is copied to where it can be written (RELOAD_INTO, first on PYTHONPATH), and `skaffold dev` copies what changes over it. The
program is then replaced as a rollout would replace it; see reloader.supervisor. The container goes on, so what was synced stays.

Python imports a module of this name by itself (https://docs.python.org/3/library/site.html).
"""

import os

if "RELOAD_FROM" in os.environ:
    from reloader.supervisor import begin

    begin()
