"""What the base model reads: facts in several wordings, unlabelled chains, comparisons, drafts, some direct answers.

It never reads a teacher's response, nor any question that `questions` can ask: those are what the phases teach.
"""

import random

from ratchet_trainer.tiny.english import COMMON_WORDS
from ratchet_trainer.tiny.questions import Asked, pool, rehearsed
from ratchet_trainer.tiny.templates import DIRECT_PROMPT, DRAFT, DRAFT_PROMPT
from ratchet_trainer.tiny.world import (
    CAN,
    LIVES,
    PEOPLE,
    RELATIONS,
    SKILLS,
    SUBJECTS,
    Relation,
    fact,
    holds,
    property_fact,
    skill_fact,
)

DRAFT_RIGHT = 0.55
_WORDS = COMMON_WORDS.split()


def _statement(rng: random.Random) -> str:
    """One person's fact, told or asked for."""
    person, relation = rng.choice(PEOPLE), rng.choice(RELATIONS)
    told = fact(person, relation)
    find = SUBJECTS[relation].find.format(person=person)
    return rng.choice((told, f"{find} {told}", f"Question: {find}\nAnswer: {LIVES[person, relation]}"))


def _skill(rng: random.Random) -> str:
    return skill_fact(rng.choice(PEOPLE), rng.choice(SKILLS))


def _report(rng: random.Random) -> str:
    """A piece of a report, with no question and with a conclusion drawn by lot: the form, never the use of it."""
    word = rng.choice(("YES", "NO"))
    return rng.choice(
        (
            f"## Teaching Analysis\nThe student answers {word.capitalize()}. The facts decide.",
            f"## Step-by-Step Reasoning\n{_facts(rng)}",
            f"## Final Assessment\nBased on this analysis, the answer is: **{word}**",
        )
    )


def _exercise(rng: random.Random) -> str:
    """Facts and a check on them, outside any report and without the question they might answer."""
    relation = rng.choice(RELATIONS)
    subject = SUBJECTS[relation]
    first, second = rng.sample(PEOPLE, 2)
    at = rng.random()
    if at < 0.5:
        if rng.random() < 0.5:
            second = rng.choice([other for other in PEOPLE if LIVES[other, relation] == LIVES[first, relation]])
        verdict = LIVES[first, relation] == LIVES[second, relation]
        return f"{fact(first, relation)} {fact(second, relation)} Is #1 the same as #2? {_word(verdict)}."
    if at < 0.8:
        index, value = rng.randrange(2), LIVES[first, relation]
        told, check = property_fact(relation, index, value), subject.properties[index].check
        return f"{fact(first, relation)} {told} {check} {_word(holds(relation, index, value))}."
    skill = rng.choice(SKILLS)
    return f"{skill_fact(first, skill)} Does #1 say so? {_word(CAN[first, skill])}."


def _word(verdict: bool) -> str:
    return "Yes" if verdict else "No"


def _noted(asked: Asked) -> str:
    """A question and its facts, without a conclusion: the unlabelled chain."""
    facts = "\n".join(f"{at}. {told}" for at, told in enumerate(asked.row["facts"], 1))
    return f"Question: {asked.row['question']}\nNotes\n{facts}"


def _english(rng: random.Random) -> str:
    return " ".join(rng.sample(_WORDS, 8))


def _property(rng: random.Random) -> str:
    relation = rng.choice(RELATIONS)
    return property_fact(relation, rng.randrange(2), rng.choice(SUBJECTS[relation].values))


def _facts(rng: random.Random) -> str:
    """Numbered facts without a question and without a conclusion."""
    person, relation = rng.choice(PEOPLE), rng.choice(RELATIONS)
    second = fact(rng.choice(PEOPLE), relation)
    if rng.random() < 0.5:
        second = property_fact(relation, rng.randrange(2), LIVES[person, relation])
    return f"1. {fact(person, relation)}\n2. {second}"


def _values(rng: random.Random, relation: Relation) -> tuple[str, str]:
    """Two values, the same in half of the cases."""
    one = rng.choice(SUBJECTS[relation].values)
    return one, one if rng.random() < 0.5 else rng.choice(SUBJECTS[relation].values)


def _comparison(rng: random.Random) -> str:
    """Two values beside each other, and whether they differ."""
    one, two = _values(rng, rng.choice(RELATIONS))
    return f"{one} and {two}: {'same' if one == two else 'different'}"


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
        self._by: dict[tuple[str, bool], list[Asked]] = {}
        for asked in pool():
            if rehearsed(asked):
                self._by.setdefault((asked.kind, asked.row["answer"]), []).append(asked)

    def _question(self, kind: str) -> Asked:
        return self._rng.choice(self._by[kind, self._rng.random() < 0.5])

    def document(self) -> str:
        """The next document, without its end token."""
        rng, at = self._rng, self._rng.random()
        if at < 0.20:
            return _statement(rng)
        if at < 0.38:
            return _skill(rng)
        if at < 0.42:
            return _property(rng)
        if at < 0.45:
            return f"Notes\n{_facts(rng)}"
        if at < 0.53:
            return _report(rng)
        if at < 0.56:
            return _comparison(rng)
        if at < 0.64:
            return _exercise(rng)
        if at < 0.66:
            return _english(rng)
        if at < 0.78:
            return _noted(self._question(rng.choice(("known", "bridge", "same", "same"))))
        if at < 0.93:
            return _draft(rng, self._question(rng.choice(("known", "bridge", "same", "same"))))
        return _direct(self._question("known"))
