"""The end of a program whose collector cannot be found."""

import subprocess
import sys

_PROGRAM = """
import socket, threading
from cody_runtime.telemetry import configure_telemetry, get_meter, get_tracer, shut_down_telemetry

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()  # a name server that never answers
configure_telemetry("program", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"})
get_meter("program").create_counter("things").add(1)
with get_tracer("program").start_as_current_span("work"):
    pass
shut_down_telemetry()
print("ended")
"""


def test_a_name_server_that_does_not_answer_keeps_no_program_from_ending() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.returncode) == ("ended\n", 0), ended.stderr
