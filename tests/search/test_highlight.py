from index.artifact import Capability
from search.highlight import highlights

CAPABILITY = Capability(
    name="Grounded captioning",
    description="Runs anywhere. Captions an image; images have boxes. Images, too.",
)


def test_words_are_found_in_any_inflection() -> None:
    name, description = highlights("grounding captions of images", CAPABILITY)
    assert name.field == "name"
    assert [name.text[start:end] for start, end in name.spans] == [
        "Grounded",
        "captioning",
    ]
    assert description.text == "Captions an image; images have boxes."
    assert [description.text[start:end] for start, end in description.spans] == [
        "Captions",
        "image",
        "images",
    ]


def test_nothing_in_common_highlights_nothing() -> None:
    assert highlights("speech", CAPABILITY) == ()


def test_parts_of_an_identifier_mark_it_once() -> None:
    capability = Capability(name="patch14", description="x")
    (name,) = highlights("patch 14", capability)
    assert name.spans == ((0, 7),)
