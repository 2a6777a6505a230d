"""Hooks of the documentation's site: pages and links that lie outside of docs/, and pages that may be missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Pages of the site that lie beside docs/.
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
# Found before other pages, where a name is a common word: "file", "destination".
FIRST = ("operators.md", "errors.md")
LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:)([^)#\s]*)(#[^)\s]*)?\)")
FENCES = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)


def existing(nav: list[Any]) -> list[Any]:
    """The navigation without the pages that do not exist, and without sections that are empty then."""
    kept: list[Any] = []
    for entry in nav:
        [(title, target)] = entry.items()
        if isinstance(target, list):
            inner = existing(target)
            kept += [{title: inner}] if inner else []
        elif target in OUTSIDE.values() or (ROOT / "docs" / target).exists():
            kept.append(entry)
    return kept


def source_url() -> str | None:
    """Where the repository can be read, as pyproject.toml says; None while that is a reserved name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    url: str = project.get("urls", {}).get("Source", "")
    return url if url and ".example/" not in url else None


def relinked(text: str, page: str) -> str:
    """A page's text whose links lead to pages of the site, or to the repository.

    Args:
        text: the page's Markdown.
        page: its path from the repository's root, like ``docs/cli.md``.
    """
    url = source_url()

    def new(found: re.Match[str]) -> str:
        label, path, anchor = found[1], found[2], found[3] or ""
        if not path:
            return found[0]
        target = ((ROOT / page).parent / path).resolve()
        if not target.is_relative_to(ROOT):
            return found[0]
        inside = target.relative_to(ROOT).as_posix()
        if inside in OUTSIDE:
            return f"[{label}]({OUTSIDE[inside]}{anchor})"
        if inside == "README.md":
            return f"[{label}](index.md)"
        if inside.startswith("docs/"):
            return f"[{label}]({inside.removeprefix('docs/')}{anchor})"
        return f"[{label}]({url}/blob/main/{inside}{anchor})" if url else label

    pieces = FENCES.split(text)
    return "".join(each if each.startswith("```") else LINK.sub(new, each) for each in pieces)


def escaped(text: str) -> str:
    """A page's text without links by reference, which none of ours has: ``[0]['score']`` of a message would be one."""
    return "".join(each if each.startswith("`") else each.replace("][", "]\\[") for each in CODE.split(text))


def summary(text: str) -> str:
    """The first sentence of a page."""
    prose = [each for each in text.split("\n\n") if re.match(r"[A-Z`*]", each)]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(prose[0].split())) if prose else ""
    return re.split(r"(?<=\.)\s", plain)[0]


def listed(nav: list[Any]) -> str:
    """The pages of a part of the navigation as llms.txt has them: title, address, first sentence."""
    lines = []
    for entry in nav:
        [(title, target)] = entry.items()
        if isinstance(target, list):
            lines += ["", f"## {title}", "", listed(target)]
        else:
            outside = {page: source for source, page in OUTSIDE.items()}
            text = (ROOT / outside.get(target, f"docs/{target}")).read_text()
            lines.append(f"- [{title}]({target.removesuffix('.md')}.html): {summary(text)}")
    return "\n".join(lines)


def on_config(config: Any) -> Any:
    """Leave out of the navigation what does not exist."""
    config.nav = existing(config.nav)
    config.repo_url = source_url()
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie beside docs/, and llms.txt."""
    from mkdocs.structure.files import File

    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    text = f"# {config.site_name}\n\n> {config.site_description}\n\n{listed(config.nav)}\n"
    files.append(File.generated(config, "llms.txt", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let a page's links lead to where they lead on the site."""
    if page.file.src_uri in FIRST:
        page.meta["search"] = {"boost": 4}
    sources = {name: source for source, name in OUTSIDE.items()}
    return escaped(relinked(markdown, sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")))
