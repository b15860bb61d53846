"""`gatewayz demo`: the main job on an empty data directory, with a crash in the middle."""

from infra.demo.evidence import Report
from infra.demo.run import DemoFailed, DemoOptions, Narrator, run_demo

__all__ = ["DemoFailed", "DemoOptions", "Narrator", "Report", "run_demo"]
