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


def test_passages_are_all_first_views_before_all_second() -> None:
    bare = {"name": "Store", "description": "Stores."}
    catalog = to_catalog(
        [
            {"slug": slug, "name": slug, "type": "app", "capabilities": [bare]}
            for slug in ("a", "b")
        ]
    )
    texts = passage.passages(catalog)
    assert texts == ["Store: Stores."] * 2 + ["a. Store: Stores.", "b. Store: Stores."]
    digests = passage.digests(texts)
    assert digests[0] == digests[1]
    assert digests[2] != digests[3]
    assert digests.dtype.itemsize == 32
