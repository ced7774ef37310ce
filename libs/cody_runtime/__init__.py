"""How a process starts, reports and stops: settings, logs, telemetry, shutdown, forking, waiting for dependencies."""
