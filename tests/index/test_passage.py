from index import passage
from index.artifact import Artifact, Capability
from tests.conftest import to_catalog

CAPABILITY = Capability(
    name="Draw", description="Draws pictures.", intents=("make a logo", "sketch it")
)
ARTIFACT = Artifact(
    slug="a", name="Sketcher", type="app", categories=("image", "web-app"),
    capabilities=(CAPABILITY,),
)  # fmt: skip


def test_a_capability_is_seen_alone_and_as_its_artifacts_own() -> None:
    alone = "Draw: make a logo. sketch it. Draws pictures."
    assert passage.views(ARTIFACT, CAPABILITY) == (alone, f"Sketcher. image. {alone}")


def test_every_capability_has_its_views_and_a_digest_of_them() -> None:
    bare = {"name": "Store", "description": "Stores."}
    catalog = to_catalog(
        [
            {"slug": slug, "name": slug, "type": "app", "capabilities": [bare] * 2}
            for slug in ("a", "b")
        ]
    )
    passages = passage.passages(catalog)
    assert passages == [
        *[("Store: Stores.", "a. Store: Stores.")] * 2,
        *[("Store: Stores.", "b. Store: Stores.")] * 2,
    ]
    digests = passage.digests(passages)
    assert digests[0] == digests[1]
    assert digests[1] != digests[2]
    assert digests.dtype.itemsize == 32
