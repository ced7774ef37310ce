"""What a file's syntax says: its language, its tree, and whether an edit broke it."""

from cody_worker.syntax.broken_syntax import broken_syntax
from cody_worker.syntax.languages import Language, language_of

__all__ = ["Language", "broken_syntax", "language_of"]
