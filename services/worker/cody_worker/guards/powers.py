"""The powers over a machine, and what is around it, that code can have; and how a task speaks of them."""

import re
from collections.abc import Mapping
from enum import StrEnum


class Power(StrEnum):
    """In the words of a message."""

    PROGRAMS = "runs other programs"
    EVALUATION = "runs text as code"
    NETWORK = "opens connections"
    OBJECTS = "makes objects out of data that may hold code"
    CREDENTIALS = "reads credentials"
    DESTRUCTION = "deletes what it did not make"


Dangers = Mapping[Power, re.Pattern[str]]
"""A match is the name of what is called, and so is its group `name` where it has one."""

ASKED_FOR: Dangers = {
    Power.PROGRAMS: re.compile(
        r"sub.?process|child.process|\bshell\b|external (?:command|program|process|tool)|"
        r"(?:run|execut|spawn|invok|launch|call)\w* (?:\w+ ){0,3}(?:command|program|process|binar|executable|script)",
        re.IGNORECASE,
    ),
    Power.EVALUATION: re.compile(r"\beval|\bexec\b|dynamic(?:ally)? (?:code|evaluat|import|load)", re.IGNORECASE),
    Power.NETWORK: re.compile(
        r"\bhttps?\b|\bsockets?\b|\bnetwork|\bdownload|\bupload|webhook|\brequests?\b|\burls?\b|\bapi calls?\b|\bfetch",
        re.IGNORECASE,
    ),
    Power.OBJECTS: re.compile(r"pickl|deseriali[sz]|unseriali[sz]|marshal|\byaml\b", re.IGNORECASE),
    Power.CREDENTIALS: re.compile(
        r"environment|\benv\b|env.?vars?\b|\bsecrets?\b|credential|api.?keys?\b|passwords?\b", re.IGNORECASE
    ),
    Power.DESTRUCTION: re.compile(
        r"(?:delet|remov|eras|wip|purg|clean)\w* (?:(?!from|in|of|at)\w+ ){0,3}"
        r"(?:files?|director\w+|folders?|trees?|caches?|temp\w*|tables?)\b|\brm -|rmtree|unlink|truncat|drop table",
        re.IGNORECASE,
    ),
}
"""How a task speaks of it without a name."""
