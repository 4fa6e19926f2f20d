from pathlib import Path

import pytest

from index import disk


@pytest.mark.parametrize("before", [None, "as it was"])
def test_a_file_whose_folder_cannot_be_synced_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    path = tmp_path / "file"
    if before:
        path.write_text(before)
    real = disk.sync

    def sync(synced: Path) -> None:
        if synced == tmp_path:
            raise OSError(5, "Input/output error")
        real(synced)

    monkeypatch.setattr(disk, "sync", sync)
    with pytest.raises(OSError, match="Input/output error"):
        disk.replace(path, "new")
    assert (path.read_text() if path.exists() else None) == before


def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in ("one", "two"):
        disk.replace(path, content, mode=0o600)
        assert path.read_text() == content
    assert [*tmp_path.iterdir()] == [path]
    assert path.stat().st_mode & 0o777 == 0o600
