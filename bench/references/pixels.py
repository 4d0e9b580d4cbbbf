"""The loop that SIREN, WIRE and FINER were published with: Adam on a picture's pixels."""

import torch
from torch import Tensor, nn


def coordinates(height: int, width: int) -> Tensor:
    """Return each pixel's row and column, both on [-1, 1] with the ends included; pixels × 2."""
    axes = (torch.linspace(-1, 1, height), torch.linspace(-1, 1, width))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 2)


class PixelFit:
    """A network that learns a picture, step by step.

    Args:
        network: from two coordinates to the colours.
        picture: rows × columns × channels on [0, 1].
        learning_rate: Adam's.
        falls_within: epochs in which the rate falls to a tenth, where it stays; None keeps it.
        batch: pixels in a step, drawn anew each epoch; None takes all of them at once.
        centred: whether the network is asked for colours on [-1, 1].
    """

    ended = False
    """The published schedules set no end; what is over the cap is the benchmark's business."""

    def __init__(
        self,
        network: nn.Module,
        picture: Tensor,
        learning_rate: float,
        *,
        falls_within: int | None = None,
        batch: int | None = None,
        centred: bool = True,
    ) -> None:
        self.network, self.shape = network, picture.shape
        self.inputs = coordinates(*picture.shape[:2])
        self.low, self.span = (-1.0, 2.0) if centred else (0.0, 1.0)
        self.targets = picture.reshape(-1, picture.shape[2]) * self.span + self.low
        self.batch = len(self.inputs) if batch is None else min(batch, len(self.inputs))
        self.whole = batch is None
        self.optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda epoch: 1.0 if falls_within is None else 0.1 ** min(epoch / falls_within, 1),
        )
        self.order: list[Tensor] = []

    def step(self) -> float:
        """Take one step; return the mean squared error that it saw, in colours on [0, 1]."""
        if self.whole:
            inputs, targets = self.inputs, self.targets
        else:
            if not self.order:
                self.order = list(torch.randperm(len(self.inputs)).split(self.batch))
            chosen = self.order.pop()
            inputs, targets = self.inputs[chosen], self.targets[chosen]
        loss = (self.network(inputs) - targets).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if not self.order:
            self.schedule.step()
        return float(loss.detach()) / self.span**2

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Return what the network holds now."""
        parts = [self.network(part) for part in self.inputs.split(16_384)]
        return ((torch.cat(parts) - self.low) / self.span).reshape(self.shape)
