"""python -m upload_response."""

from ._command import main

raise SystemExit(main())
