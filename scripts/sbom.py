"""Puts a CycloneDX document into the wheel, as PEP 770 says: `.dist-info/sboms/airflow-provider-batchdl.cdx.json`.

The wheel holds no code of anybody else's, so the document lists what an installer adds to it: each direct dependency,
with the range that is asked for, and the extra that asks. Which versions get installed is another environment's SBOM.

The same sources make the same bytes: the serial number derives from name and version, the time is SOURCE_DATE_EPOCH, or
hatchling's constant without one.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.utils import get_reproducible_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packaging.requirements import Requirement

FILE = "airflow-provider-batchdl.cdx.json"
PREFIX = "airflow-provider-batchdl"  # of the properties' names


class SbomHook(BuildHookInterface[Any]):
    """Write the document before the wheel is packed, and remove it afterwards."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the document to what is built, unless it is an editable install, which ships nothing."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        path = Path(self._folder.name, FILE)
        path.write_text(rendered(self._bom()), encoding="utf-8")
        path.chmod(0o644)
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the document, which is in the wheel by now."""
        if version != "editable":
            self._folder.cleanup()

    def _bom(self) -> Bom:
        from cyclonedx.model.bom import Bom

        core = self.metadata.core
        package = component(core.raw_name, self.metadata.version, core.license_expression)
        required = [*requirements(core.dependencies_complex)]
        for extra, asked in core.optional_dependencies_complex.items():
            required += [*requirements(asked, extra)]
        bom = Bom(components=required, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, str(package.purl)))
        bom.metadata.timestamp = datetime.fromtimestamp(get_reproducible_timestamp(), UTC)
        bom.metadata.component = package
        bom.register_dependency(package, required)
        return bom


def component(name: str, version: str | None, licence: str = "") -> Component:
    """Build one component of PyPI's, with its licence where it is known."""
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import LicenseExpression
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=name, version=version)
    licences = [LicenseExpression(licence)] if licence else []
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl), licenses=licences
    )


def requirements(asked: dict[str, Requirement], extra: str | None = None) -> Iterator[Component]:
    """Build a component for each requirement; those of an extra are optional."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import ComponentScope

    for requirement in asked.values():
        if requirement.name == PREFIX:  # an extra that is made of the others
            continue
        found = component(requirement.name, None)
        found.scope = ComponentScope.OPTIONAL if extra else ComponentScope.REQUIRED
        found.properties.add(Property(name=f"{PREFIX}:requires", value=str(requirement)))
        if extra:
            found.bom_ref.value = f"{found.purl}#{extra}"
            found.properties.add(Property(name=f"{PREFIX}:extra", value=extra))
        yield found


def rendered(bom: Bom) -> str:
    """Return the document as JSON, valid by CycloneDX 1.6's schema."""
    from cyclonedx.output.json import JsonV1Dot6

    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return text + "\n"
