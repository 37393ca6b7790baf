"""Runs the command line: python -m upload_response."""

from ._command.main import main

raise SystemExit(main())
