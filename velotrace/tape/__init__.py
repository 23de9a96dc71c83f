"""Record any autograd function: every operation, forward and backward.

``record`` runs a function once under HIPS autograd with a node class of our own and then walks the
graph backwards itself, in autograd's order. What autograd forgets on the way is kept: each value,
each total adjoint, the contribution along each edge, the line of code, and both ordinals.

Three words are used throughout:

* a value has a **path** when the result changes with it through derivatives alone. Constants, hard
  draws and dead branches have none, and their adjoint is ``None``, never 0;
* ``named(x, name)`` gives a value its name. It is the identity;
* an **intervention** on a named value shifts it, sets it, or cuts its gradient.

The mechanism follows autograd's own ``examples/print_trace.py``; nothing here knows of biology.

Example:
    The volume of a cone, of which only the radius is differentiated:

    >>> import autograd.numpy as np
    >>> def volume(cone):
    ...     base = named(np.pi * cone["radius"] ** 2, "base")
    ...     return named(base * named(np.array(6.0), "height") / 3.0, "volume")
    >>> tape = record(volume, {"radius": np.array(2.0)})
    >>> [entry.operation for entry in tape.entries]
    ['parameter', 'power', 'multiply', 'constant', 'multiply', 'divide']
    >>> print(round(float(tape["volume"].value), 4), tape["base"].adjoint, tape["height"].adjoint)
    25.1327 2.0 None
    >>> tape.graph
    {'radius': (), 'base': ('radius',), 'height': (), 'volume': ('base', 'height')}
    >>> shifted = record(volume, {"radius": np.array(2.0)}, {"base": Shift(3.0)})
    >>> print(round(float(shifted.value - tape.value), 9))
    6.0
"""

from velotrace.tape.entries import Edge, Entry, Tape
from velotrace.tape.interventions import Cut, Intervention, Replace, Shift
from velotrace.tape.primitives import defvjp, no_gradient, primitive
from velotrace.tape.program import Program, program_of, same_bits, whole
from velotrace.tape.recording import (
    Evaluation,
    evaluate,
    named,
    named_values,
    record,
)
from velotrace.tape.trees import leaves, map_leaves
from velotrace.tape.watching import UnrepeatableError

__all__ = [
    "Cut",
    "Edge",
    "Entry",
    "Evaluation",
    "Intervention",
    "Program",
    "Replace",
    "Shift",
    "Tape",
    "UnrepeatableError",
    "defvjp",
    "evaluate",
    "leaves",
    "map_leaves",
    "named",
    "named_values",
    "no_gradient",
    "primitive",
    "program_of",
    "record",
    "same_bits",
    "whole",
]
