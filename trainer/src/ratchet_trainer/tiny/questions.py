"""Questions about the world in StrategyQA's own file format, in three kinds of difficulty.

`known` needs one fact and can be answered directly; `bridge` needs a fact and a property; `same` needs two facts and
a comparison. The last two are what reasoning is for.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Literal, TypedDict

from ratchet_trainer.tiny.world import (
    LIVES,
    PEOPLE,
    RELATIONS,
    SUBJECTS,
    Relation,
    fact,
    holds,
    property_fact,
)

Kind = Literal["known", "bridge", "same"]

DESCRIPTION = "one of the people around the lake"


class Row(TypedDict):
    """One row of StrategyQA's `train.json`."""

    qid: str
    term: str
    description: str
    question: str
    answer: bool
    facts: list[str]
    decomposition: list[str]


@dataclass(frozen=True)
class Asked:
    """A row and the kind of question it is (the kind never reaches the file: the student must not see it)."""

    kind: Kind
    row: Row


def _asked(kind: Kind, person: str, question: str, answer: bool, facts: list[str], steps: list[str]) -> Asked:
    qid = hashlib.sha256(question.encode()).hexdigest()[:20]
    row = Row(
        qid=qid,
        term=person,
        description=DESCRIPTION,
        question=question,
        answer=answer,
        facts=facts,
        decomposition=steps,
    )
    return Asked(kind, row)


def known(person: str, relation: Relation, index: int, value: str) -> Asked:
    """`If Ada lived in Torv, would Ada need a coat?`: whoever it is about, one property decides."""
    prop = SUBJECTS[relation].properties[index]
    return _asked(
        "known",
        person,
        prop.suppose.format(person=person, value=value),
        holds(relation, index, value),
        [property_fact(relation, index, value)],
        [f"What is supposed of {person}?", prop.check],
    )


def bridge(person: str, relation: Relation, index: int) -> Asked:
    """`Does Ada need a coat at home?`"""
    subject, value = SUBJECTS[relation], LIVES[person, relation]
    return _asked(
        "bridge",
        person,
        subject.properties[index].ask.format(person=person),
        holds(relation, index, value),
        [fact(person, relation), property_fact(relation, index, value)],
        [subject.find.format(person=person), subject.properties[index].check],
    )


def same(person: str, other: str, relation: Relation) -> Asked:
    """`Do Ada and Bram live in the same town?`"""
    subject = SUBJECTS[relation]
    return _asked(
        "same",
        person,
        subject.same.format(person=person, other=other),
        LIVES[person, relation] == LIVES[other, relation],
        [fact(person, relation), fact(other, relation)],
        [subject.find.format(person=person), subject.find.format(person=other), "Is #1 the same as #2?"],
    )


def pool() -> list[Asked]:
    """Every question that the world can ask, in a fixed order."""
    asked: list[Asked] = []
    for relation in RELATIONS:
        subject = SUBJECTS[relation]
        for person in PEOPLE:
            asked += [known(person, relation, index, value) for index in (0, 1) for value in subject.values]
            asked += [bridge(person, relation, index) for index in range(len(subject.properties))]
            asked += [same(person, other, relation) for other in PEOPLE if other != person]
    return asked


def rehearsed(asked: Asked) -> bool:
    """Whether the base model's corpus may draft on this question: a quarter, by hash; the file never asks those."""
    return int(asked.row["qid"][:8], 16) % 4 == 0


SHARES: dict[Kind, float] = {"known": 0.32, "bridge": 0.24, "same": 0.44}
YES_SHARE = 0.455


def questions(seed: int, count: int) -> list[Row]:
    """Sample `count` rows; every kind has 45.5 % yes, so the kind alone says nothing about the answer."""
    rng = random.Random(seed)
    free = [asked for asked in pool() if not rehearsed(asked)]
    rows: list[Row] = []
    for kind, share in SHARES.items():
        for answer, part in ((True, YES_SHARE), (False, 1 - YES_SHARE)):
            fitting = [asked.row for asked in free if asked.kind == kind and asked.row["answer"] is answer]
            rows += rng.sample(fitting, round(count * share * part))
    rng.shuffle(rows)
    return rows[:count]
