"""What Claude is shown of a file: all of it, or windows around the places that matter."""

from cody_worker.windows.choose_view import first_view
from cody_worker.windows.smaller_views import smaller_views
from cody_worker.windows.view import View, unfold

__all__ = ["View", "first_view", "smaller_views", "unfold"]
