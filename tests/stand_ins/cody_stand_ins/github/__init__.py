"""A stand-in for GitHub: REST, a little GraphQL, webhooks, and git over HTTP on real repositories in a folder.
`python -m cody_stand_ins.github --folder F` starts it and prints its URL."""

from cody_stand_ins.github.faults import Fault, FaultKind
from cody_stand_ins.github.log import Logged, Stats
from cody_stand_ins.github.process import GitHubStandIn, github_stand_in
from cody_stand_ins.github.stage import Run
from cody_stand_ins.github.webhooks import Delivery

__all__ = ["Delivery", "Fault", "FaultKind", "GitHubStandIn", "Logged", "Run", "Stats", "github_stand_in"]
