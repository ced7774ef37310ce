"""What the task asks for, in its own words: the prompt's, the plan's, and those of the plan's example."""

import re

from cody_worker.guards.finding import GuardRules

_CLAUSE = re.compile(
    r"[.;,:!?](?=\s|$)|\n|\bbut\b|\b(?:and|while)(?=\s+(?:keep|leav|preserv|retain|do not|don't|never))", re.IGNORECASE
)
_STAYS = re.compile(
    r"\b(?:keep|preserv|retain|stays?\b|remain|leav|as (?:it is|they are|is)\b|unchanged|untouched|"
    r"(?:not|never|without|no|n't)\s+(?:\w+\s+){0,3}(?:chang|touch|alter|reformat|modif|restyl|format))",
    re.IGNORECASE,
)


def asks_for(words: re.Pattern[str], rules: GuardRules) -> bool:
    """Whether the prompt or the plan speaks of it, other than to say that it has to stay."""
    clauses = _CLAUSE.split(f"{rules.prompt}\n{rules.plan}")
    return any(words.search(clause) and not _STAYS.search(clause) for clause in clauses)


def spoken(rules: GuardRules) -> str:
    """All that may name what is new."""
    return "\n".join((rules.prompt, rules.plan, *(rules.example or ())))
