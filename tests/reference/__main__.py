"""Write the pages."""

from tests.reference.pages import PAGES

for page in PAGES:
    page.PATH.write_text(page.rendered())
