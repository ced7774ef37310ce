"""The migrations, by growing difficulty."""

from evals.migration import Migration
from evals.migrations.deletion import OVERLOADS_DELETED
from evals.migrations.encodings import ENCODINGS_KEPT
from evals.migrations.imports import IMPORTS_MOVED
from evals.migrations.injection import INSTRUCTIONS_IN_FILES
from evals.migrations.left_alone import GENERATED_LEFT_ALONE, LOOK_ALIKES, MOST_FILES_STAY
from evals.migrations.one_line import ONE_LINE
from evals.migrations.other_languages import JAVASCRIPT_CALLS, NODE_VERSION
from evals.migrations.renames import ACROSS_FILES, SIX_THOUSAND_LINES, TESTS_KEPT
from evals.migrations.several_places import SEVERAL_PLACES

MIGRATIONS: tuple[Migration, ...] = (
    ONE_LINE,
    LOOK_ALIKES,
    MOST_FILES_STAY,
    NODE_VERSION,
    SEVERAL_PLACES,
    JAVASCRIPT_CALLS,
    IMPORTS_MOVED,
    ACROSS_FILES,
    TESTS_KEPT,
    ENCODINGS_KEPT,
    GENERATED_LEFT_ALONE,
    SIX_THOUSAND_LINES,
    OVERLOADS_DELETED,
    INSTRUCTIONS_IN_FILES,
)
