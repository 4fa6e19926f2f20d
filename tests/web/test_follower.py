import logging
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from index.builder import build
from index.catalog import Catalog
from index.errors import SettingError
from index.home import Home
from index.store import Store
from tests.conftest import HashingEncoder
from web.follower import Follower
from web.settings import Settings


def test_a_home_follows_its_store(
    built: Home,
    settings: Settings,
    catalog: Catalog,
    encoder: HashingEncoder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "web.follower")
    store, home = Store(str(tmp_path / "store")), Home(tmp_path / "other")
    shared = replace(settings, home=home.path, store=store.url)

    def said() -> list[str]:
        return [each.getMessage() for each in caplog.records]

    with closing(Follower(shared, look_every_s=0.01)) as follower:
        assert follower.look() and follower.away and not said()
        follower.start()
        time.sleep(0.1)
        (warning,) = said()
        assert warning.endswith("; serving what is here meanwhile")
        store.push(built)
        deadline = time.monotonic() + 20
        while len(said()) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert said()[1:] == [
            "pulled generation=000001",
            f"the store {store.url} is there again",
        ]
        assert home.current() == "000001"
        build(catalog, encoder, built)
        store.push(built)
        while home.current() != "000002":
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_what_has_no_store_follows_none(settings: Settings) -> None:
    with pytest.raises(SettingError, match="INSTEAD_STORE"):
        Follower(settings)
