"""Settings, composition root and command line: the only place that names adapters."""
