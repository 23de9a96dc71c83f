"""Trainings from many seeds at once: what the claims on training look at.

An ensemble is trained once for all claims that need it, and kept in a folder between runs of the
ledger, under a digest of everything that it depends on: the scenario with its reading, the number
of seeds and epochs, and the code that trains.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from velotrace.data import Expression
from velotrace.files import write_all
from velotrace.learning.ensemble import Settings, Trained, plan_of, train_in_memory
from velotrace.learning.training import Plan
from velotrace.model import objective, random
from velotrace.model.distributions import softplus
from velotrace.model.holding import natural_values
from velotrace.model.networks import perceptron
from velotrace.model.records import Draws, Iteration, Parameters
from velotrace.quantities import PARAMETERS
from velotrace.scenario import Resolved, resolved_dict
from velotrace.studies.toy import INDUCED

EPOCHS = 1000
BATCH = 2
"""Cells of a mini-batch, as in the document's iteration."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Ensemble:
    """What came of a training from many seeds.

    Attributes:
        plan: what it held fixed.
        genes: names.
        theta: natural parameters at the start and after each epoch, shape (seed, epoch, gene);
            NaN from where a run stopped.
        rows: all parameters at the end, shape (seed, parameter).
        stayed: whether each run kept to its parameters' domain to the end.
    """

    plan: Plan
    genes: tuple[str, ...]
    theta: Mapping[str, np.ndarray]
    rows: np.ndarray
    stayed: np.ndarray

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return int(next(iter(self.theta.values())).shape[1]) - 1

    @cached_property
    def final(self) -> Arrays:
        """Values of every cell by name at the end, z at the mean of its posterior."""
        return self._predicted(self.plan.unspliced, self.plan.spliced)

    def _predicted(self, u: np.ndarray, s: np.ndarray) -> Arrays:
        """All that is predicted of cells, from what the encoder makes of them."""
        held = self._noiseless(u, s)
        encoded = objective.infer(self._parameters, held, u, s)
        return self._numbers(encoded | self._decoded(encoded["z"], held))

    def _decoded(self, z: np.ndarray, held: Iteration) -> Arrays:
        """Times and predictions in all states from a place in the latent space."""
        parameters, reading = self._parameters, self.plan.reading
        made = objective.latent_times(parameters, z, held)
        made |= objective.start_of_repression(parameters, reading)
        return dict(made | objective.predict(parameters, made, made, reading))

    @property
    def _parameters(self) -> Parameters:
        plan = self.plan
        return natural_values(plan.layout.nested(self.rows), plan.reading, plan.constants.t_max)

    def _noiseless(self, u: np.ndarray, s: np.ndarray) -> Iteration:
        plan = self.plan
        draws = Draws(np.zeros((len(u), plan.latent)), np.zeros(0), None)
        return Iteration(u, s, draws, plan.constants, plan.reading, plan.activation)

    def _numbers(self, made: Arrays) -> Arrays:
        """Plain arrays, NaN for the runs that stopped."""
        stopped = ~self.stayed
        return {
            name: np.where(stopped.reshape(-1, *[1] * (np.ndim(x) - 1)), np.nan, x)
            for name, x in made.items()
        }

    @cached_property
    def off_samples(self) -> np.ndarray:
        """How far samples of p(z), decoded, lie from the nearest cell: root mean square, by seed.

        Each in its most probable states; a distance is per measurement, so that it compares with a
        misfit.
        """
        plan = self.plan
        z = random.generator(0, "samples", 0).standard_normal((200, plan.latent))
        held = self._noiseless(plan.unspliced, plan.spliced)
        raw = perceptron("encoder_pi", self._parameters["encoder_pi"], z, plan.activation)
        concentration = softplus(raw.reshape(*raw.shape[:-1], -1, 4))
        made = self._numbers(self._decoded(z, held) | {"concentration": concentration})
        u, s = _most_probable(made)
        off = (u[:, :, None] - plan.unspliced) ** 2 + (s[:, :, None] - plan.spliced) ** 2
        return np.asarray(np.sqrt(0.5 * off.mean(axis=-1).min(axis=-1).mean(axis=-1)))

    def misfit_of(self, expression: Expression) -> np.ndarray:
        """Root mean squared misfit of any cells, each in its most probable states; by seed."""
        made = self._predicted(expression.unspliced, expression.spliced)
        u, s = _most_probable(made)
        off = np.square([u - expression.unspliced, s - expression.spliced])
        return np.asarray(np.sqrt(off.mean(axis=(0, 2, 3))))

    @cached_property
    def misfit(self) -> np.ndarray:
        """The same of the cells it was trained on."""
        names = tuple(map(str, range(self.plan.cells)))
        return self.misfit_of(Expression(names, self.genes, self.plan.unspliced, self.plan.spliced))

    @property
    def off_switch_points(self) -> np.ndarray:
        """Largest distance of u0 and s0 from u* and s* over the genes, by seed."""
        constants = self.plan.constants
        pairs = (("u_switch", constants.u_star), ("s_switch", constants.s_star))
        off = [np.abs(self.final[name] - star).max(axis=(1, 2)) for name, star in pairs]
        return np.asarray(np.max(off, axis=0))

    @property
    def off_prior(self) -> np.ndarray:
        """KL_z at the end, mean over the cells, nat; by seed."""
        mean, log_var = self.final["mu_z"], self.final["log_var_z"]
        each = 0.5 * np.sum(np.exp(log_var) + mean**2 - log_var - 1.0, axis=-1)
        return np.asarray(each.mean(axis=-1))

    @property
    def found_states(self) -> np.ndarray:
        """Whether genes A and B are taken to be induced just in the cells where they are."""
        concentration = self.final["concentration"]
        induced = concentration[..., :2].sum(axis=-1) > 0.5 * concentration.sum(axis=-1)
        right = [
            (induced[..., self.genes.index(gene)] == np.array(cells)).all(axis=-1)
            for gene, cells in INDUCED.items()
        ]
        return np.asarray(np.all(right, axis=0) & self.stayed)


def _most_probable(made: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """ū and s̄ of every cell and gene in its most probable state."""
    state = np.argmax(made["concentration"], axis=-1)[..., None]
    u, s = (np.take_along_axis(made[name], state, -1)[..., 0] for name in ("u_bar", "s_bar"))
    return u, s


def course(trained: Trained) -> Arrays:
    """Natural parameters at the start and after each epoch; NaN from where a run stopped."""
    epochs = trained.history.sizes["epoch"]
    theta = {}
    for name in PARAMETERS:
        start, later = trained.history[f"{name}_start"], trained.history[name]
        theta[name] = np.concatenate([start.values[:, None], later.values.swapaxes(0, 1)], axis=1)
        for left in trained.state.left:
            theta[name][left.run, left.step // trained.plan.batches + 1 : epochs + 1] = np.nan
    return theta


# ---- kept between runs ----------------------------------------------------------------------


def cache_folder() -> Path:
    """Where ensembles are kept: a folder of the user's caches, which may be deleted at any time."""
    from platformdirs import user_cache_path

    return user_cache_path("velotrace", appauthor=False) / "trainings"


def digest(resolved: Resolved, settings: Settings) -> str:
    """A name for an ensemble that changes with everything it depends on."""
    described = resolved_dict(resolved.scenario)
    described["data"] = [
        resolved.expression.unspliced.tolist(),
        resolved.expression.spliced.tolist(),
    ]
    about = [described, asdict(settings), np.__version__, _code()]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _code() -> str:
    """A digest of the code that trains: the model, learning, scenarios and the tape."""
    package = Path(__file__).resolve().parent.parent
    files = [
        path
        for part in ("model", "learning", "scenario", "tape")
        for path in sorted((package / part).glob("*.py"))
    ]
    code = [path.read_bytes() for path in files] + [inspect.getsource(course).encode()]
    return hashlib.sha256(b"\0".join(code)).hexdigest()


def ensemble(
    resolved: Resolved,
    seeds: int,
    epochs: int = EPOCHS,
    dropped: tuple[str, ...] = (),
    cache: Path | None = None,
    progress: Callable[[int], None] = lambda epoch: None,
) -> Ensemble:
    """An ensemble, trained now or read from where it was kept.

    Args:
        resolved: the scenario; all of its cells are trained on.
        seeds: how many runs; run k adds k to the scenario's seeds.
        epochs: passes through the data.
        dropped: terms left out of the loss.
        cache: folder to keep it in; None to keep nothing.
        progress: called with the epochs done; not at all where it is read.

    Returns:
        The ensemble.
    """
    settings = Settings(epochs, BATCH, seeds, by_cell=False, dropped=dropped)
    genes, name = resolved.genes, f"{digest(resolved, settings)}.npz"
    if cache is not None and (cache / name).is_file():
        kept = _read(cache / name)
        if kept is not None:
            theta = {parameter: kept[parameter] for parameter in PARAMETERS}
            return Ensemble(plan_of(resolved, settings), genes, theta, kept["rows"], kept["stayed"])
    trained = train_in_memory(resolved, settings, progress)
    state, theta = trained.state, course(trained)
    if cache is not None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, rows=state.rows, stayed=state.going, **theta)
        write_all(cache, {name: buffer.getvalue()})
    return Ensemble(trained.plan, genes, theta, state.rows, state.going)


def _read(path: Path) -> Arrays | None:
    """A kept ensemble; None where the file is damaged, so that it is made anew."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return {name: kept[name] for name in (*PARAMETERS, "rows", "stayed")}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def other_reading(resolved: Resolved, **choices: object) -> Resolved:
    """The same scenario with other choices under [reading]; a preset resets all of them."""
    from velotrace.scenario.resolve import work_out
    from velotrace.scenario.schema import OptimiserKeys, ReadingKeys

    scenario = resolved.scenario
    keys = ReadingKeys.model_validate(choices)
    changed = scenario.model_copy(update={"reading": keys, "optimiser": OptimiserKeys()})
    return work_out(changed, resolved.expression)
