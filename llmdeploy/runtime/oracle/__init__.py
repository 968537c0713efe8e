"""Asking an engine that is installed here what it thinks of its command line: `validate --with-engine`."""
