"""What the base model reads: facts in several wordings, unlabelled chains, comparisons, drafts, some direct answers.

It never reads a teacher's response, nor any question that `questions` can ask: those are what the phases teach.
"""

import random

from ratchet_trainer.tiny.english import COMMON_WORDS
from ratchet_trainer.tiny.questions import Asked, Kind, pool, rehearsed
from ratchet_trainer.tiny.templates import ANALYSIS, DIRECT_PROMPT, DRAFT, DRAFT_PROMPT, FINAL
from ratchet_trainer.tiny.world import (
    LIVES,
    PEOPLE,
    RELATIONS,
    SUBJECTS,
    fact,
    holds,
    property_fact,
)

DRAFT_RIGHT = 0.55
VERDICT_RIGHT = 0.9
_KINDS: tuple[Kind, ...] = ("known", "bridge", "same", "same")
_WORDS = COMMON_WORDS.split()


def _statement(rng: random.Random) -> str:
    """One person's fact, told or asked for."""
    person, relation = rng.choice(PEOPLE), rng.choice(RELATIONS)
    told = fact(person, relation)
    find = SUBJECTS[relation].find.format(person=person)
    return rng.choice((told, f"{find} {told}", f"Question: {find}\nAnswer: {LIVES[person, relation]}"))


def _word(verdict: bool) -> str:
    return "Yes" if verdict else "No"


def _checked(rng: random.Random) -> tuple[list[str], str, bool]:
    """Facts, a check on them, and its true outcome; the two outcomes come about equally often."""
    relation, first = rng.choice(RELATIONS), rng.choice(PEOPLE)
    subject, value, at = SUBJECTS[relation], LIVES[first, relation], rng.random()
    if at < 0.12:
        index = rng.randrange(len(subject.properties))
        return [property_fact(relation, index, value)], subject.properties[index].check, holds(relation, index, value)
    if at < 0.32:
        index = rng.randrange(len(subject.properties))
        told, check = property_fact(relation, index, value), subject.properties[index].check
        return [fact(first, relation), told], check, holds(relation, index, value)
    others = [other for other in PEOPLE if other != first]
    if rng.random() < 0.45:
        others = [other for other in others if LIVES[other, relation] == value]
    second = rng.choice(others)
    verdict = LIVES[second, relation] == value
    return [fact(first, relation), fact(second, relation)], "Is #1 the same as #2?", verdict


def _numbered(lines: list[str]) -> str:
    return "\n".join(f"{at}. {line}" for at, line in enumerate(lines, 1))


def _comparison(rng: random.Random) -> str:
    """Two values beside each other, the same in half of the cases, and whether they are."""
    one, two = rng.choices(SUBJECTS[rng.choice(RELATIONS)].values, k=2)
    if rng.random() < 0.45:
        two = one
    return f"{one} {two} Is #1 the same as #2? {_word(one == two)}."


def _exercise(rng: random.Random) -> str:
    """Facts and a check on them: no report, and no question that they might answer."""
    told, check, verdict = _checked(rng)
    return f"{' '.join(told)} {check} {_word(verdict)}."


def _ending(rng: random.Random) -> str:
    """The second half of a report, without its question; its verdict is often wrong, so it teaches little but form."""
    told, check, truth = _checked(rng)
    word = _word(truth if rng.random() < VERDICT_RIGHT else not truth)
    return f"## Step-by-Step Reasoning\n{_numbered([*told, f'{check} {word}.'])}{FINAL.format(answer=word.upper())}"


def _unlabelled(rng: random.Random, asked: Asked) -> str:
    """A question and its facts without a conclusion: bare notes, or the first half of a report."""
    row = asked.row
    if rng.random() < 0.4:
        return f"Question: {row['question']}\nNotes\n{_numbered(row['facts'])}"
    word = rng.random() < 0.5
    draft = f"Question: {row['question']}\nStudent: {draft_text(asked, word)}"
    return f"{draft}\nReport\n{ANALYSIS.format(answer=_word(word))}## Step-by-Step Reasoning\n{_numbered(row['facts'])}"


def _english(rng: random.Random) -> str:
    return " ".join(rng.sample(_WORDS, 8))


def _property(rng: random.Random) -> str:
    relation = rng.choice(RELATIONS)
    return property_fact(relation, rng.randrange(2), rng.choice(SUBJECTS[relation].values))


def draft_text(asked: Asked, answer: bool) -> str:
    """A student's draft: an answer, the first fact, and the sub-questions still open."""
    row = asked.row
    rest = row["decomposition"][1:]
    return DRAFT.format(answer="Yes" if answer else "No", reason=row["facts"][0], asks=" ".join(rest))


def _draft(rng: random.Random, asked: Asked) -> str:
    answer = asked.row["answer"] if rng.random() < DRAFT_RIGHT else not asked.row["answer"]
    return f"{DRAFT_PROMPT.format(question=asked.row['question'])} {draft_text(asked, answer)}"


def _direct(asked: Asked) -> str:
    answer = "yes" if asked.row["answer"] else "no"
    return f"{DIRECT_PROMPT.format(question=asked.row['question'])} {answer}"


class Corpus:
    """Endless documents, each drawn by kind and then at random; same seed, same documents."""

    def __init__(self, seed: int) -> None:
        """Sort the rehearsed questions by kind and answer, so that both answers come equally often."""
        self._rng = random.Random(seed)
        self._by: dict[tuple[Kind, bool], list[Asked]] = {}
        for asked in pool():
            if rehearsed(asked):
                self._by.setdefault((asked.kind, asked.row["answer"]), []).append(asked)

    def _question(self, kind: Kind) -> Asked:
        return self._rng.choice(self._by[kind, self._rng.random() < 0.5])

    def document(self) -> str:
        """The next document, without its end token."""
        rng, at = self._rng, self._rng.random()
        if at < 0.13:
            return _statement(rng)
        if at < 0.16:
            return _property(rng)
        if at < 0.23:
            return _comparison(rng)
        if at < 0.43:
            return _exercise(rng)
        if at < 0.53:
            return _ending(rng)
        if at < 0.54:
            return _english(rng)
        if at < 0.72:
            return _unlabelled(rng, self._question(rng.choice(_KINDS)))
        if at < 0.88:
            return _draft(rng, self._question(rng.choice(_KINDS)))
        return _direct(self._question("known"))
