"""`python -m adapter.cli`: the command line, for a process that starts another one of itself."""

from __future__ import annotations

from adapter.cli.main import main

if __name__ == "__main__":
    main()
