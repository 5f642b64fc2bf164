"""The web face: metrics, health and JSON over HTTP."""
