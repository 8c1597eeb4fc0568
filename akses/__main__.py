"""`python -m akses` is the command `akses`."""

from akses.cli import main

main()
