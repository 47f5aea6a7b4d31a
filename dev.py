#!/usr/bin/env python3
"""The project's commands. Needs Python 3.10 or later and nothing else.

python3 dev.py demo [--serve]        a workflow in a real ComfyUI, from prompt to saved PNGs
python3 dev.py test [pytest args]    install what is missing, lint, type-check, run every test
python3 dev.py library               only the library's tests, under this Python: needs no ComfyUI
python3 dev.py check                 only lint and type-check
python3 dev.py bench [args]          the benchmarks
python3 dev.py setup [--group …]     only make .venv and install into it
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(
        "dev.py needs Python 3.10 or later; this is Python %d.%d (%s).\n"
        "Run it with a newer one, for example: python3.11 dev.py" % (sys.version_info[:2] + (sys.executable,))
    )

from devtools.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
