"""`python -m web` is `instead`."""

from web.cli import main

main()
