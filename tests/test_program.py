"""Programs: the bits of the function on any numbers, or a refusal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velotrace.tape import UnrepeatableError, leaves, program_of, same_bits, whole
from velotrace.tape.calls import owner_of
from velotrace.tape.watching import Watched, running_writer

Function = Callable[[dict[str, Any]], Any]

SHAPES = {"x": (2, 3), "y": (2, 3), "row": (3,), "one": (1, 2, 3), "w": (1, 3, 4), "number": ()}
MORE = {"wide": (1, 1, 16), "deep": (1, 16, 4)}
"""Of the arguments of every function below."""


def numbers(seed: int) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(seed)
    made = {name: drawn.uniform(0.1, 2.0, shape) for name, shape in (SHAPES | MORE).items()}
    floats, counts = made["x"].astype(np.float32), (9.0 * made["x"]).astype(np.int8)
    return made | {"floats": floats, "counts": counts}


def assert_repeats(function: Function) -> None:
    """The program, written with some numbers, gives the function's bits with others."""
    with np.errstate(all="ignore"):
        _assert_repeats(function)


def _assert_repeats(function: Function) -> None:
    program = program_of(function, numbers(0))
    for seed in (1, 2, 0):
        other = numbers(seed)
        repeated = program.repeat(other)
        assert all(type(x) is np.ndarray for _, x in leaves(repeated))
        assert same_bits(repeated, function(other))


# ---- what can be repeated -------------------------------------------------------------------


def in_place(p: dict[str, Any]) -> Any:
    total = p["x"] * 2.0
    before = total.sum(axis=-1)
    total += p["y"]
    between = total.sum(axis=-1)
    total[..., 0] = p["number"]
    return before, between, total, total.sum(axis=-1)


def an_argument_in_place(p: dict[str, Any]) -> Any:
    x, y = p["x"], p["y"]
    x += 1.0
    y[...] = 2.0
    return x * y, p["x"]


def again_after_a_change(p: dict[str, Any]) -> Any:
    changing = p["x"] + 1.0
    before = np.exp(changing)
    changing *= p["y"]
    return before, np.exp(changing)


def filled_in_parts(p: dict[str, Any]) -> Any:
    four = np.empty_like(p["x"], shape=(2, 3, 4))
    for k in range(3):
        four[..., k] = p["x"] * k
    four[..., 3] = 7.0
    return four


def copied(p: dict[str, Any]) -> Any:
    copy = p["x"].copy()
    copy *= 2.0
    return copy, p["x"] + 0.0


def put_in(array: Any, number: Any) -> Any:
    array[1] = number
    return array


def filled_twice(p: dict[str, Any]) -> Any:
    one, other = np.zeros_like(p["x"]), np.zeros_like(p["x"])
    one += p["x"]
    other += p["y"]
    return one, other


def counting(p: dict[str, Any]) -> Any:
    n, total = np.zeros(()), p["x"] * 0.0
    for _ in range(3):
        n += 1.0
        total = total + p["x"] / n
    return total


REPEATABLE: dict[str, Function] = {
    "numbers": lambda p: (2.0 * p["x"] - 1, p["x"] ** 2, 1 / p["y"], -p["x"]),
    "broadcasting": lambda p: p["x"] * p["row"] + p["number"] - p["row"],
    "no dimension": lambda p: p["number"] * p["number"] + 1.0,
    "of a constant's value": lambda p: (p["number"] * 0.5, p["number"] * np.array(0.5)),
    "views": lambda p: (p["x"][..., 0] + p["x"][:, 2], p["x"].T * 2.0, p["x"].reshape(3, 2) + 1.0),
    "an even step": lambda p: p["x"][:, ::2] * p["y"][:, ::2],
    "an uneven one": lambda p: p["x"][:, :2] * p["y"][:, 1:],
    "one number": lambda p: p["row"][0] + p["row"][1] * 2.0,
    "a number put in": lambda p: put_in(p["row"] * 1.0, p["number"]),
    "integers take floats": lambda p: put_in(p["counts"][0] * 1, p["number"] * 3.7),
    "two to be filled": filled_twice,
    "joined from numbers": lambda p: np.concatenate([[p["row"][0], p["row"][1]], p["row"]]),
    "numbers in turn": lambda p: sum(p["row"]),
    "sums": lambda p: (p["x"].sum(axis=0), np.add.reduce(p["one"], axis=-2), p["x"].sum()),
    "other reductions": lambda p: (p["x"].max(axis=1, keepdims=True), np.minimum.reduce(p["y"])),
    "accumulated": lambda p: np.multiply.accumulate(p["x"], axis=1),
    "functions": lambda p: (np.exp(p["x"]), np.logaddexp(p["x"], 0.0), np.tanh(p["y"])),
    "larger": lambda p: (np.maximum(p["x"], p["y"]), np.minimum(p["row"], 1.0), p["x"] > p["y"]),
    "counts": lambda p: (p["x"] > 1.0) * 3 + 1,
    "matrices": lambda p: (p["x"] @ p["y"].T, p["one"] @ p["w"], p["one"].mT @ p["one"]),
    "side by side": lambda p: np.concatenate([p["x"], p["y"], p["row"][None]], axis=0),
    "along the last": lambda p: np.concatenate([p["x"], p["y"] * 2.0], axis=-1),
    "chosen": lambda p: np.where(p["x"] > p["y"], p["x"], 0.0),
    "on a new axis": lambda p: np.stack([p["x"], p["y"]]) * 2.0,
    "spread": lambda p: np.broadcast_to(p["row"], (2, 3)) * p["x"],
    "zeros": lambda p: np.zeros_like(p["x"]) + p["row"],
    "an argument": lambda p: p["x"],
    "a constant": lambda p: (p["x"] * 1.0, np.arange(3.0)),
    "nested": lambda p: {"a": [p["x"] + 1.0, (p["y"],)], "b": {"c": p["row"] * 2.0}},
    "twice": lambda p: (p["x"] * p["y"], p["x"] * p["y"], (p["x"] * p["y"]).sum(axis=0)),
    "parts that begin alike": lambda p: (np.exp(p["x"][:1]), np.exp(p["x"])),
    "and lie otherwise": lambda p: (np.exp(p["x"][:, :2]), np.exp(p["x"][:, :2].T)),
    "in place": in_place,
    "an argument in place": an_argument_in_place,
    "again after a change": again_after_a_change,
    "filled in parts": filled_in_parts,
    "copied": copied,
    "a count that goes on": counting,
    "sums by a function": lambda p: (np.sum(p["x"]), np.mean(p["y"], axis=0)),
    "sums that differ by a word": lambda p: (
        np.sum(p["x"], axis=1),
        np.sum(p["x"], axis=1, keepdims=True),
        np.add.reduce(p["x"], axis=1, initial=5.0),
    ),
    "less exactly": lambda p: np.multiply(p["x"], p["y"], dtype=np.float32),
    "matrices, less exactly": lambda p: np.matmul(p["one"], p["w"], dtype=np.float32),
    "of other types": lambda p: (p["floats"] * 2.0, p["counts"] + 1, p["floats"] * p["x"] * 2.0),
    "joined in a row": lambda p: np.concatenate([p["x"], p["y"]], axis=None),
    "how large": lambda p: (
        p["x"] * (np.ndim(p["x"]) + p["x"].size + len(p["row"]) + p["x"].shape[0])
    ),
    "nothing": lambda p: (p["x"][:0] * 2.0, p["x"][:0].sum(axis=0)),
    "backwards": lambda p: (p["x"][:, ::-1] * p["y"], np.exp(p["x"][::-1])),
    "columns first": lambda p: (np.exp(p["x"].T) * 2.0, (p["x"].T + p["y"].T).sum(axis=1)),
    "not a number": lambda p: np.log(p["x"] - 1.0) + 0.0 * p["y"],
    "zeros of either sign": lambda p: (-0.0 * p["x"], np.maximum(-0.0 * p["x"], 0.0)),
    "one row and part of a matrix": lambda p: p["wide"] @ p["deep"][..., :2],
    "constants that look alike": lambda p: (
        p["x"] @ np.arange(6.0).reshape(3, 2),
        p["x"] @ np.arange(6.0).reshape(2, 3).T,
        p["x"] * np.array([1, 2, 3]),
        p["x"] * np.array([1.0, 2.0, 3.0]),
        p["x"] * np.array([1.0, 2.0, 3.0]).view(np.int64),
    ),
}


@pytest.mark.parametrize("name", REPEATABLE)
def test_a_program_gives_the_functions_bits(name: str) -> None:
    assert_repeats(REPEATABLE[name])


STEPS: tuple[Callable[..., Any], ...] = (
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - 0.5 * b,
    lambda a, b: np.tanh(a) / (1.0 + b * b),
    np.maximum,
    lambda a, b: a @ b.T @ a,
    lambda a, b: a[..., :1] * b,
    lambda a, b: np.concatenate([a[:1], b[1:]], axis=0),
    lambda a, b: a.sum(axis=0) + b,
    lambda a, b: np.where(a > b, a, b),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(range(len(STEPS))), st.integers(0, 99), st.integers(0, 99)),
        min_size=1,
        max_size=25,
    ),
    st.sets(st.integers(0, 99), min_size=1, max_size=4),
)
def test_any_chain_of_steps_is_repeated(
    steps: list[tuple[int, int, int]], wanted: set[int]
) -> None:
    """Results take each other's memory as soon as nothing reads them; none may be lost by it."""

    def function(p: dict[str, Any]) -> Any:
        made = [p["x"], p["y"]]
        for which, a, b in steps:
            made.append(STEPS[which](made[a % len(made)], made[b % len(made)]))
        return [made[w % len(made)] for w in sorted(wanted)]

    assert_repeats(function)


# ---- what it leaves out ---------------------------------------------------------------------


def test_what_stays_the_same_and_what_was_done_before_is_not_called() -> None:
    def function(p: dict[str, Any]) -> Any:
        constant = np.exp(np.arange(3.0)) * 2.0
        return [p["x"] * constant + np.exp(p["x"]) + np.exp(p["x"]) for _ in range(5)]

    names = [call.__name__ for call, _ in program_of(function, numbers(0)).calls]
    assert sorted(names) == ["add", "add", "exp", "multiply"]


def test_memory_is_used_again() -> None:
    def function(p: dict[str, Any]) -> Any:
        x = p["x"]
        for _ in range(20):
            x = np.tanh(x) + 1.0
        return x

    calls = program_of(function, numbers(0)).calls
    taken = {id(owner_of(operands[-1])) for _, operands in calls}
    assert len(calls) == 40
    assert len(taken) <= 3


def test_arguments_keep_their_numbers() -> None:
    given_numbers = numbers(1)
    program_of(in_place, given_numbers).repeat(given_numbers)
    np.testing.assert_equal(given_numbers, numbers(1))


# ---- parts that are whole -------------------------------------------------------------------


@whole
def positive(x: np.ndarray) -> np.ndarray:
    return x[x > 1.0].sum(keepdims=True)


@whole
def itself_or_double(x: np.ndarray, *, least: float = 2.0) -> np.ndarray:
    return x if x.sum() < least else 2.0 * x


KEPT = np.array([1.0, 2.0, 3.0])


@whole
def something_kept(x: np.ndarray) -> np.ndarray:
    return KEPT if x.size else x


@whole
def spread(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x.sum(axis=0), (4, 3))


@whole
def of_both(arrays: list[np.ndarray]) -> np.ndarray:
    return positive(arrays[0]) + positive(arrays[1])


def test_what_depends_on_numbers_is_called_anew() -> None:
    assert_repeats(lambda p: positive(p["x"]) + positive(p["y"]))
    assert_repeats(lambda p: of_both([p["x"], p["y"]]))
    for least in (-np.inf, 6.5, 7.0, np.inf):  # an argument comes back, or a new array does
        assert_repeats(lambda p, least=least: [itself_or_double(p["x"], least=least), 3.0 * p["x"]])


def test_what_a_whole_part_gives_stays_its_own() -> None:
    """Even if it is an array that the part keeps, or one of which each row is the same."""
    assert_repeats(lambda p: something_kept(p["x"]) * p["row"])
    np.testing.assert_array_equal(KEPT, [1.0, 2.0, 3.0])
    assert_repeats(lambda p: (spread(p["x"]), spread(p["y"]) * 2.0))


def test_outside_of_a_program_whole_is_the_function() -> None:
    x = np.array([0.5, 2.0])
    assert itself_or_double(x, least=9.0) is x
    np.testing.assert_array_equal(positive(x), [2.0])


# ---- what is refused ------------------------------------------------------------------------

OUTSIDE = np.zeros((2, 3))


def change_outside(p: dict[str, Any]) -> None:
    np.add(p["x"], 1.0, out=OUTSIDE)


def change_one_of_two(p: dict[str, Any]) -> Any:
    first, second = p["x"] * p["y"], p["x"] * p["y"]
    first += 1.0
    return first, second


def change_a_picked_part(p: dict[str, Any]) -> None:
    doubled = p["x"] * 2.0
    doubled[[0, 1]] = 1.0


def change_the_real_part(p: dict[str, Any]) -> None:
    p["x"].real = 1.0


@whole
def doubled(x: np.ndarray) -> np.ndarray:
    x *= 2.0
    return x


@dataclass
class Pair:
    one: Any
    other: Any


MASK = np.array([[True, False, True], [False, True, True]])


TICKS = itertools.count()


@whole
def another_each_time(x: np.ndarray) -> np.ndarray:
    return x + next(TICKS)


@whole
def size_of(x: np.ndarray) -> int:
    return x.size


REFUSED: dict[str, tuple[Function, str]] = {
    "a condition": (lambda p: 1.0 if p["number"] > 1.0 else 2.0, "numbers"),
    "all of them": (lambda p: p["x"] if (p["x"] > 1.0).all() else p["y"], "numbers"),
    "a number taken out": (lambda p: float(p["number"]), "numbers"),
    "an item": (lambda p: p["x"].sum().item(), "item"),
    "the place of the largest": (lambda p: p["x"].argmax(), "argmax"),
    "a trace": (lambda p: p["x"].trace(), "trace"),
    "a product by a method": (lambda p: p["number"][...].dot(2.0), "dot"),
    "a text": (lambda p: float(f"{p['number']}") * p["x"], "numbers"),
    "a view that depends on numbers": (lambda p: np.trim_zeros(p["row"]), "views"),
    "all in a row": (lambda p: p["x"].flat[0], "flat"),
    "a real part": (change_the_real_part, "real"),
    "in place by a function": (lambda p: np.clip(p["x"] * 1.0, 0.0, 1.0, out=p["y"]), "changes"),
    "a sum put somewhere": (lambda p: np.sum(p["x"], axis=0, out=p["row"]), "changes"),
    "a whole that changes": (lambda p: doubled(p["x"]), "changes"),
    "never the same": (lambda p: another_each_time(p["x"]), "does not give"),
    "only in some places": (lambda p: np.divide(p["x"], 2.0, where=MASK), "told places"),
    "some of a sum": (lambda p: np.add.reduce(p["x"], where=MASK), "told places"),
    "another order": (lambda p: p["x"].T.copy("K").sum(axis=0), "row after row"),
    "no array to return": (lambda p: Pair(p["x"], p["y"]), "Pair"),
    "picked rows": (lambda p: p["x"][[0, 1]], "copied"),
    "picked by a condition": (lambda p: p["x"][p["x"] > 1.0], "copied"),
    "another type": (lambda p: p["x"].astype(np.float32), "copied"),
    "a copy for a shape": (lambda p: p["x"].T.reshape(6), "copied"),
    "hidden": (lambda p: np.asarray(p["x"]) * p["y"], "np.asarray"),
    "two results": (lambda p: np.divmod(p["x"], p["y"])[0], "one new array"),
    "an array from outside": (change_outside, "outside"),
    "one that stands for two": (change_one_of_two, "stands for two"),
    "a picked part": (change_a_picked_part, "no view"),
    "no array": (lambda p: size_of(p["x"]), "no array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_program_cannot_repeat_is_refused(name: str) -> None:
    function, why = REFUSED[name]
    with pytest.raises(UnrepeatableError, match=why):
        program_of(function, numbers(0))
    assert running_writer.get() is None  # nothing of the failed run is left


def test_arguments_of_another_kind_are_refused() -> None:
    program = program_of(lambda p: p["x"] * p["number"], numbers(0))
    good = numbers(1)
    assert same_bits(program.repeat(good | {"number": 2}), good["x"] * 2.0)
    for name, wrong in (
        ("x", np.ones(3)),
        ("x", good["x"].astype(np.float32)),
        ("number", good["x"]),
    ):
        with pytest.raises(ValueError, match=f"{name} must be float64 of shape"):
            program.repeat(good | {name: wrong})
    assert same_bits(program.repeat(good | {"number": 2.0}), good["x"] * 2.0)


def test_a_product_is_not_taken_for_another_by_its_first_numbers() -> None:
    """Of ones, any order of summation gives the same; how matrices lie decides."""
    ones = numbers(0) | {"wide": np.ones((1, 1, 16)), "deep": np.ones((1, 16, 4))}
    program = program_of(REPEATABLE["one row and part of a matrix"], ones)
    for seed in range(20):
        wanted = REPEATABLE["one row and part of a matrix"](numbers(seed))
        assert same_bits(program.repeat(numbers(seed)), wanted)


def test_a_number_to_begin_with_is_a_float() -> None:
    program = program_of(lambda p: p["a"] * 2, {"a": 1})
    assert program.repeat({"a": 0.5}) == 1.0


def test_a_whole_part_of_another_shape_is_refused() -> None:
    program = program_of(lambda p: whole(lambda x: x[x > 1.0])(p["x"]), numbers(0))
    with pytest.raises(ValueError, match="when the program was written"):
        program.repeat(numbers(0) | {"x": np.full((2, 3), 2.0)})


def test_bits_are_the_same_or_not() -> None:
    x = np.array([1.0, np.nan, 0.0])
    assert same_bits({"a": [x]}, {"a": [x.copy()]})
    assert same_bits(x, np.array([1.0, -np.nan, 0.0]))
    for other in (np.array([1.0, np.nan, -0.0]), x.astype(np.float32), x[:2], x[None]):
        assert not same_bits({"a": [x]}, {"a": [other]})
    assert not same_bits(np.zeros(2), np.zeros(2, dtype=np.int64))
    assert not same_bits({"a": x}, {"b": x})
    assert not same_bits([x], [x, x])


def test_its_arrays_are_of_no_use_afterwards() -> None:
    kept: list[Watched] = []
    program_of(lambda p: kept.append(p["x"]) or p["x"], numbers(0))
    with pytest.raises(UnrepeatableError, match="after"):
        kept[0] + 1.0


@pytest.mark.parametrize(
    "function",
    [lambda p: np.array([p["x"], p["y"]]) * 2.0, lambda p: np.float64(p["number"]) * p["x"]],
)
def test_a_copy_that_numpy_makes_by_itself_looks_like_a_constant(function: Function) -> None:
    """Which is why a program is compared with its function before it is relied upon."""
    program = program_of(function, numbers(0))
    assert not same_bits(program.repeat(numbers(1)), function(numbers(1)))
