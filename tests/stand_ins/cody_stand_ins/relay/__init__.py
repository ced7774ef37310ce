"""A relay in front of an emulator of AWS, which makes trouble: calls are throttled, answers are lost."""

from cody_stand_ins.relay.process import Relay, relay_to
from cody_stand_ins.relay.server import Trouble

__all__ = ["Relay", "Trouble", "relay_to"]
