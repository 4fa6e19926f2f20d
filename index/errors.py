"""Every deliberate error of the engine, each message naming the thing and the way out.

EngineError
├── CatalogError            a catalogue is refused, with all its faults
├── EncoderError            the encoder's model cannot be had, or is not what it says
├── NeedError               a need that cannot be searched for
├── JudgementError          judged needs cannot be read, or a run not written
├── UnknownArtifactError    no artifact has this slug
├── EventError              the event log cannot be read or written
├── ComparisonError         there are no two artifacts to compare
├── SettingError            a setting has a value that it cannot have
├── LearningError           the log holds too little to learn from
├── FeedbackError           an outcome of what was not shown, or a faulty line
├── KeyNameError            an API key cannot have this name
├── UnknownKeyError         no API key has this name, or none is the one that was sent
├── GenerationError         a generation cannot be used
│   ├── NoGenerationError       nothing is built yet, or none has this id
│   ├── DamagedError            a file differs from its checksum, is missing or is cut
│   └── MismatchError           of another encoder or another format
├── StoreError              the store of generations is away, or lacks something
├── WorkerError             nobody is left to do the work of a build
├── ClusterError            the Ray cluster, or a shard on it, is not there
└── StorageError            the disk refuses: full, read-only, locked by another build
"""

import re


def told(url: str) -> str:
    """Return an address as messages tell it: without a name and a password in it."""
    return re.sub(r"//[^/@]*@", "//", url)


class EngineError(Exception):
    """Anything the engine refuses deliberately; its text is one clear sentence."""


class CatalogError(EngineError):
    """A catalogue is refused whole; `faults` lists everything wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the faults; the message is one line for each."""
        self.faults = faults
        super().__init__("\n".join(faults))


class EncoderError(EngineError):
    """The encoder's model cannot be had, or its files are not what they claim."""


class NeedError(EngineError):
    """A need that cannot be searched for."""


class JudgementError(EngineError):
    """Judged needs cannot be read, or a run cannot be written."""


class UnknownArtifactError(EngineError):
    """No artifact of the catalogue has this slug."""


class EventError(EngineError):
    """The event log cannot be read or written.

    `away` tells that its database does not answer now, so that it may do so later.
    """

    def __init__(self, message: str, *, away: bool = False) -> None:
        """Say what is wrong."""
        self.away = away
        super().__init__(message)


class ComparisonError(EngineError):
    """There are no two artifacts to compare."""


class SettingError(EngineError):
    """A setting has a value that it cannot have."""


class LearningError(EngineError):
    """The log holds too little to learn from."""


class FeedbackError(EngineError):
    """An outcome of a hit that was never shown, or past needs that have faults."""


class KeyNameError(EngineError):
    """An API key cannot have this name: another has it, or it is none."""


class UnknownKeyError(EngineError):
    """No API key has this name, or the key that was sent is none."""


class GenerationError(EngineError):
    """A generation cannot be used."""


class NoGenerationError(GenerationError):
    """Nothing has been built yet, or no generation has the id asked for."""


class DamagedError(GenerationError):
    """A file of a generation differs from its checksum, is missing or is cut."""


class MismatchError(GenerationError):
    """A generation built by another encoder or another format than asked for."""


class StoreError(EngineError):
    """The store of generations is out of reach, or an object of it is not as it was."""


class WorkerError(EngineError):
    """The processes or the cluster that were to do the work of a build cannot."""


class ClusterError(EngineError):
    """The Ray cluster cannot be joined, or a shard on it cannot be had in time."""


class StorageError(EngineError):
    """The disk refuses: full, read-only, or held by another build."""
