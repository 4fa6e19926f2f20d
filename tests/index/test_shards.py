import pickle

import pytest

from index.shards import Shard, cut
from tests.conftest import ARTIFACTS, to_catalog


@pytest.mark.parametrize(("size", "expected"), [(1, 4), (3, 2), (100, 1)])
def test_shards_are_the_catalogue_in_order(size: int, expected: int) -> None:
    catalog = to_catalog(ARTIFACTS)
    shards = cut(catalog, size)
    assert len(shards) == expected
    assert [each for own in shards for each in own.artifacts] == [*catalog.values()]
    assert sum(each.size for each in shards) == catalog.capability_count
    again = cut(to_catalog(ARTIFACTS[::-1]), size)
    assert [each.digest for each in again] == [each.digest for each in shards]
    assert len({each.digest for each in shards}) == expected


def test_a_shard_is_the_same_in_another_process() -> None:
    (shard,) = cut(to_catalog(ARTIFACTS))
    received: Shard = pickle.loads(pickle.dumps(shard))
    assert received.digest == shard.digest
    assert received.artifacts == shard.artifacts
