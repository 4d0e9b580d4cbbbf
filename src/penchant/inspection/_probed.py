"""The probes on a network of which only the input's shape is known."""

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.inspection._built_in import model_of
from penchant.inspection._copies import in_full, is_any_lazy
from penchant.inspection._inputs import Given, Input, read_inputs
from penchant.probes import Examination
from penchant.probes import examine as examine_network
from penchant.randomness import generator, key

SAMPLES = 32


def probe(model: nn.Module | str, input: Input | None = None) -> Examination:
    """Ask all probes about a network, on inputs that are drawn.

    Numbers are drawn from a standard normal distribution, as standardised data have it; whole
    numbers from those that the network's smallest embedding knows.

    Args:
        model: as in `inspect`.
        input: the same, for one tensor.

    Returns:
        What the probes found, of the network as it is given: at initialisation, unless it loads
        its weights.

    Raises:
        PenchantError: a network of several inputs, whose probes need data of its user's own.

    Example:
        >>> [finding.kind for finding in probe("tdnn").findings]
        []
    """
    # A network draws its weights from torch's stream: the same each time it is asked about.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(0, "probes/network"))
        if isinstance(model, str):
            model, suited = model_of(model)
            input = suited if input is None else input
        given = [] if input is None else read_inputs(input)
        if len(given) != 1:
            raise PenchantError(
                f"inspect --probe: {len(given)} inputs; probes draw one, so for such a network use "
                "pn.probes in Python with data of its own"
            )
        inputs = _drawn(given[0], model)
        if is_any_lazy(model):
            mode, model = model.training, in_full(model)
            with torch.no_grad():
                model(inputs)
            model.train(mode)
    return examine_network(model, inputs)


def _drawn(given: Given, model: nn.Module) -> Tensor:
    shape = (SAMPLES, *given.shape[1:]) if given.sample else given.shape
    draws = generator(0, "probes/inputs")
    own = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    dtype = given.dtype or own
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=draws).to(dtype)
    known = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
    return torch.randint(min(known, default=2), shape, generator=draws).to(dtype)
