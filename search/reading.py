"""Reading a need: topic, constraints, exclusions and anchors, without a model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from index.catalog import Catalog
from index.claims import UNKNOWN, Claims
from index.errors import NeedError
from index.grammar import Grammar, Mention, grammar
from index.slots import Token, tokens
from search.constraint import Constraint, Mode
from search.names import NAME_WORDS, Names
from search.need import Anchor

WORDS = 48
"""Words of a need that are read for constraints; the rest of a longer one is topic."""

CHECKED = 0.5
"""Share of the artifacts from which on facts alone decide a constraint."""

SOFT_REACH = 4
"""Words between "ideally" and what it softens."""

PHRASE_WORDS = 4

ANCHORS, CONSTRAINTS = 6, 24
"""How many of each are read of one need: each costs a look at the whole catalogue, and
no sentence that is meant has as many."""

DENYING = re.compile(
    r"^(not|non|no|other than|anything|except|excluding|avoid|but not)"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A need taken apart; spans are of the text that was read."""

    topic: str
    sought: str
    constraints: tuple[Constraint, ...]
    anchors: tuple[Anchor, ...]


class Reader:
    """Reads needs with one catalogue's names in mind."""

    def __init__(self, catalog: Catalog, claims: Claims, names: Names) -> None:
        """Read with the `names` of `catalog` and what its `claims` can check."""
        self._catalog = catalog
        self._claims = claims
        self.names = names
        self.grammar: Grammar = grammar()

    def knows(self, word: str) -> bool:
        """Return whether the grammar has `word`: no misspelling then."""
        return self.grammar.knows(word)

    def read(self, text: str, modes: Mapping[str, Mode] | None = None) -> Reading:
        """Return what `text` asks for; all of it is topic if it is a name.

        `modes` flips constraints by key; one that `text` does not say is added, and
        the words of one that is switched off belong to the topic. Raises NeedError
        for a key that is no constraint.
        """
        words = tokens(text)[:WORDS]
        if not words or self.names.is_name(text):
            read = Reading(text, text, (), ())
        else:
            read = _Pass(self, text, words, modes or {}).read()
        said = {each.key for each in read.constraints}
        added = [
            self._added(key, mode)
            for key, mode in (modes or {}).items()
            if key not in said
        ]
        return replace(read, constraints=(*read.constraints, *added))

    def _added(self, key: str, mode: Mode) -> Constraint:
        """Return the constraint of a key that stands in no text."""
        field, _, value = key.partition(":")
        name = field.removeprefix("not-")
        excluded = name != field
        constraint = Constraint(name, value, mode, "", 0, 0, None, excluded)
        if name == "topic" and excluded and value.strip():
            return constraint
        if name == "artifact" and excluded:
            found = self._catalog.names.called(value)
            return replace(constraint, positions=tuple(found.tolist()))
        if name == "provider":
            _, made = self.names.maker(tokens(value), 0)
            if made:
                return replace(constraint, positions=tuple(made))
        rule = self.grammar.rule(name, value)
        if rule is None:
            raise NeedError(
                f"{key!r} is no constraint; write one as an answer's need shows its key"
            )
        return replace(constraint, rule=replace(rule, negated=excluded))

    def can_check(self, constraint: Constraint) -> bool:
        """Return whether most artifacts are known to satisfy or violate it."""
        statuses = constraint.check(self._claims)
        return float((statuses != UNKNOWN).mean()) >= CHECKED


class _Pass:
    """One reading of one text."""

    def __init__(
        self,
        reader: Reader,
        text: str,
        words: list[Token],
        modes: Mapping[str, Mode],
    ) -> None:
        self._reader = reader
        self._modes = modes
        self._grammar = reader.grammar
        self._names = reader.names
        self._text = text
        self._words = words
        self._gone = [False] * len(words)
        self._unchecked = [False] * len(words)
        self._taken = [False] * len(words)
        self._constraints: list[Constraint] = []
        self._anchors: list[Anchor] = []
        self._soft = (0, 0)  # the last words that make what follows a wish

    def read(self) -> Reading:
        at = self._opening()
        while at < len(self._words) and not self._is_full():
            at = max(self._step(at), at + 1)
        self._leading()
        # What is unknown can still be looked for by its name.
        names = [each.name for each in self._anchors if not each.positions]
        topic, sought = (
            self._with(names, self._rest(dropped))
            for dropped in (self._gone, self._sought())
        )
        return Reading(topic, sought, tuple(self._constraints), tuple(self._anchors))

    def _is_full(self) -> bool:
        """Return whether as much is read as counts; what else is said is topic."""
        return len(self._anchors) >= ANCHORS or len(self._constraints) >= CONSTRAINTS

    def _with(self, names: list[str], rest: str) -> str:
        """Return a topic: the names and the rest, never nothing."""
        text = " ".join(filter(None, [*names, rest]))
        if re.search(r"[^\W_]", text):
            return text
        return " ".join(each.name for each in self._anchors) or self._text

    def _sought(self) -> list[bool]:
        pairs = zip(self._gone, self._unchecked, strict=True)
        return [gone and not unchecked for gone, unchecked in pairs]

    def _step(self, at: int) -> int:
        grammar, words = self._grammar, self._words
        end = self._anchor(at)
        if end > at:
            return end
        mentions = grammar.mentions(words, at)
        if mentions and mentions[0].rule:
            for each in mentions:
                self._take(each)
            # Words that stay may say more: "python framework" is two constraints.
            return (
                at + 1
                if mentions[0].keep and not mentions[0].denied
                else mentions[-1].last
            )
        soft = grammar.ends("soft_after", words, at)
        if soft > at and self._soften(at, soft):
            return soft
        soft = grammar.ends("soft_before", words, at)
        if soft > at and not words[at].joined:
            self._soft = at, soft
            return soft
        if mentions and mentions[0].denied:
            return self._deny(mentions[0])
        if mentions:
            return mentions[0].last
        return self._made(at)

    def _thing(self, at: int) -> tuple[int, list[int]]:
        return self._names.thing(self._text, self._words, at)

    def _is_after(self, word: Token) -> bool:
        """Return whether `word` says that an anchor stands before it."""
        joined = word.joined and self._is("suffixes", word)
        return joined or self._is("alternatives", word)

    def _is(self, kind: str, word: Token) -> bool:
        return word.word in self._grammar.words[kind]

    def _said(self, first: int, last: int) -> str:
        """Return words `first` to `last` (not included) as the text has them."""
        text = self._text[self._words[first].start : self._words[last - 1].end]
        return re.sub(r"['\u2019]s$", "", text.casefold())

    # -- constraints ------------------------------------------------------------

    def _take(self, mention: Mention) -> None:
        rule = mention.rule
        assert rule
        mode: Mode = "prefer" if mention.mode == "prefer" else "must"
        first, last = self._soft
        between = self._words[last : mention.first]
        pause = any(not each.word[0].isalnum() for each in between)
        if last and len(between) < SOFT_REACH and not pause:
            mode = "prefer"
            self._drop(first, last)
            self._soft = mention.last, mention.last
        constraint = self._constraint(
            rule.name, rule.value, mode, mention.first, mention.last
        )
        constraint = replace(constraint, rule=rule, excluded=mention.denied)
        keep = mention.keep and not mention.denied
        self._add(constraint, mention.first, mention.last, keep=keep)

    def _add(
        self, constraint: Constraint, first: int, last: int, *, keep: bool = False
    ) -> None:
        """Take a constraint; its words leave the topic unless it is switched off."""
        mode = self._modes.get(constraint.key, constraint.mode)
        self._taken[first:last] = [True] * (last - first)
        if not keep and mode != "off":
            self._drop(first, last)
        if constraint.key in {each.key for each in self._constraints}:
            return
        self._constraints.append(replace(constraint, mode=mode))
        if not constraint.excluded and not self._reader.can_check(constraint):
            self._unchecked[first:last] = [True] * (last - first)

    def _constraint(
        self, name: str, value: str, mode: Mode, first: int, last: int
    ) -> Constraint:
        start, end = self._words[first].start, self._words[last - 1].end
        return Constraint(name, value, mode, self._text[start:end], start, end)

    def _soften(self, at: int, end: int) -> bool:
        """Take "if possible" as said of the constraint just before it, if one is."""
        if end < len(self._words) and not self._is("pauses", self._words[end]):
            return False
        for number, each in reversed(list(enumerate(self._constraints))):
            between = [w for w in self._words[:at] if w.start >= each.end]
            if len(between) <= SOFT_REACH - 1:
                mode = self._modes.get(each.key, "prefer")
                self._constraints[number] = replace(each, mode=mode)
                self._drop(at, end)
                return True
            break
        return False

    def _made(self, at: int) -> int:
        """Take "by Mistral", and "from Mistral" after what somebody makes."""
        words = self._words
        start = self._grammar.ends("makers", words, at)
        if start == at:
            return at
        made = at and (self._is("made", words[at - 1]) or self._taken[at - 1])
        end, positions = self._names.maker(words, start)
        if end == start or (words[at].word == "from" and not made):
            return at
        value = self._said(start, end)
        each = self._constraint("provider", value, "must", at, end)
        self._add(replace(each, positions=tuple(positions)), at, end)
        return end

    # -- exclusions -------------------------------------------------------------

    def _deny(self, mention: Mention) -> int:
        """Take a negation of what the grammar does not know: a name, or a phrase."""
        words = self._words
        at = mention.last
        joined = any(each.joined for each in words[mention.first + 1 : at + 1])
        if joined and words[mention.first].word != "non":
            return mention.first  # no-show, without-replacement
        said = " ".join(each.word for each in words[mention.first : at])
        end, taken = at, mention.first
        while at < len(words):
            named = self._named(at, said)
            if named is None:
                break
            name, end, positions = named
            value = self._said(at, end)
            positions = [*positions, *self._names.mentioning(value)]
            each = self._constraint(name, value, "must", taken, end)
            each = replace(each, excluded=True, positions=tuple(positions))
            self._add(each, taken, end)
            at = end
            while at < len(words) and words[at].word in {"or", "nor", ",", "/"}:
                at += 1
            if at in {end, len(words)}:
                break
            at = self._grammar.filled(words, at)
            said_next = self._grammar.mentions(words, at) if at < len(words) else []
            if said_next and said_next[0].rule:
                break  # "other than qwen, 32b" denies no size
            taken = at
        if taken != mention.first or end > mention.last:
            return end
        return self._phrase(mention, said)

    def _named(self, at: int, said: str) -> tuple[str, int, list[int]] | None:
        if at >= len(self._words) or self._is("stops", self._words[at]):
            return None
        end, positions = self._thing(at)
        if end == at + 1 and self._words[at - 1].word in {"a", "an"}:
            return None  # "an llm" is any, even where one is called LLM
        made, makers = self._names.maker(self._words, at)
        owned = re.search(r"\b(by|from|owned|tied)\b", said)
        name = self._said(at, end) if end > at else ""
        own_name = any(self._names.is_own(name, each) for each in positions)
        if made > at and (made > end or owned or (made == end and not own_name)):
            return "provider", made, sorted({*makers, *positions})
        alone = end == at + 1 and not self._names.is_strange(self._words[at].word)
        if alone and not self._ends(end):
            return None  # "can never find what" denies nothing called Find
        if end > at:
            own = makers if made == end else []
            return "artifact", end, sorted({*positions, *own})
        return None

    def _ends(self, at: int) -> bool:
        """Return whether a name that ends before word `at` stands for itself."""
        words = self._words
        return at >= len(words) or self._is("stops", words[at])

    def _phrase(self, mention: Mention, said: str) -> int:
        """Take "not a diffusion model" as excluding what is one."""
        words = self._words
        article = words[mention.last - 1].word in {"a", "an"}
        before = words[mention.first - 1] if mention.first else None
        if said == "not" and not article and before and self._is("verbs", before):
            return mention.first
        strict = said.startswith("no") and not said.startswith(("not", "non", "none"))
        end = mention.last
        while (
            end < len(words)
            and end - mention.last < PHRASE_WORDS
            and (not self._is("stops", words[end]) or self._goes_on(mention.last, end))
        ):
            end += 1
        phrase = words[mention.last : end]
        if not phrase or not any(each.word.isalpha() for each in phrase):
            return mention.first
        known = all(self._names.is_said(each.word) for each in phrase)
        beside = words[mention.first - 1 : mention.first]
        follows = words[end : end + 1]
        strict = (
            strict
            and all(self._is("pauses", each) or each.word == "with" for each in beside)
            and all(
                self._is("pauses", each) or each.word == "please" for each in follows
            )
        )
        if said == "non" and (self._names.is_said("non") or len(phrase) > 1):
            return mention.first  # non-profit is what the catalogue itself says
        plain = (
            said.startswith(("without", "minus", "sans"))
            and known
            and not phrase[0].word.endswith("ing")
            and not self._is("manners", phrase[-1])
        )
        strange = len(phrase) == 1 and self._names.is_strange(phrase[0].word)
        if not (
            article
            or plain
            or (
                DENYING.match(said)
                and (strict or strange or self._is_kind(phrase, said))
            )
        ):
            return mention.first
        others = [*words[: mention.first], *words[end:]]
        if {each.word for each in phrase} <= {each.word for each in others}:
            return mention.first  # toxic or non-toxic
        value = self._said(mention.last, end)
        named = strange and not (known or article or plain or said == "non")
        name = "artifact" if named else "topic"
        constraint = self._constraint(name, value, "must", mention.first, end)
        self._add(replace(constraint, excluded=True), mention.first, end)
        return end

    def _goes_on(self, first: int, at: int) -> bool:
        """Return whether "and" or "as" at word `at` ties a phrase: drag and drop."""
        word = self._words[at].word
        return first < at < len(self._words) - 1 and word in {"and", "as"}

    def _is_kind(self, phrase: Sequence[Token], said: str) -> bool:
        return said in {"non", "other than", "anything but", "except", "excluding"} or (
            len(phrase) <= 2
            and self._names.is_kind(
                [each.word for each in phrase if not self._is("generic", each)]
            )
        )

    # -- anchors ----------------------------------------------------------------

    def _opening(self) -> int:
        """Take a name at the beginning that is followed by "but"."""
        words = self._words
        for at, each in enumerate(words[: NAME_WORDS + 1]):
            if each.word != "but" or at == 0:
                continue
            last = at - 1 if words[at - 1].word == "," else at
            end, positions = self._thing(0)
            strange = last == 1 and self._names.is_strange(words[0].word)
            if last and (end == last or strange):
                self._anchored(0, 0, last, positions if end == last else [])
                self._drop(last, at + 1)
                return at + 1
        return 0

    def _anchor(self, at: int) -> int:
        words = self._words
        if words[at].joined:
            return at
        for kind in ("anchors", "likenesses"):
            start = self._grammar.ends(kind, words, at)
            if at < start < len(words):
                return self._led(at, start, strong=kind == "anchors")
        return self._followed(at)

    def _led(self, at: int, start: int, *, strong: bool) -> int:
        words = self._words
        while start < len(words) and words[start].word in {"the", "plain", "vanilla"}:
            start += 1
        end, positions = self._thing(start)
        if end > start and (strong or self._namely(start, end)):
            self._anchored(at, start, end, positions)
            return self._others(end)
        if (
            start >= len(words)
            or words[start].word in {"a", "an"}
            or self._is("stops", words[start])
        ):
            return at
        end = start
        while (
            end < len(words)
            and end - start < PHRASE_WORDS
            and not self._is("stops", words[end])
        ):
            end += 1
        strange = end == start + 1 and self._names.is_strange(words[start].word)
        opens = at == 0 and end < len(words) and words[end].word in {"but", ","}
        if end > start and (strong or strange or opens):
            self._anchored(at, start, end, [])
            return self._swallow(end)
        return at

    def _namely(self, start: int, end: int) -> bool:
        """Return whether a known name after a weak lead is one: more than a word."""
        words = self._words[start:end]
        if len(words) > 1 or self._names.is_strange(words[0].word):
            return True
        following = self._words[end].word if end < len(self._words) else ""
        return following in {"", "but", ",", "that", "and", "which", "?", "for", "with"}

    def _followed(self, at: int) -> int:
        """Take the name before "alternative"."""
        words = self._words
        ahead = words[at + 1 : at + NAME_WORDS + 1]
        idle = self._is_after(words[at]) or self._is("stops", words[at])
        if idle or not any(map(self._is_after, ahead)):
            return at
        end, positions = self._thing(at)
        strange = self._names.is_strange(words[at].word)
        if end == at and strange:
            end = at + 1
        tied = end < len(words) and words[end].joined
        if tied and not strange and not self._names.is_name(self._said(at, end)):
            return at  # a character-like artwork is like no artifact
        if (
            at < end < len(words)
            and self._is_after(words[end])
            and words[at].word.isalnum()
        ):
            following = words[end + 1].word if end + 1 < len(words) else ""
            if following not in {"to", "of"}:
                self._anchored(at, at, end, positions)
                self._drop(end, end + 1)
                return end + 1
        return at

    def _others(self, end: int) -> int:
        """Take further names: instead of LangChain or LangGraph."""
        words = self._words
        ties = {"or", "and", "/", ","}
        while end + 1 < len(words) and words[end].word in ties and not self._is_full():
            further, positions = self._thing(end + 1)
            if further == end + 1:
                break
            self._anchored(end, end + 1, further, positions)
            end = further
        return self._swallow(end)

    def _swallow(self, end: int) -> int:
        """Drop what only ends the phrase of an anchor: "replace X with something"."""
        for tail in ("with something", "with"):
            words = tail.split()
            if [each.word for each in self._words[end : end + len(words)]] == words:
                self._drop(end, end + len(words))
                return end + len(words)
        return end

    def _anchored(
        self, first: int, start: int, end: int, positions: Sequence[int]
    ) -> None:
        words = self._words
        place = words[first].start, words[end - 1].end
        text = self._text[place[0] : place[1]]
        name = self._said(start, end)
        self._anchors.append(self._names.anchor(name, text, *place, positions))
        self._drop(first, end)

    def _leading(self) -> None:
        """Take "open source X", where X is a name, and all or a clause of its own."""
        left = [at for at, gone in enumerate(self._gone) if not gone]
        denied = any(each.excluded for each in self._constraints)
        if self._anchors or denied or not left or left[0] == 0:
            return
        words, first = self._words, left[0]
        if self._is("glue", words[first]) or words[first - 1].word == ",":
            return
        end, positions = self._thing(first)
        word = words[first].word
        if end == first and self._names.is_strange(word):
            end += not self._names.is_kind([word])
        if end > first and (
            end == len(words) or self._gone[end] or self._is("stops", words[end])
        ):
            self._anchored(first, first, end, positions)

    # -- the topic --------------------------------------------------------------

    def _drop(self, first: int, last: int) -> None:
        self._taken[first:last] = [True] * (last - first)
        self._gone[first:last] = [True] * (last - first)

    def _rest(self, dropped: list[bool]) -> str:
        """Return what is left, without the words that tied the rest to it."""
        gone = list(dropped)
        for at in range(len(gone)):
            if not dropped[at]:
                continue
            before = at - 1
            while before >= 0 and not gone[before] and self._is_glue(before):
                gone[before] = True
                before -= 1
        kept = [at for at, each in enumerate(gone) if not each]
        while (
            kept and gone[: kept[0]] and any(gone[: kept[0]]) and self._loose(kept[0])
        ):
            kept.pop(0)
        while kept and any(gone[kept[-1] :]) and self._is_glue(kept[-1]):
            kept.pop()
        return re.sub(
            r"\s+([,;.!?])", r"\1", " ".join(filter(None, self._runs(kept)))
        ).strip(" ,;")

    def _is_glue(self, at: int) -> bool:
        word = self._words[at].word
        return word in self._grammar.words["glue"] or word in {",", ";", "("}

    def _loose(self, at: int) -> bool:
        return self._words[at].word in {
            "and", "but", ",", ";", "that", "which", "or", ".", ")", "with", "?", "!",
        }  # fmt: skip

    def _runs(self, kept: list[int]) -> Iterator[str]:
        start = 0
        for place in range(1, len(kept) + 1):
            if place == len(kept) or kept[place] != kept[place - 1] + 1:
                first, last = self._words[kept[start]], self._words[kept[place - 1]]
                yield self._text[first.start : last.end]
                start = place
        yield self._text[self._words[-1].end :].strip()
