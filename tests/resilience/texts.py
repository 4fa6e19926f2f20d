"""Texts that people and programs send, the unkind ones above all."""

from hypothesis import strategies as st

SAID = (
    "like Kosmos-2 but", "not", "without", "free", "under $20 a month", "self-hosted",
    "ideally", "at most 4B parameters", "fits in 8 GB", "an MCP server for", "or",
    "image to text", "in German", "MIT or Apache", "instead of Sketcher", "by OpenAI",
    "no Python", "except", "cheaper than", "offline", "captions", "speech", "picture",
)  # fmt: skip

SIGNS = (
    "\0", "\r\n", "\u202e", "\u200d", "\ud83d", "\ufeff", "\U0001f9d1\u200d\U0001f4bb",
    "\u00e9", "\ufb01", "\u00df", "\u0130", "\u0663", "\u00bd", "\u0301", "--", "'\"",
    "<b>", "&amp;", "{{7*7}}", "${x}", "*?~^:", "((((", "]]]]", "\\", "%00", "%s%n",
    "/", "AND OR NOT", "1e309", "-0", "99999999999999999999",
)  # fmt: skip

words = st.sampled_from(SAID) | st.sampled_from(SIGNS) | st.text(max_size=12)

needs = st.lists(words, max_size=40).map(" ".join) | st.text(max_size=600)
"""What may be sent as a need: sentences, signs, and anything at all."""

keys = st.sampled_from([
    "price:free", "deployment:edge", "license:MIT", "not-artifact:kosmos-2",
    "memory:<=8", "parameters:<=4000000000", "languages:de", "type:model", "provider:x",
]) | st.text(max_size=30)  # fmt: skip
"""What may be sent as a constraint's key."""
