"""The notes' claims, each run once in the smoke profile by whoever asks for it first."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from penchant.claims import NOTES, Claim, Record, run

CLAIMS: Mapping[str, Claim] = {claim.id: claim for section in NOTES for claim in section.claims}


class Smoke(Mapping[str, Record]):
    """Records of the smoke profile, by claim's id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[str, Record] = {}

    def __getitem__(self, id: str) -> Record:
        if id not in self._records:
            (self._records[id],) = run([CLAIMS[id]], self.folder, profile="smoke")
        record = self._records[id]
        if any("transformers" in one.reason for one in record.found.values()):
            pytest.skip("the extra backbones is not installed")
        return record

    def __iter__(self) -> Iterator[str]:
        return iter(CLAIMS)

    def __len__(self) -> int:
        return len(CLAIMS)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    return Smoke(tmp_path_factory.mktemp("claims"))
