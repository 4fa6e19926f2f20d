from hypothesis import given, settings
from hypothesis import strategies as st

from index.artifact import Artifact, Capability
from index.names import TELLING, NameTable

WORDS = ["post", "postgres", "postgresql", "mcp", "pro", "model", "models", "x"]
said = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)


def artifact(name: str, number: int) -> Artifact:
    """Return an artifact whose slug and maker say nothing."""
    draws = Capability(name="Draw", description="Draws.")
    return Artifact(slug=f"{number}", name=name, type="model", capabilities=(draws,))


@settings(max_examples=300, deadline=None)
@given(st.lists(said, min_size=1, max_size=8), said)
def test_names_that_contain_a_text_are_those_read_one_by_one(
    names: list[str], text: str
) -> None:
    table = NameTable.of(artifact(name, i) for i, name in enumerate(names))
    ends = "" if len(text.split()[-1]) >= TELLING else " "
    found = [i for i, name in enumerate(names) if f" {text}{ends}" in f" {name} "]
    assert table.containing(text).tolist() == found
    assert table.containing("?!").tolist() == []
