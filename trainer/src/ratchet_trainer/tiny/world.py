"""The world: 64 people around a lake; each has a home, a pet and a trade (eight of each).

Each value has two yes/no properties, which is what most questions turn on.

Everything follows from the world's own seed, so the base model and the question file always agree. The seed given
to `questions` only decides which questions are asked and in which order.
"""

import random
from dataclasses import dataclass
from typing import Literal

WORLD_SEED = 7

Relation = Literal["town", "pet", "trade"]

PEOPLE: tuple[str, ...] = tuple(
    (
        "Abel Ada Arlo Asta Bela Beno Bram Britt Cara Ciro Colm Cyra Dario Delia Dora Edda Elif Elmo Enid Esra "
        "Faye Femi Flora Freya Gerda Gina Greta Hana Heidi Hugo Igor Ilse Ines Ivar Jana Joris Kaja Karim Kira "
        "Lars Leif Lena Luca Mabel Mara Milo Nadia Nell Nils Noor Olga Omar Otto Paco Pia Quinn Rena Rosa Sana "
        "Selma Stig Tara Ulla Vera"
    ).split()
)


@dataclass(frozen=True)
class Property:
    """One yes/no property of a value: how it is stated when it holds and when not, and how a question uses it."""

    holds: str
    fails: str
    ask: str
    suppose: str
    check: str


@dataclass(frozen=True)
class Subject:
    """A relation of the world: its values, its sentence forms, and the properties of its values."""

    values: tuple[str, ...]
    state: str
    find: str
    same: str
    properties: tuple[Property, ...]
    having: tuple[frozenset[str], ...]


SUBJECTS: dict[Relation, Subject] = {
    "town": Subject(
        values=("Torv", "Kell", "Alder", "Brim", "Doon", "Esker", "Fenby", "Garth"),
        state="{person} lives in {value}.",
        find="Where does {person} live?",
        same="Do {person} and {other} live in the same town?",
        properties=(
            Property(
                "{value} is cold.",
                "{value} is warm.",
                "Does {person} need a coat at home?",
                "If {person} lived in {value}, would {person} need a coat?",
                "Is #1 a cold town?",
            ),
            Property(
                "{value} is by the sea.",
                "{value} is far inland.",
                "Can {person} see the sea from home?",
                "If {person} lived in {value}, could {person} see the sea?",
                "Is #1 by the sea?",
            ),
        ),
        having=(
            frozenset({"Torv", "Alder", "Esker", "Garth"}),
            frozenset({"Kell", "Alder", "Doon", "Garth"}),
        ),
    ),
    "pet": Subject(
        values=("heron", "goose", "crow", "bat", "hound", "seal", "goat", "toad"),
        state="{person} keeps a {value}.",
        find="Which pet does {person} keep?",
        same="Do {person} and {other} keep the same kind of pet?",
        properties=(
            Property(
                "A {value} has wings.",
                "A {value} has no wings.",
                "Could the pet of {person} fly over a wall?",
                "If {person} kept a {value}, could it fly over a wall?",
                "Does #1 have wings?",
            ),
            Property(
                "A {value} swims well.",
                "A {value} swims badly.",
                "Would the pet of {person} cross the lake?",
                "If {person} kept a {value}, would it cross the lake?",
                "Does #1 swim well?",
            ),
        ),
        having=(frozenset({"heron", "goose", "crow", "bat"}), frozenset({"goose", "heron", "seal", "toad"})),
    ),
    "trade": Subject(
        values=("baker", "smith", "weaver", "miller", "tailor", "fisher", "mason", "potter"),
        state="{person} works as a {value}.",
        find="What is the trade of {person}?",
        same="Do {person} and {other} have the same trade?",
        properties=(
            Property(
                "A {value} works with fire.",
                "A {value} works without fire.",
                "Does {person} need fire at work?",
                "If {person} were a {value}, would {person} need fire?",
                "Does #1 work with fire?",
            ),
            Property(
                "A {value} works outdoors.",
                "A {value} works indoors.",
                "Would rain stop {person} at work?",
                "If {person} were a {value}, would rain stop {person}?",
                "Does #1 work outdoors?",
            ),
        ),
        having=(frozenset({"baker", "smith", "potter", "mason"}), frozenset({"miller", "fisher", "mason", "smith"})),
    ),
}

RELATIONS: tuple[Relation, ...] = ("town", "pet", "trade")


def _assign() -> dict[tuple[str, Relation], str]:
    rng = random.Random(WORLD_SEED)
    lives: dict[tuple[str, Relation], str] = {}
    for relation in RELATIONS:
        values = SUBJECTS[relation].values
        dealt = [values[i % len(values)] for i in range(len(PEOPLE))]
        rng.shuffle(dealt)
        lives.update({(person, relation): value for person, value in zip(PEOPLE, dealt, strict=True)})
    return lives


LIVES: dict[tuple[str, Relation], str] = _assign()


def fact(person: str, relation: Relation) -> str:
    """The sentence that states one person's value, such as `Ada lives in Torv.`"""
    return SUBJECTS[relation].state.format(person=person, value=LIVES[person, relation])


def holds(relation: Relation, index: int, value: str) -> bool:
    """Whether `value` has the relation's property number `index`."""
    return value in SUBJECTS[relation].having[index]


def property_fact(relation: Relation, index: int, value: str) -> str:
    """The sentence that states one value's property, such as `Torv is cold.`"""
    prop = SUBJECTS[relation].properties[index]
    return (prop.holds if holds(relation, index, value) else prop.fails).format(value=value)
