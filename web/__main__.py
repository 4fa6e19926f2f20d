"""The console script; `python -m web` is `instead`."""

import gc

ALLOCATIONS = 200_000
"""New objects from which on the collector walks them. Grammar, tables and libraries
stay for good: to walk them again and again is a fifth of what a start takes."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(ALLOCATIONS, 20, 50)
    from web.cli import main as run  # what it imports is what there is to walk

    run()


if __name__ == "__main__":
    main()
