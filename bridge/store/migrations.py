"""The author's migrations: which of them are still to be applied, and whether the applied ones are what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Applied(NamedTuple):
    """A migration that is noted as applied. `digest` is of its script."""

    number: int
    name: str
    digest: str


class Migration(NamedTuple):
    """A file of the author's: `name` is the file's, and its number says when its turn is."""

    number: int
    name: str
    script: str
    digest: str

    @property
    def applied(self) -> Applied:
        """As it is noted."""
        return Applied(self.number, self.name, self.digest)


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What is still to be applied, in order; both are sorted by their numbers."""
    last = max((done.number for done in applied), default=-1)
    return [migration for migration in migrations if migration.number > last]


def differences(migrations: Sequence[Migration], applied: Sequence[Applied]) -> Iterator[str]:
    """Why the files do not go on where the database is."""
    files = {migration.number: migration for migration in migrations}
    for done in applied:
        file = files.pop(done.number, None)
        if file is None:
            yield f"{done.name} was applied to this database, and is missing: put the file back"
        elif file.digest != done.digest:
            yield (
                f"{file.name} changed after it was applied to this database: "
                "put it back, and write the change into a new file"
            )
    last = max(applied, default=None)
    for file in files.values():
        if last is not None and file.number < last.number:
            yield f"{file.name} comes before {last.name}, which was applied already: give it a higher number"
