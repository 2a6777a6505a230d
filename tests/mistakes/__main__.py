"""Write docs/mistakes.md."""

from tests.mistakes.page import PATH, rendered

PATH.write_text(rendered())
